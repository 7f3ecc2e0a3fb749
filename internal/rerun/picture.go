package rerun

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
)

// Two pictures are the same where no block of dots differs by more than this on average, of
// 255, in a colour: the edges of letters may be smoothed otherwise on another machine, and a
// digit that is another one moves its block by three times as much.
const (
	blockSize      = 8
	blockTolerance = 6
)

// png compares two pictures, block by block.
func (c *comparer) png(where string, old, fresh any) {
	where += ", picture"
	if text, ok := old.(string); ok && old == fresh && strings.HasPrefix(text, "iVBORw0KGgo") { // the signature of a PNG
		return
	}
	a, oldErr := decodePNG(old)
	b, newErr := decodePNG(fresh)
	switch {
	case oldErr != nil || newErr != nil:
		c.add(Difference{Kind: Picture, Where: where, Old: pictureSize(a, oldErr), New: pictureSize(b, newErr)})
	case a.Bounds().Size() != b.Bounds().Size():
		c.add(Difference{Kind: Picture, Where: where, Old: pictureSize(a, nil), New: pictureSize(b, nil)})
	default:
		if n, most, at := compareBlocks(a, b); n > 0 {
			c.add(Difference{Kind: Picture, Where: where, Old: "one picture", New: "another",
				By: fmt.Sprintf("%s, most at %d, %d from the upper left corner (%.0f of 255)",
					plural(n, "block"), at.X, at.Y, most)})
		}
	}
}

func decodePNG(value any) (image.Image, error) {
	text, _ := value.(string)
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, err
	}
	return png.Decode(bytes.NewReader(data))
}

// pictureSize is the size of a picture in words, or what is wrong with it.
func pictureSize(p image.Image, err error) string {
	if err != nil {
		return "not a PNG: " + err.Error()
	}
	size := p.Bounds().Size()
	return fmt.Sprintf("%d × %d dots", size.X, size.Y)
}

// compareBlocks counts the blocks in which two pictures of one size differ, and finds the
// one where they do most, by how much and where. Both are seen on white paper.
func compareBlocks(a, b image.Image) (n int, most float64, at image.Point) {
	size := a.Bounds().Size()
	for y := 0; y < size.Y; y += blockSize {
		for x := 0; x < size.X; x += blockSize {
			block := image.Rect(x, y, min(x+blockSize, size.X), min(y+blockSize, size.Y))
			var off [3]int
			for j := block.Min.Y; j < block.Max.Y; j++ {
				for i := block.Min.X; i < block.Max.X; i++ {
					p := onWhite(a.At(a.Bounds().Min.X+i, a.Bounds().Min.Y+j))
					q := onWhite(b.At(b.Bounds().Min.X+i, b.Bounds().Min.Y+j))
					for k := range off {
						off[k] += max(p[k]-q[k], q[k]-p[k])
					}
				}
			}
			mean := float64(max(off[0], off[1], off[2])) / float64(block.Dx()*block.Dy())
			if mean > blockTolerance {
				n++
			}
			if mean > most {
				most, at = mean, block.Min
			}
		}
	}
	return n, most, at
}

// onWhite is a colour from 0 to 255 in red, green and blue.
func onWhite(c color.Color) [3]int {
	r, g, b, alpha := c.RGBA() // multiplied by alpha
	rest := 0xffff - alpha
	return [3]int{int((r + rest) >> 8), int((g + rest) >> 8), int((b + rest) >> 8)}
}
