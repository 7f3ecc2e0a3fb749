package nb

import (
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
)

func TestFewColoursStayExact(t *testing.T) {
	drawn := image.NewNRGBA(image.Rect(3, 5, 67, 9)) // 256 dots
	for i := range 256 {
		drawn.SetNRGBA(3+i%64, 5+i/64, color.NRGBA{uint8(i / 2), uint8(255 - i/2), 7, 255})
	}
	got := indexed(drawn, 128)
	if len(got.Palette) != 128 {
		t.Errorf("%d colours, want the 128 that were drawn", len(got.Palette))
	}
	for i := range 256 {
		x, y := 3+i%64, 5+i/64
		if want := drawn.NRGBAAt(x, y); got.At(x, y) != want {
			t.Fatalf("the dot at %d, %d is %v, want %v", x, y, got.At(x, y), want)
		}
	}
}

// Areas keep their colours, and shades within a soft edge move by little.
func TestManyColoursMoveByLittle(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	drawn := image.NewNRGBA(image.Rect(0, 0, 100, 100))
	areas := []string{"#FFFFFF", ink, grey, faint, amber, palette[0], palette[1]}
	for y := range 100 {
		for x := range 100 {
			area, share := rgb(areas[y/15%len(areas)]), 1.0
			if x%10 == 0 { // a soft edge towards white
				share = random.Float64()
			}
			mix := func(v uint8) uint8 { return uint8(255 + share*(float64(v)-255)) }
			drawn.SetNRGBA(x, y, color.NRGBA{mix(area.R), mix(area.G), mix(area.B), 255})
		}
	}
	got := indexed(drawn, mostColours)
	if n := len(got.Palette); n > mostColours {
		t.Errorf("%d colours, want at most %d", n, mostColours)
	}
	furthest := 0
	for y := range 100 {
		for x := range 100 {
			want, is := drawn.NRGBAAt(x, y), got.At(x, y).(color.NRGBA)
			if x%10 != 0 && is != want {
				t.Fatalf("the dot at %d, %d in an area is %v, want %v", x, y, is, want)
			}
			furthest = max(furthest, distance(is, want))
		}
	}
	if furthest == 0 || furthest > 8 {
		t.Errorf("the colour that moved most moved by %d of 255, want 1 to 8", furthest)
	}
}
