package notebooks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"
)

// The README's picture is the first chart of the first notebook. Shades may differ a little, since
// the two need not have been saved with the same number of colours.
func TestPictureOfREADMEIsTheNotebooks(t *testing.T) {
	const file, notebook = "poor-children.png", "01-poor-children.ipynb"
	shown, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	drawn := firstPicture(t, notebook)
	a, b := decoded(t, shown), decoded(t, drawn)
	if a.Bounds() != b.Bounds() {
		t.Fatalf("%s is %v, the first chart of %s is %v; copy that one", file, a.Bounds(), notebook, b.Bounds())
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			if apart(p.R, q.R) > 16 || apart(p.G, q.G) > 16 || apart(p.B, q.B) > 16 {
				t.Fatalf("%s is not the first chart of %s: the dots at %d, %d are %v and %v; copy that one", file, notebook, x, y,
					p, q)
			}
		}
	}
}

func apart(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func firstPicture(t *testing.T, notebook string) []byte {
	t.Helper()
	text, err := os.ReadFile(notebook)
	if err != nil {
		t.Fatal(err)
	}
	var tree struct {
		Cells []struct {
			Outputs []struct {
				Data map[string]any `json:"data"`
			} `json:"outputs"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	for _, cell := range tree.Cells {
		for _, output := range cell.Outputs {
			if encoded, ok := output.Data["image/png"].(string); ok {
				data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
				if err != nil {
					t.Fatal(err)
				}
				return data
			}
		}
	}
	t.Fatalf("%s has no picture", notebook)
	return nil
}
