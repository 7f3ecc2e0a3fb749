package nb

import (
	"cmp"
	"image"
	"image/color"
	"maps"
	"slices"
)

// mostColours keeps the colours of every chart so far within 8 of 255 of what was drawn, which
// the eye does not see, at a quarter of the bytes that a picture with a colour for each dot takes.
const mostColours = 128

// indexed is the picture with at most `most` colours, each of them one of the picture's own. A
// colour gives way only to a more frequent one that is near, so areas and lines keep theirs exactly
// and what moves are shades within soft edges. Nothing is dithered, so text stays crisp.
func indexed(picture image.Image, most int) *image.Paletted {
	at := func(x, y int) color.NRGBA { return color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA) }
	bounds := picture.Bounds()
	dots := map[color.NRGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			dots[at(x, y)]++
		}
	}
	// The order decides what is kept, and the same chart should give the same bytes.
	all := slices.SortedFunc(maps.Keys(dots), func(a, b color.NRGBA) int {
		return cmp.Or(cmp.Compare(dots[b], dots[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B),
			cmp.Compare(a.A, b.A))
	})
	kept := all
	for within := 0; len(kept) > most; within++ {
		kept = nil
		for _, c := range all {
			if !slices.ContainsFunc(kept, func(k color.NRGBA) bool { return distance(k, c) <= within }) {
				kept = append(kept, c)
			}
		}
	}
	out := image.NewPaletted(bounds, nil)
	for _, c := range kept {
		out.Palette = append(out.Palette, c)
	}
	index := map[color.NRGBA]uint8{}
	for _, c := range all {
		nearest := slices.MinFunc(kept, func(a, b color.NRGBA) int { return cmp.Compare(distance(a, c), distance(b, c)) })
		index[c] = uint8(slices.Index(kept, nearest))
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	return out
}

// distance is how far two colours are apart in the channel in which they differ most, of 255.
func distance(a, b color.NRGBA) int {
	return max(apart(a.R, b.R), apart(a.G, b.G), apart(a.B, b.B), apart(a.A, b.A))
}

func apart(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
