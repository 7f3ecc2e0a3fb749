package nb

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansitalic"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// A chart is laid out in points and is 720 CSS pixels wide; it is drawn with two dots for
// each pixel, so that it is sharp on every screen.
const (
	pixelWidth = 720
	dotsPerIn  = 192
	width      = vg.Length(pixelWidth) * 72 / 96
	margin     = vg.Length(12)
	lineSpace  = 1.3 // of the font size
)

var (
	titleFace  = face(12.5, true, false)
	labelFace  = face(9, false, false)
	valueFace  = face(8.5, true, false)
	absentFace = face(8.5, false, true)
	smallFace  = face(8, false, false)
	noticeFace = face(8, true, false)
)

// fonts are read when the first chart is drawn, since most cells draw none.
var fonts = sync.OnceValue(func() *font.Cache {
	var all font.Collection
	for f, file := range map[font.Font][]byte{face(0, false, false): liberationsansregular.TTF,
		face(0, true, false): liberationsansbold.TTF, face(0, false, true): liberationsansitalic.TTF} {
		read, err := opentype.Parse(file)
		if err != nil {
			panic(err) // the font is part of the program
		}
		all = append(all, font.Face{Font: f, Face: read})
	}
	return font.NewCache(all)
})

func face(size vg.Length, bold, italic bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = stdfont.WeightBold
	}
	if italic {
		f.Style = stdfont.StyleItalic
	}
	return f
}

// pen draws on a canvas whose y grows downwards from the top, as text does.
type pen struct {
	canvas draw.Canvas
	height vg.Length
}

// measure is the width of s in the font f.
func measure(f font.Font, s string) vg.Length {
	face := fonts().Lookup(f, f.Size)
	return face.Width(s)
}

// write puts s at x; align is 0 for left, -0.5 for centred, -1 for right. y is the middle
// of the line, which lies about a third of the font's size above the baseline.
func (p pen) write(f font.Font, colour, s string, x, y vg.Length, align vg.Length) {
	p.canvas.SetColor(rgb(colour))
	p.canvas.FillString(fonts().Lookup(f, f.Size), vg.Point{X: x + align*measure(f, s), Y: p.height - y - 0.34*f.Size}, s)
}

func (p pen) line(colour string, width vg.Length, dashes []vg.Length, points ...vg.Point) {
	for i := range points {
		points[i].Y = p.height - points[i].Y
	}
	p.canvas.StrokeLines(draw.LineStyle{Color: rgb(colour), Width: width, Dashes: dashes}, points)
}

func (p pen) fill(c color.Color, points ...vg.Point) {
	for i := range points {
		points[i].Y = p.height - points[i].Y
	}
	p.canvas.FillPolygon(c, points)
}

func (p pen) box(c color.Color, x0, y0, x1, y1 vg.Length) {
	p.fill(c, vg.Point{X: x0, Y: y0}, vg.Point{X: x1, Y: y0}, vg.Point{X: x1, Y: y1}, vg.Point{X: x0, Y: y1})
}

// whisker is an interval along x with a short cap at both ends.
func (p pen) whisker(colour string, x0, x1, y vg.Length) {
	const half = 2.5
	p.line(colour, 1, nil, vg.Point{X: x0, Y: y}, vg.Point{X: x1, Y: y})
	p.line(colour, 1, nil, vg.Point{X: x0, Y: y - half}, vg.Point{X: x0, Y: y + half})
	p.line(colour, 1, nil, vg.Point{X: x1, Y: y - half}, vg.Point{X: x1, Y: y + half})
}

// Series differ in shape too, for readers who do not see the colours.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{},
	draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}}

var dashes = [][]vg.Length{nil, {5, 2.5}, {1.5, 2}, {7, 2, 1.5, 2}, {3, 1.5}, {9, 3}, {1.5, 4}}

func (p pen) glyph(series int, x, y vg.Length) {
	p.canvas.DrawGlyphNoClip(draw.GlyphStyle{Color: rgb(palette[series]), Radius: 3.6, Shape: glyphs[series]},
		vg.Point{X: x, Y: p.height - y})
}

// png draws the chart.
func (p *plan) png() ([]byte, error) {
	body, bodyHeight := p.rows, vg.Length(0)
	if p.Kind == Lines {
		body, bodyHeight = p.lines, 230
	} else {
		bodyHeight = p.rowsHeight()
	}
	titleLines := wrap(titleFace, p.Title, width-2*margin)
	var footerLines []string
	for _, line := range p.footer {
		footerLines = append(footerLines, wrap(smallFace, line, width-2*margin)...)
	}
	legend := p.legend()

	top := margin
	if p.Data.Synthetic {
		top += 20
	}
	titleTop := top
	top += vg.Length(len(titleLines))*titleFace.Size*lineSpace + 4
	legendTop := top
	top += vg.Length(len(legend)) * 14
	bodyTop := top + 4
	top = bodyTop + bodyHeight
	footerTop := top + 8
	height := footerTop + vg.Length(len(footerLines))*smallFace.Size*lineSpace + margin
	// Whole dots, so that the picture has no blurred edge.
	height = vg.Length(math.Ceil(float64(height)/0.75)) * 0.75

	image := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerIn), vgimg.UseBackgroundColor(color.White))
	to := pen{draw.New(image), height}
	if p.Data.Synthetic {
		notice := "SYNTHETIC DATA"
		end := margin + measure(noticeFace, notice) + 10
		to.box(rgb(amber), margin, margin, end, margin+14)
		to.write(noticeFace, ink, notice, margin+5, margin+7, 0)
		to.write(smallFace, grey, "The people in it are invented; do not quote its figures as facts.", end+6, margin+7, 0)
	}
	for i, line := range titleLines {
		to.write(titleFace, ink, line, margin, titleTop+(vg.Length(i)+0.5)*titleFace.Size*lineSpace, 0)
	}
	for i, row := range legend {
		x, y := margin, legendTop+vg.Length(i)*14+7
		for _, series := range row {
			p.key(to, series, x, y)
			to.write(labelFace, ink, p.series[series], x+keyWidth, y, 0)
			x += legendWidth(p.series[series])
		}
	}
	body(to, bodyTop, bodyHeight)
	for i, line := range footerLines {
		to.write(smallFace, grey, line, margin, footerTop+(vg.Length(i)+0.5)*smallFace.Size*lineSpace, 0)
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, indexed(image.Image(), mostColours)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

const keyWidth = vg.Length(18)

func legendWidth(name string) vg.Length { return keyWidth + measure(labelFace, name) + 16 }

// legend is the series in the rows of the legend: none for one series, and none for lines,
// which bear their names.
func (p *plan) legend() [][]int {
	if len(p.series) < 2 || p.Kind == Lines {
		return nil
	}
	rows, x := [][]int{nil}, vg.Length(0)
	for i, name := range p.series {
		w := legendWidth(name)
		if x > 0 && x+w > width-2*margin {
			rows, x = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], i)
		x += w
	}
	return rows
}

// key draws the sample of a series in the legend.
func (p *plan) key(to pen, series int, x, y vg.Length) {
	if p.Kind == Bars {
		to.box(rgb(palette[series]), x, y-4, x+keyWidth-4, y+4)
		return
	}
	to.glyph(series, x+keyWidth/2-2, y)
}

// The rows of bars and dots, in points.
const (
	barHeight  = vg.Length(15)
	barGap     = vg.Length(2)
	groupGap   = vg.Length(11)
	dotsHeight = vg.Length(26)
	laneHeight = vg.Length(12.5) // of one series, where they stand side by side
	laneGap    = vg.Length(7)
	axisHeight = vg.Length(36) // tick labels and the title of the axis
)

// groupHeight is the height of one category.
func (p *plan) groupHeight(by string) vg.Length {
	h := dotsHeight
	switch {
	case p.Kind == Bars:
		h = vg.Length(len(p.series))*(barHeight+barGap) - barGap + groupGap
	case p.sideBySide():
		h = vg.Length(len(p.series))*laneHeight + laneGap
	}
	return max(h, vg.Length(len(p.labelLines(by)))*labelFace.Size*lineSpace+5)
}

func (p *plan) rowsHeight() vg.Length {
	h := axisHeight + 12
	for _, by := range p.by {
		h += p.groupHeight(by)
	}
	return h
}

func (p *plan) labelLines(by string) []string { return wrap(labelFace, by, 0.33*width) }

// rows draws bars or dots: categories down the left side, values along the bottom.
func (p *plan) rows(to pen, top, height vg.Length) {
	left := measure(labelFace, p.By.Title)
	for _, by := range p.by {
		for _, line := range p.labelLines(by) {
			left = max(left, measure(labelFace, line))
		}
	}
	left = min(left, 0.33*width) + margin + 8
	right := width - margin - 4
	if p.Kind == Dots {
		left += 10
	}
	bottom := top + height - axisHeight
	scale, ticks := p.rowScale(left, right)

	format := p.Value.Format.shortest(ticks)
	to.write(labelFace, grey, p.By.Title, left-8, top+5, -1)
	top += 12
	for _, tick := range ticks {
		x := scale.at(tick)
		to.line(faint, 0.75, nil, vg.Point{X: x, Y: top}, vg.Point{X: x, Y: bottom})
		to.write(smallFace, grey, format.String(tick), x, bottom+8, -0.5)
	}
	to.write(labelFace, grey, p.Value.label(), (left+right)/2, bottom+24, -0.5)

	zero := func() {
		if x := scale.at(0); scale.covers(0) {
			to.line(grey, 1, nil, vg.Point{X: x, Y: top}, vg.Point{X: x, Y: bottom})
		}
	}
	y := top
	if p.sideBySide() {
		for _, by := range p.by[:len(p.by)-1] {
			y += p.groupHeight(by)
			to.line(faint, 0.75, nil, vg.Point{X: margin, Y: y}, vg.Point{X: right, Y: y})
		}
		y = top
	}
	if p.Kind == Dots { // before the numbers, which may stand on it
		zero()
	}
	for _, by := range p.by {
		h := p.groupHeight(by)
		lines := p.labelLines(by)
		for i, line := range lines {
			to.write(labelFace, ink, line, left-8, y+h/2+(vg.Length(i)-vg.Length(len(lines)-1)/2)*labelFace.Size*lineSpace, -1)
		}
		switch {
		case p.Kind == Bars:
			p.bars(to, by, scale, y, h)
		case p.sideBySide():
			p.lanes(to, by, scale, y+h/2)
		default:
			p.dots(to, by, scale, y+h/2)
		}
		y += h
	}
	if p.Kind == Bars {
		zero()
	}
}

func (p *plan) bars(to pen, by string, scale scale, y, h vg.Length) {
	y += (h - vg.Length(len(p.series))*(barHeight+barGap) + barGap) / 2
	for i, series := range p.series {
		m, ok := p.find(by, series)
		top := y + vg.Length(i)*(barHeight+barGap)
		middle := top + barHeight/2
		switch {
		case !ok:
		case m.missing != "":
			to.write(absentFace, grey, m.missing, scale.at(0)+5, middle, 0)
		default:
			to.box(rgb(palette[i]), scale.at(0), top, scale.at(m.value), top+barHeight)
			if m.bounded {
				to.whisker(ink, scale.at(m.lower), scale.at(m.upper), middle)
			}
			label, x, align := p.Value.Format.String(m.value), scale.at(max(m.end(), 0))+5, vg.Length(0)
			if m.value < 0 {
				x, align = scale.at(m.start())-5, -1
			}
			to.write(valueFace, ink, label, x, middle, align)
		}
	}
}

func (p *plan) dots(to pen, by string, scale scale, y vg.Length) {
	var seen []mark
	for _, series := range p.series {
		if m, ok := p.find(by, series); ok && m.missing == "" {
			seen = append(seen, m)
		}
	}
	if len(seen) == 0 {
		return
	}
	first := slices.MinFunc(seen, func(a, b mark) int { return compareFloat(a.value, b.value) })
	last := slices.MaxFunc(seen, func(a, b mark) int { return compareFloat(a.value, b.value) })
	if len(seen) > 1 {
		to.line("#C5CDD5", 3, nil, vg.Point{X: scale.at(first.value), Y: y}, vg.Point{X: scale.at(last.value), Y: y})
	}
	start, end := scale.at(first.value), scale.at(last.value)
	for _, m := range seen {
		series := slices.Index(p.series, m.series)
		if m.bounded {
			to.whisker(palette[series], scale.at(m.lower), scale.at(m.upper), y)
		}
		start, end = min(start, scale.at(m.start())), max(end, scale.at(m.end()))
	}
	for _, m := range seen {
		to.glyph(slices.Index(p.series, m.series), scale.at(m.value), y)
	}
	p.number(to, last, end+7, y, 0)
	if len(seen) > 1 {
		p.number(to, first, start-7, y, -1)
	}
}

// number writes a mark's value on white, so that no line runs through it.
func (p *plan) number(to pen, m mark, from, y, align vg.Length) {
	label := p.Value.Format.String(m.value)
	left := from + align*measure(valueFace, label)
	to.box(color.White, left-1, y-6, left+measure(valueFace, label)+1, y+6)
	to.write(valueFace, ink, label, from, y, align)
}

// lanes draws the series of a row below each other, around y; each has its number at the end
// of its own interval.
func (p *plan) lanes(to pen, by string, scale scale, y vg.Length) {
	y -= vg.Length(len(p.series)-1) / 2 * laneHeight
	for i, series := range p.series {
		if m, ok := p.find(by, series); ok && m.missing == "" {
			if m.bounded {
				to.whisker(palette[i], scale.at(m.lower), scale.at(m.upper), y)
			}
			to.glyph(i, scale.at(m.value), y)
			p.number(to, m, max(scale.at(m.end()), scale.at(m.value)+3.6)+5, y, 0)
		}
		y += laneHeight
	}
}

func (p *plan) find(by, series string) (mark, bool) {
	for _, m := range p.marks {
		if m.by == by && m.series == series {
			return m, true
		}
	}
	return mark{}, false
}

// scale maps values to places on the canvas.
type scale struct {
	low, high float64
	from, to  vg.Length
}

func (s scale) at(x float64) vg.Length {
	return s.from + vg.Length((x-s.low)/(s.high-s.low))*(s.to-s.from)
}

func (s scale) covers(x float64) bool { return s.low <= x && x <= s.high }

// rowScale is the scale of bars and dots. It leaves room for the number written beside each
// figure, so that none is cut off.
func (p *plan) rowScale(left, right vg.Length) (scale, []float64) {
	low, high := p.span()
	room := vg.Length(0)
	for _, m := range p.marks {
		room = max(room, measure(valueFace, p.Value.Format.String(m.value))+10)
	}
	before := vg.Length(0)
	if (p.low < 0 || p.Kind == Dots && low != 0) && !p.sideBySide() {
		before = room
	}
	// The figures may use what is left between the two rooms.
	per := (high - low) / float64(right-left-room-before)
	s := scale{low - per*float64(before), high + per*float64(room), left, right}
	if low == 0 {
		s.low = 0
		if p.Kind == Dots && len(p.series) > 1 && !p.sideBySide() {
			// The lowest figure of a row has its number on its left, where near zero the categories stand.
			short := vg.Length(0)
			for _, m := range p.marks {
				if m.missing == "" {
					short = max(short, room-(s.at(m.start())-left))
				}
			}
			s.low = -s.high * float64(short/(right-left-short))
		}
	}
	return s, ticks(s.low, s.high, p.Value.Format, 6)
}

// span is what the value axis has to cover.
func (p *plan) span() (low, high float64) {
	low, high = p.low, p.high
	if p.fromZero() {
		low, high = min(low, 0), max(high, 0)
	}
	if low == high {
		low, high = low-0.5*math.Abs(low), high+0.5*math.Abs(high)
	}
	if low == high {
		high = 1
	}
	return low, high
}

// lines draws values over years, with the name of each series at its end.
func (p *plan) lines(to pen, top, height vg.Length) {
	bottom := top + height - axisHeight
	top += 18
	ys, yTicks := p.lineScale(bottom, top)
	format := p.Value.Format.shortest(yTicks)
	left := margin
	for _, tick := range yTicks {
		left = max(left, margin+measure(smallFace, format.String(tick))+8)
	}
	right := width - margin - 10
	if len(p.series) > 1 {
		widest := vg.Length(0)
		for _, series := range p.series {
			for _, line := range wrap(labelFace, series, 0.25*width) {
				widest = max(widest, measure(labelFace, line))
			}
		}
		right = width - margin - widest - 12
	}
	first, last := p.years()
	xs := scale{first, last, left + 8, right}

	to.write(labelFace, grey, p.Value.label(), margin, top-11, 0)
	for _, tick := range yTicks {
		y := ys.at(tick)
		to.line(faint, 0.75, nil, vg.Point{X: left, Y: y}, vg.Point{X: right, Y: y})
		to.write(smallFace, grey, format.String(tick), left-6, y, -1)
	}
	to.line(grey, 0.75, nil, vg.Point{X: left, Y: bottom}, vg.Point{X: right, Y: bottom})
	for _, tick := range ticks(first, last, p.By.Format.whole(), 12) {
		x := xs.at(tick)
		to.line(grey, 0.75, nil, vg.Point{X: x, Y: bottom}, vg.Point{X: x, Y: bottom + 3})
		to.write(smallFace, grey, p.By.Format.String(tick), x, bottom+10, -0.5)
	}
	to.write(labelFace, grey, p.By.label(), (left+right)/2, bottom+25, -0.5)

	for i, series := range p.series {
		for _, run := range p.runs(series) {
			band := tint(palette[i], 0.18)
			if m := run[0]; len(run) == 1 && m.bounded { // a band has no width here
				to.line(palette[i], 1, nil, vg.Point{X: xs.at(m.at), Y: ys.at(m.lower)},
					vg.Point{X: xs.at(m.at), Y: ys.at(m.upper)})
			}
			var edge []vg.Point
			for _, m := range run {
				if m.bounded {
					edge = append(edge, vg.Point{X: xs.at(m.at), Y: ys.at(m.upper)})
				}
			}
			for _, m := range slices.Backward(run) {
				if m.bounded {
					edge = append(edge, vg.Point{X: xs.at(m.at), Y: ys.at(m.lower)})
				}
			}
			if len(edge) > 2 {
				to.fill(band, edge...)
			}
		}
	}
	type label struct {
		series int
		y      vg.Length
	}
	var labels []label
	for i, series := range p.series {
		end := vg.Length(-1)
		for _, run := range p.runs(series) {
			var points []vg.Point
			for _, m := range run {
				points = append(points, vg.Point{X: xs.at(m.at), Y: ys.at(m.value)})
			}
			end = points[len(points)-1].Y
			for _, point := range points {
				to.glyph(i, point.X, point.Y)
			}
			to.line(palette[i], 1.6, dashes[i], points...)
		}
		if end >= 0 && len(p.series) > 1 {
			labels = append(labels, label{i, end})
		}
	}
	// Names that would overlap are pushed apart, downwards.
	slices.SortStableFunc(labels, func(a, b label) int { return compareFloat(float64(a.y), float64(b.y)) })
	free := top - 10
	for _, l := range labels {
		lines := wrap(labelFace, p.series[l.series], 0.25*width)
		y := max(l.y, free+labelFace.Size*lineSpace/2)
		for j, line := range lines {
			to.write(labelFace, darker(palette[l.series]), line, right+10, y+vg.Length(j)*labelFace.Size*lineSpace, 0)
		}
		free = y + (vg.Length(len(lines))-0.5)*labelFace.Size*lineSpace
	}
}

// lineScale is the scale up the side of a chart of lines.
func (p *plan) lineScale(bottom, top vg.Length) (scale, []float64) {
	low, high := p.span()
	pad := 0.06 * (high - low)
	if low != 0 {
		low -= pad
	}
	return scale{low, high + pad, bottom, top}, ticks(low, high+pad, p.Value.Format, 5)
}

// years is the span of a chart of lines; a single year has room on both sides.
func (p *plan) years() (first, last float64) {
	first, last = p.marks[0].at, p.marks[0].at
	for _, m := range p.marks {
		first, last = min(first, m.at), max(last, m.at)
	}
	if first == last {
		return first - 1, last + 1
	}
	return first, last
}

// runs are the stretches of a line without a missing value.
func (p *plan) runs(series string) [][]mark {
	var runs [][]mark
	open := false
	for _, m := range p.marks {
		switch {
		case m.series != series:
		case m.missing != "":
			open = false
		case open:
			runs[len(runs)-1] = append(runs[len(runs)-1], m)
		default:
			runs, open = append(runs, []mark{m}), true
		}
	}
	return runs
}

// ticks are at most n round numbers from low to high that f writes differently from each
// other: steps of 1, 2 or 5 times a power of ten in the unit of f.
func ticks(low, high float64, f Format, n int) []float64 {
	unit := f.scale
	if unit == 0 {
		unit = 1
	}
	low, high = low*unit, high*unit
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	if step < 1 && f.scale == 0 {
		step = 1
	}
	smallest := math.Pow(10, -float64(f.decimals))
	for _, times := range []float64{1, 2, 5, 10, 20, 50} {
		if s := step * times; s >= smallest*0.999 && (high-low)/s <= float64(n) {
			step = s
			break
		}
	}
	var out []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-12)+1e-12 && len(out) <= 2*n; i++ {
		out = append(out, i*step/unit+0) // adding 0 makes a zero of -0
	}
	return out
}

// shortest is f without the decimals, if all of the numbers are whole in its unit.
func (f Format) shortest(xs []float64) Format {
	for _, x := range xs {
		if scaled := x * f.scale; math.Abs(scaled-math.Round(scaled)) > 1e-9 {
			return f
		}
	}
	return f.whole()
}

// whole is f for positions that are whole numbers, like years.
func (f Format) whole() Format {
	f.decimals = 0
	return f
}

// wrap breaks s at spaces into lines that are at most w wide; a word that is wider alone is
// broken too.
func wrap(f font.Font, s string, w vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if joined := strings.TrimSpace(line + " " + word); measure(f, joined) <= w {
			line = joined
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
		for _, r := range word {
			if line != "" && measure(f, line+string(r)) > w {
				lines, line = append(lines, line), ""
			}
			line += string(r)
		}
	}
	return append(lines, line)
}

func rgb(hex string) color.NRGBA {
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 24)
	if err != nil {
		panic("not a colour: " + hex)
	}
	return color.NRGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}
}

// tint is a colour mixed into white; without transparency, bands look alike everywhere.
func tint(hex string, alpha float64) color.Color {
	c := rgb(hex)
	c.A = uint8(255*alpha + 0.5)
	return c
}

// darker is a colour for text, which needs more contrast than a line.
func darker(hex string) string {
	c := rgb(hex)
	const by = 0.8
	n := uint64(float64(c.R)*by)<<16 | uint64(float64(c.G)*by)<<8 | uint64(float64(c.B)*by)
	return "#" + strings.Repeat("0", 6-len(strconv.FormatUint(n, 16))) + strconv.FormatUint(n, 16)
}
