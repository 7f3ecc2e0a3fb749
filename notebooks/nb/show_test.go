package nb

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	for _, test := range []struct {
		format Format
		x      float64
		want   string
	}{
		{Count, 5860, "5,860"},
		{Count, 424821, "424,821"},
		{Count, 1234567, "1,234,567"},
		{Count, 999, "999"},
		{Count, -1000, "-1,000"},
		{Percent, 0.169, "16.9%"},
		{Percent, 0.16945, "16.9%"},
		{Percent, 1, "100.0%"},
		{Percent, -0.0001, "0.0%"}, // no minus before a zero
		{Percent.Decimals(0), 0.169, "17%"},
		{PercentagePoints, 0.094, "+9.4 pp"},
		{PercentagePoints, -0.094, "-9.4 pp"},
		{PercentagePoints, 0.0001, "0.0 pp"},
		{Number, 1.5, "1.50"},
		{Number.Unit("DKK"), 1234.5, "1,234.50 DKK"},
		{Format{}, 2016, "2016"},
		{Format{}, 0.25, "0.25"},
		{Percent, math.NaN(), "not available"},
	} {
		if got := test.format.String(test.x); got != test.want {
			t.Errorf("%+v of %v = %q, want %q", test.format, test.x, got, test.want)
		}
	}
}

func TestEstimateInWords(t *testing.T) {
	for want, e := range map[string]Estimate{
		"16.9% (16.5% to 17.3%)":    Of(0.169, 0.165, 0.173, 34657),
		"16.9%":                     Exactly(0.169),
		"suppressed":                {Status: "SUPPRESSED_SECONDARY"},
		"no observations":           {Status: "NO_OBSERVATIONS"},
		"not available":             {},
		"not available (perturbed)": {Status: "PERTURBED"},
	} {
		if got := e.In(Percent); got != want {
			t.Errorf("%+v is %q, want %q", e, got, want)
		}
	}
}

func TestWant(t *testing.T) {
	value, nothing := 0.1691, (*float64)(nil)
	for _, test := range []struct {
		got, want any
		tolerance []float64
		line      string // "" if it fails
		err       string
	}{
		{got: 5860, want: 5860, line: "✓ it: 5860"},
		{got: 34657, want: 34657.0, line: "✓ it: 34,657"},
		{got: int64(3), want: uint8(3), line: "✓ it: 3"},
		{got: &value, want: 0.169, tolerance: []float64{0.0005}, line: "✓ it: 0.1691 (told: 0.169 within 0.0005)"},
		{got: Of(0.1691, 0, 1, 3), want: 0.1691, line: "✓ it: 0.1691"},
		{got: 0.1 + 0.2, want: 0.3, line: "✓ it: 0.3"},
		{got: "DANISH", want: "DANISH", line: "✓ it: DANISH"},
		{got: true, want: true, line: "✓ it: true"},
		{got: 5861, want: 5860, err: "✗ it: told is 5860, and the answer is 5861 (off by 1)"},
		{got: 0.1696, want: 0.169, tolerance: []float64{0.0005},
			err: "told is 0.169 within 0.0005, and the answer is 0.1696 (off by 0.0006)"},
		{got: "WESTERN", want: "DANISH", err: "told is DANISH, and the answer is WESTERN"},
		{got: nothing, want: 1, err: "the answer has no value"},
		{got: Estimate{Status: "SUPPRESSED_PRIMARY"}, want: 1, err: "suppressed"},
		{got: math.NaN(), want: 1, err: "told is 1, and the answer is NaN"},
		{got: "1", want: 1, err: "not string with int"},
		{got: 1, want: 1, tolerance: []float64{-1}, err: "zero or more"},
		{got: "a", want: "a", tolerance: []float64{1}, err: "tolerance is for numbers"},
		{got: nil, want: nil, err: "no value"},
	} {
		line, err := check("it", test.got, test.want, test.tolerance)
		if test.err == "" && (err != nil || line != test.line) {
			t.Errorf("Want(%v, %v) = %q, %v; want %q", test.got, test.want, line, err, test.line)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("Want(%v, %v) = %q, %v; want an error with %q", test.got, test.want, line, err, test.err)
		}
	}
}

var synthetic = &Dataset{Title: "A register that is invented", Synthetic: true, Fingerprint: "f00d", Years: []int{2016}}

func TestTable(t *testing.T) {
	n, none := 34657, (*int)(nil)
	table := Table{Title: "Poor children, 2016", Data: synthetic, N: "459,478 children", Note: "Poor as in the codebook.",
		Columns: []Column{{Name: "Where"}, {Name: "Children", Format: Count}, {Name: "Poor", Unit: "share", Format: Percent}}}
	table.Row("Supported areas", &n, Of(0.169, 0.165, 0.173, n))
	table.Row("Ærø & <Læsø>", none, Estimate{Status: "SUPPRESSED_PRIMARY"})
	cells, numeric, err := table.cells()
	if err != nil {
		t.Fatal(err)
	}
	want := `Poor children, 2016

Where                 Children            Poor (share)
---------------  -------------  ----------------------
Supported areas         34,657  16.9% (16.5% to 17.3%)
Ærø & <Læsø>     not available              suppressed

n = 459,478 children
Source: A register that is invented
Note: Poor as in the codebook.
SYNTHETIC DATA. The people in it are invented; do not quote its figures as facts.`
	if got := table.text(cells, numeric); got != want {
		t.Errorf("text:\n%s\nwant:\n%s", got, want)
	}
	html := table.html(cells, numeric)
	for _, part := range []string{"Ærø &amp; &lt;Læsø&gt;", ">16.9% (16.5% to 17.3%)</td>", "<caption", "SYNTHETIC DATA"} {
		if !strings.Contains(html, part) {
			t.Errorf("html lacks %q:\n%s", part, html)
		}
	}
	table.Row("too few")
	if _, _, err := table.cells(); err == nil || !strings.Contains(err.Error(), "row 3") {
		t.Errorf("error = %v", err)
	}
	table.Rows = [][]any{{"a", 1, []int{1}}}
	if _, _, err := table.cells(); err == nil || !strings.Contains(err.Error(), `column "Poor"`) {
		t.Errorf("error = %v", err)
	}
}

// charts is one of each kind, with what is hard to draw: long names, gaps, negative values,
// values that are not there, a year alone.
func charts() map[string]Chart {
	level := 0.95
	of := func(value, spread float64, n int) Estimate {
		e := Of(value, value-spread, value+spread, n)
		e.Level = &level
		return e
	}
	share, gap := Axis{Title: "Share of children who are poor", Format: Percent}, Axis{Title: "Gap",
		Format: PercentagePoints}
	years := Chart{Kind: Lines, Title: "Over the years", By: Axis{Title: "Year"}, Value: share, Data: synthetic}
	for year := 2010; year <= 2017; year++ {
		e := of(0.21-0.005*float64(year-2010), 0.01, 33000)
		if year == 2014 {
			e = Estimate{Status: "SUPPRESSED_PRIMARY"}
		}
		years.Points = append(years.Points, Point{year, "Supported areas under a social housing plan", e},
			Point{year, "Rest", of(0.09, 0.001, 420000)})
	}
	one := years
	one.Points = years.Points[:1]
	return map[string]Chart{
		"bars": {Kind: Bars, Title: "A title that is much too long for one line of a chart, as titles that tell what is to " +
			"be seen are at times", Data: synthetic, Note: "'Quoted' & <marked>.",
			By: Axis{Title: "Origin"}, Value: share, Points: []Point{
				{"Danish", "Supported areas", of(0.08, 0.01, 12345)}, {"Danish", "Rest", of(0.04, 0.001, 345678)},
				{"Ikke-vestlige indvandrere og efterkommere fra alle lande uden for Europa", "Supported areas",
					of(0.25, 0.01, 22000)},
				{"Ikke-vestlige indvandrere og efterkommere fra alle lande uden for Europa", "Rest",
					Estimate{Status: "SUPPRESSED_PRIMARY"}}}},
		"negative bars": {Kind: Bars, Title: "Gaps", Data: synthetic, By: Axis{Title: "Origin"}, Value: gap, Points: []Point{
			{"Danish", "", of(0.042, 0.012, 900)}, {"Western", "", of(-0.021, 0.019, 40)}, {"Non-Western", "", Of(0, 0, 0, 3)}}},
		"dots": {Kind: Dots, Title: "Day care", Data: synthetic, By: Axis{Title: "Age"}, Value: share, Points: []Point{
			{"1 year", "Supported areas", of(0.71, 0.02, 1000)}, {"1 year", "Rest", of(0.86, 0.003, 60000)}, {"2 years", "Rest",
				of(0.92, 0.003, 60000)}}},
		"dots without intervals": {Kind: Dots, Title: "Day care", Data: synthetic, N: "61,000 children",
			By: Axis{Title: "Age"}, Value: share, Points: []Point{
				{"1 year", "Supported areas", Exactly(0.01)}, {"1 year", "Rest", Exactly(0.86)}, {"2 years", "Rest",
					Exactly(0.92)}}},
		"overlapping dots": {Kind: Dots, Title: "Estimates", Data: synthetic, By: Axis{Title: "Method"}, Value: gap,
			Points: []Point{
				{"Weighting", "Jobs", of(-0.1, 0.09, 2721)}, {"Weighting", "Charges", of(-0.09, 0.1, 812)}, {"Weighting",
					"Education", of(0.08, 0.02, 1551)},
				{"En sammenligning af alle dem, der har deltaget i en aktivitet, med alle andre i samme alder i området", "Jobs",
					of(-0.19, 0.01, 2721)},
				{"Exact", "Jobs", Estimate{Status: "SUPPRESSED_PRIMARY"}}, {"Exact", "Education", Of(0.1, 0.1, 0.1, 9)}}},
		"lines":    years,
		"one year": one,
		"all zero": {Kind: Bars, Title: "Nobody", Data: synthetic, By: Axis{Title: "Origin"},
			Value: Axis{Title: "Children", Format: Count}, Points: []Point{{"Danish", "", Of(0, 0, 0, 7)}}},
	}
}

func drawn(t *testing.T, chart Chart) (display, image.Image) {
	t.Helper()
	d, err := chart.render()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(d.png))
	if err != nil {
		t.Fatal(err)
	}
	return d, picture
}

func TestChartsAreDrawnWhole(t *testing.T) {
	for name, chart := range charts() {
		t.Run(name, func(t *testing.T) {
			d, picture := drawn(t, chart)
			size := picture.Bounds().Size()
			if size.X != 2*pixelWidth {
				t.Errorf("%d dots wide, want %d", size.X, 2*pixelWidth)
			}
			// What is cut off touches the edge.
			const edge = 8
			for x := range size.X {
				for y := range size.Y {
					inside := edge <= x && x < size.X-edge && edge <= y && y < size.Y-edge
					if !inside && color.NRGBAModel.Convert(picture.At(x, y)) != (color.NRGBA{255, 255, 255, 255}) {
						t.Fatalf("the dot at %d, %d is drawn on: something is cut off", x, y)
					}
				}
			}
			if drawn, ok := picture.(*image.Paletted); !ok || len(drawn.Palette) > mostColours {
				t.Errorf("the picture is a %T, not one with at most %d colours", picture, mostColours)
			}
			again, err := chart.render()
			if err != nil || !bytes.Equal(again.png, d.png) || again.text != d.text ||
				fmt.Sprint(again.vegaLite) != fmt.Sprint(d.vegaLite) {
				t.Error("drawn again, the chart is not the same")
			}
		})
	}
}

// An interval that lies in another's must be seen beside it, in the picture and in Vega-Lite.
func TestIntervalsOfSeriesLieBesideEachOther(t *testing.T) {
	chart := Chart{Kind: Dots, Title: "Gap", Data: synthetic, By: Axis{Title: "Method"},
		Value: Axis{Title: "Gap", Format: PercentagePoints}, Points: []Point{
			{"Weighting", "Jobs", Of(0.1, -0.1, 0.3, 50)}, {"Weighting", "Charges", Of(0.1, -0.08, 0.28, 50)}, {"Weighting",
				"Education", Of(0.1, -0.05, 0.25, 50)}}}
	d, picture := drawn(t, chart)
	var last int
	for i, series := range []string{"Jobs", "Charges", "Education"} {
		// Only an interval has so many dots of its colour in one row.
		var rows []int
		want := rgb(palette[i])
		for y := range picture.Bounds().Dy() {
			n := 0
			for x := range picture.Bounds().Dx() {
				c := color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA)
				off := math.Abs(float64(c.R)-float64(want.R)) + math.Abs(float64(c.G)-float64(want.G)) +
					math.Abs(float64(c.B)-float64(want.B))
				if off < 60 {
					n++
				}
			}
			if n > 300 {
				rows = append(rows, y)
			}
		}
		if len(rows) == 0 || len(rows) > 4 {
			t.Fatalf("the interval of %s is drawn in the rows of dots %v, want one line", series, rows)
		}
		if i > 0 && rows[0]-last < 20 {
			t.Errorf("the interval of %s is at %d and the one before at %d; a number does not fit between them", series, rows[0],
				last)
		}
		last = rows[len(rows)-1]
	}
	offset := func(d display) (with, without int) {
		for _, layer := range d.vegaLite["layer"].([]any) {
			if e, ok := layer.(object)["encoding"].(object); ok && e["yOffset"] != nil {
				with++
			} else {
				without++
			}
		}
		return with, without
	}
	if with, without := offset(d); with != 3 || without != 1 {
		t.Errorf("%d layers of Vega-Lite have the series side by side and %d have not; want intervals, points and numbers, "+
			"and without only the footer", with, without)
	}
	for i := range chart.Points {
		chart.Points[i].Estimate = Exactly(0.1 * float64(i))
	}
	chart.N = "50 persons"
	d, _ = drawn(t, chart)
	if with, _ := offset(d); with != 0 {
		t.Errorf("without intervals %d layers have the series side by side; want them on one line, which shows the gap", with)
	}
}

// The kernel reads displays with encoding/gob, and Jupyter reads JSON.
func TestChartsReachTheKernel(t *testing.T) {
	for name, chart := range charts() {
		t.Run(name, func(t *testing.T) {
			d, err := chart.render()
			if err != nil {
				t.Fatal(err)
			}
			var wire bytes.Buffer
			if err := gob.NewEncoder(&wire).Encode(map[string]any{"spec": d.vegaLite}); err != nil {
				t.Fatal(err)
			}
			var back map[string]any
			if err := gob.NewDecoder(&wire).Decode(&back); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(back["spec"])
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"SYNTHETIC DATA", "vega-lite/v5.json", "n = ", "Source: ", chart.Value.Title} {
				if !strings.Contains(string(text), want) {
					t.Errorf("the specification lacks %q", want)
				}
			}
			values := d.vegaLite["data"].(object)["values"].([]any)
			if len(values) != len(chart.Points) {
				t.Errorf("%d points in the data, want %d", len(values), len(chart.Points))
			}
		})
	}
}

func TestChartText(t *testing.T) {
	d, err := charts()["negative bars"].render()
	if err != nil {
		t.Fatal(err)
	}
	want := `Chart: Gaps

Origin            Gap (percentage points)    n
-----------  ----------------------------  ---
Danish       +4.2 pp (+3.0 pp to +5.4 pp)  900
Western      -2.1 pp (-4.0 pp to -0.2 pp)   40
Non-Western     0.0 pp (0.0 pp to 0.0 pp)    3

n = 3 to 900 for each point
Source: A register that is invented
SYNTHETIC DATA. The people in it are invented; do not quote its figures as facts.`
	if d.text != want {
		t.Errorf("text:\n%s\nwant:\n%s", d.text, want)
	}
}

func TestChartNamesTheLevelOfItsIntervals(t *testing.T) {
	half, twice, of := 0.5, 0.05, func(level *float64) Estimate {
		e := Of(0.5, 0.4, 0.6, 10)
		e.Level = level
		return e
	}
	ninety, other, odd := 1-twice-twice, 0.95, 0.975
	for _, test := range []struct {
		levels []*float64
		want   string
	}{
		{[]*float64{&half}, "Whiskers: 50% interval"},
		{[]*float64{&ninety, &ninety}, "Whiskers: 90% interval"},
		{[]*float64{&odd}, "Whiskers: 97.5% interval"},
		{[]*float64{&ninety, &other}, "Whiskers: interval"}, // not one level
		{[]*float64{nil}, "Whiskers: interval"},
	} {
		c := Chart{Kind: Bars, Title: "T", By: Axis{Title: "B"}, Value: Axis{Title: "V", Format: Percent}, Data: synthetic}
		for i, level := range test.levels {
			c.Points = append(c.Points, Point{fmt.Sprint(i), "", of(level)})
		}
		if p, err := c.plan(); err != nil || !strings.HasSuffix(p.footer[0], ". "+test.want) {
			t.Errorf("the footer is %v, %v; want it to end in %q", p, err, test.want)
		}
	}
}

func TestChartsThatWouldMislead(t *testing.T) {
	good := Chart{Kind: Bars, Title: "T", By: Axis{Title: "B"}, Value: Axis{Title: "V", Format: Percent}, Data: synthetic,
		Points: []Point{{"a", "", Of(0.5, 0.4, 0.6, 10)}}}
	if _, err := good.render(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Chart){
		"kind":                func(c *Chart) { c.Kind = "pie" },
		"title is missing":    func(c *Chart) { c.Title = "" },
		"need a title":        func(c *Chart) { c.By.Title = "" },
		"unit of the axis":    func(c *Chart) { c.Value.Format = Number },
		"no points":           func(c *Chart) { c.Points = nil },
		"no point has":        func(c *Chart) { c.Points = []Point{{"a", "", Estimate{Status: "NO_OBSERVATIONS"}}} },
		"outside of its":      func(c *Chart) { c.Points = []Point{{"a", "", Of(0.7, 0.4, 0.6, 10)}} },
		"cannot be drawn":     func(c *Chart) { c.Points = []Point{{"a", "", Exactly(math.NaN())}} },
		"there is a point":    func(c *Chart) { c.Points = append(c.Points, c.Points[0]) },
		"some have none":      func(c *Chart) { c.Points = append(c.Points, Point{"a", "s", Exactly(1)}) },
		"how many obs":        func(c *Chart) { c.Points = []Point{{"a", "", Exactly(0.5)}} },
		"needs a number":      func(c *Chart) { c.Kind = Lines },
		"should be a text or": func(c *Chart) { c.Points[0].By = nil },
		"told apart": func(c *Chart) {
			for i := range 8 {
				c.Points = append(c.Points, Point{"b", fmt.Sprint(i), Exactly(1)})
			}
		},
	} {
		c := good
		c.Points = append([]Point(nil), good.Points...)
		change(&c)
		if _, err := c.render(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want one with %q", err, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		format    Format
		n         int
		want      string
	}{
		{0, 0.251, Percent, 6, "[0 0.05 0.1 0.15 0.2 0.25]"},
		{0, 43210, Count, 6, "[0 10000 20000 30000 40000]"},
		{2010, 2017, Format{}.whole(), 12, "[2010 2011 2012 2013 2014 2015 2016 2017]"},
		{2010, 2013, Format{}.whole(), 12, "[2010 2011 2012 2013]"},
		{0, 2, Count, 6, "[0 1 2]"}, // no half children
		{-0.04, 0.054, PercentagePoints, 6, "[-0.04 -0.02 0 0.02 0.04]"},
	} {
		if got := fmt.Sprint(ticks(test.low, test.high, test.format, test.n)); got != test.want {
			t.Errorf("ticks from %v to %v = %s, want %s", test.low, test.high, got, test.want)
		}
	}
}
