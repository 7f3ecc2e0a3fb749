package nb

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Kind is how a chart draws its points.
type Kind string

// The kinds of chart.
const (
	Bars  Kind = "bars"  // lengths from zero, one row for each By
	Lines Kind = "lines" // over years, with the interval as a band
	// positions, one row for each By: with the gap between series drawn, or side by side where there are intervals
	Dots Kind = "dots"
)

// Chart is one description that is shown twice: as a Vega-Lite display, which JupyterLab
// makes interactive, and as a PNG for everything else. Both carry title, axis titles with
// units, intervals, n, source, note, and a warning where the data is synthetic.
//
//	nb.Chart{Kind: nb.Bars, Title: "More of the children in supported areas are poor",
//		By:     nb.Axis{Title: "Origin"},
//		Value:  nb.Axis{Title: "Share of children who are poor", Format: nb.Percent},
//		Points: points}.Show()
type Chart struct {
	Kind   Kind
	Title  string
	By     Axis // categories; for Lines, years
	Value  Axis // what is measured; it has a unit
	Points []Point
	N      string // the observations behind the chart; "" for the range of the points' denominators
	Source string // "" for the title of the data set
	Note   string
	// Data is what the figures come from; nil asks the server.
	Data *Dataset
}

// Axis is a title and how numbers along the axis are written. The unit is that of the
// format, unless Unit names one.
type Axis struct {
	Title  string
	Unit   string
	Format Format
}

func (a Axis) unit() string {
	if a.Unit != "" {
		return a.Unit
	}
	return a.Format.unit
}

func (a Axis) label() string {
	if a.unit() == "" {
		return a.Title
	}
	return a.Title + " (" + a.unit() + ")"
}

// Point is one figure of a chart. By is a string, or a number for Lines. Series tells apart
// several figures with the same By; "" if there is one. A figure without a value is not
// drawn, and the chart says so.
type Point struct {
	By       any
	Series   string
	Estimate Estimate
}

// Show displays the chart; it stops the cell where the chart is not well formed.
func (c Chart) Show() {
	if c.Data == nil {
		c.Data = served()
	}
	d, err := c.render()
	if err != nil {
		stop(err)
	}
	d.show()
}

func (c Chart) render() (display, error) {
	p, err := c.plan()
	if err != nil {
		return display{}, fmt.Errorf("the chart %q: %w", c.Title, err)
	}
	picture, err := p.png()
	if err != nil {
		return display{}, fmt.Errorf("the chart %q could not be drawn: %w", c.Title, err)
	}
	return display{text: p.text(), vegaLite: p.vegaLite(), png: picture, pngWidth: pixelWidth}, nil
}

// plan is a chart that has been checked and put in order for drawing.
type plan struct {
	Chart
	marks   []mark
	by      []string // categories in order of appearance; of Lines, the positions ascending
	series  []string
	low     float64 // the span of all values and intervals
	high    float64
	bounded bool // some mark has an interval
	footer  []string
}

// mark is a point with its value, or without one and the reason in missing.
type mark struct {
	by           string
	at           float64 // of Lines
	series       string
	value        float64
	lower, upper float64
	bounded      bool
	missing      string
	n            *int
	shown        string
}

// end is where the mark's interval ends, or its value without one.
func (m mark) end() float64 {
	if m.bounded {
		return m.upper
	}
	return m.value
}

func (m mark) start() float64 {
	if m.bounded {
		return m.lower
	}
	return m.value
}

func (m mark) name() string {
	if m.series == "" {
		return m.by
	}
	return m.by + ", " + m.series
}

func (c Chart) plan() (*plan, error) {
	p := &plan{Chart: c, low: math.Inf(1), high: math.Inf(-1)}
	switch {
	case c.Kind != Bars && c.Kind != Lines && c.Kind != Dots:
		return nil, fmt.Errorf("the kind is %q; it should be nb.Bars, nb.Lines or nb.Dots", c.Kind)
	case c.Title == "":
		return nil, fmt.Errorf("a title is missing")
	case c.By.Title == "" || c.Value.Title == "":
		return nil, fmt.Errorf("both axes, By and Value, need a title")
	case c.Value.unit() == "":
		return nil, fmt.Errorf("the unit of the axis %q is missing: give it a Format with one, like nb.Percent, or a Unit",
			c.Value.Title)
	case len(c.Points) == 0:
		return nil, fmt.Errorf("there are no points")
	}
	for i, point := range c.Points {
		m, err := c.mark(point)
		if err != nil {
			return nil, fmt.Errorf("point %d: %w", i+1, err)
		}
		if slices.ContainsFunc(p.marks, func(o mark) bool { return o.by == m.by && o.series == m.series }) {
			return nil, fmt.Errorf("point %d: there is a point for %s already", i+1, m.name())
		}
		p.marks = append(p.marks, m)
		if !slices.Contains(p.by, m.by) {
			p.by = append(p.by, m.by)
		}
		if !slices.Contains(p.series, m.series) {
			p.series = append(p.series, m.series)
		}
		if m.missing == "" {
			p.low, p.high = min(p.low, m.start()), max(p.high, m.end())
			p.bounded = p.bounded || m.bounded
		}
	}
	if math.IsInf(p.low, 0) {
		return nil, fmt.Errorf("no point has a value")
	}
	if len(p.series) > len(palette) {
		return nil, fmt.Errorf("%d series cannot be told apart by colour; at most %d can", len(p.series), len(palette))
	}
	if len(p.series) > 1 && slices.Contains(p.series, "") {
		return nil, fmt.Errorf("some points have a series and some have none")
	}
	if c.Kind == Lines {
		slices.SortStableFunc(p.marks, func(a, b mark) int {
			if by := slices.Index(p.series, a.series) - slices.Index(p.series, b.series); by != 0 {
				return by
			}
			return compareFloat(a.at, b.at)
		})
	}
	if p.N == "" {
		p.N = p.denominators()
	}
	if p.N == "" {
		return nil, fmt.Errorf("on how many observations does it rest? Select the denominator in the query, or set N")
	}
	p.footer = p.footerLines()
	return p, nil
}

func (c Chart) mark(point Point) (m mark, err error) {
	m.series, m.n = point.Series, point.Estimate.Denominator
	v := reflect.ValueOf(point.By)
	if at, ok := number(v); ok {
		m.at, m.by = at, c.By.Format.String(at)
	} else if v.IsValid() && v.Kind() == reflect.String && v.String() != "" {
		m.by = v.String()
		if c.Kind == Lines {
			return m, fmt.Errorf("the field By is %q; a chart of lines needs a number there, like a year", m.by)
		}
	} else {
		return m, fmt.Errorf("the field By is %#v; it should be a text or a number", point.By)
	}
	e := point.Estimate
	if e.Value == nil {
		m.missing = e.missing()
		return m, nil
	}
	m.value = *e.Value
	if math.IsNaN(m.value) || math.IsInf(m.value, 0) {
		return m, fmt.Errorf("the value for %s is %v, which cannot be drawn", m.name(), m.value)
	}
	if e.Lower != nil && e.Upper != nil {
		m.lower, m.upper, m.bounded = *e.Lower, *e.Upper, true
		// A share of 0 has the lower end 0, give or take a rounding.
		if !(m.lower-1e-9 <= m.value && m.value <= m.upper+1e-9) || math.IsInf(m.lower, 0) || math.IsInf(m.upper, 0) {
			return m, fmt.Errorf("the value for %s is %v, outside of its interval from %v to %v", m.name(), m.value, m.lower,
				m.upper)
		}
	}
	m.shown = e.In(c.Value.Format)
	return m, nil
}

// denominators is the range of the points' denominators in words, "" if none is known.
func (p *plan) denominators() string {
	low, high := math.MaxInt, math.MinInt
	for _, m := range p.marks {
		if m.n != nil {
			low, high = min(low, *m.n), max(high, *m.n)
		}
	}
	switch {
	case low > high:
		return ""
	case low == high:
		return Count.String(float64(low))
	default:
		return Count.String(float64(low)) + " to " + Count.String(float64(high)) + " for each point"
	}
}

func (p *plan) footerLines() []string {
	interval := "interval"
	if level := p.level(); level > 0 {
		interval = Percent.Decimals(0).String(level) + " interval"
		// 1 - 0.05 - 0.05 is a little less than 0.9.
		if whole := level * 100; math.Abs(whole-math.Round(whole)) > 1e-9 {
			interval = Percent.String(level) + " interval"
		}
	}
	var lines []string
	if p.bounded {
		lines = append(lines, map[Kind]string{Bars: "Whiskers", Dots: "Whiskers", Lines: "Bands"}[p.Kind]+": "+interval)
	}
	var missing []string
	for _, m := range p.marks {
		if m.missing != "" {
			missing = append(missing, m.name()+" ("+m.missing+")")
		}
	}
	if len(missing) > 0 {
		lines = append(lines, "Not shown: "+strings.Join(missing, "; "))
	}
	noSynthetic := *p.Data
	noSynthetic.Synthetic = false // the chart has its own place for that
	below := footer(p.N, p.Source, p.Note, &noSynthetic)
	below[0] = strings.Join(append(below[:1:1], lines...), ". ")
	return below
}

// level is the level of all intervals, 0 if they differ or it is not known.
func (p *plan) level() float64 {
	var level float64
	for _, point := range p.Points {
		if point.Estimate.Value == nil || point.Estimate.Lower == nil {
			continue
		}
		l := point.Estimate.Level
		if l == nil || (level != 0 && *l != level) {
			return 0
		}
		level = *l
	}
	return level
}

// text is the chart for a reader without pictures: its title and its figures.
func (p *plan) text() string {
	t := Table{Title: p.Title, Columns: []Column{{Name: p.By.Title}}, Data: p.Data}
	if len(p.series) > 1 {
		t.Columns = append(t.Columns, Column{Name: "Series"})
	}
	t.Columns = append(t.Columns, Column{Name: p.Value.Title, Unit: p.Value.unit()}, Column{Name: "n"})
	var cells [][]string
	for _, m := range p.marks {
		row := []string{m.by}
		if len(p.series) > 1 {
			row = append(row, m.series)
		}
		shown, n := m.shown, ""
		if m.missing != "" {
			shown = m.missing
		}
		if m.n != nil {
			n = Count.String(float64(*m.n))
		}
		cells = append(cells, append(row, shown, n))
	}
	numeric := make([]bool, len(t.Columns))
	numeric[len(numeric)-1], numeric[len(numeric)-2] = true, true
	t.N, t.Source, t.Note = p.N, p.Source, p.Note
	return "Chart: " + t.text(cells, numeric)
}

// sideBySide says whether the series of a row stand below each other, each with its number: on
// one line intervals would hide each other, and a number at the end of the longest would be
// read as that of another point.
func (p *plan) sideBySide() bool { return p.Kind == Dots && len(p.series) > 1 && p.bounded }

// fromZero says whether the value axis starts at zero: always for bars, and elsewhere
// unless that would squeeze the figures into less than half of the axis.
func (p *plan) fromZero() bool {
	return p.Kind == Bars || p.low <= 0.5*p.high && p.high >= 0 || p.low < 0
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// The colours of Okabe and Ito (2008), which colour-blind readers can tell apart, without
// the yellow that is too light on white.
var palette = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333"}

const (
	amber = "#FFB000"
	ink   = "#1F2933"
	grey  = "#5B6770"
	faint = "#E3E7EB"
)
