package rerun

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, test := range []struct {
		text    string
		numbers []float64
	}{
		{"5,860 of 34,657 (16.9%)", []float64{5860, 34657, 16.9}},
		{"-9.4 pp, +9.4 pp, −9.4 pp", []float64{-9.4, 9.4, -9.4}},
		{"2010-2017", []float64{2010, 2017}},
		{"1e-9 and 2.5E+3", []float64{1e-9, 2500}},
		{"1,5 and 1,23 and 12,345,678 and 1234,567", []float64{1, 5, 1, 23, 12345678, 1234, 567}},
		{"area12, A1, f00d, 3f2a, v0.11.5x", nil},
		{"16.9.", []float64{16.9}},
		{"[1, 2,3]", []float64{1, 2, 3}},
		{"✓ Ærø: 7", []float64{7}},
		{"1e999", nil},
		{"", nil},
	} {
		var got []float64
		for _, token := range tokens(test.text) {
			if token.number {
				got = append(got, token.value)
			}
		}
		if !slices.Equal(got, test.numbers) {
			t.Errorf("numbers of %q = %v, want %v", test.text, got, test.numbers)
		}
	}
}

func displayOf(data object) []object {
	return []object{{"output_type": "display_data", "data": data, "metadata": object{}}}
}

func printed(text string) []object {
	return []object{{"output_type": "stream", "name": "stdout", "text": text}}
}

func picture(width, height int, dots ...byte) string {
	drawn := image.NewGray(image.Rect(0, 0, width, height))
	copy(drawn.Pix, dots)
	var b bytes.Buffer
	if err := png.Encode(&b, drawn); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestCompare(t *testing.T) {
	table := func(cells ...string) string {
		return "<table><caption>Poor</caption><tr><th>Where</th><th>Poor</th></tr><tr><td>" +
			strings.Join(cells, "</td><td>") + "</td></tr></table>"
	}
	chart := func(values, rest string) []object {
		return displayOf(object{"application/vnd.vegalite.v5+json": parsed(t, `{"data":{"values":[`+values+`]},`+rest+`}`),
			"text/plain": "chart"})
	}
	for name, test := range map[string]struct {
		old, new []object
		want     []string
	}{
		"nothing":                {nil, nil, nil},
		"within the tolerance":   {printed("mean 1.0000000001"), printed("mean 1.0000000002"), nil},
		"written in another way": {printed("5860"), printed("5,860"), nil},
		"beyond the tolerance": {printed("mean 1.00001"), printed("mean 1.00002"),
			[]string{"stdout: was mean 1.00001, is mean 1.00002, by +1e-05 (+0.001%)"}},
		"another word": {printed("more\nof 5\n"), printed("more\nto 5\n"),
			[]string{"stdout, line 2: was of 5, is to 5"}},
		"a line more": {printed("a\n"), printed("a\nb\n"),
			[]string{"stdout, line 2: not committed: b"}},
		"a line less": {printed("a\nb\n"), printed("a\n"),
			[]string{"stdout, line 2: missing; committed is b"}},
		"a fingerprint is no number": {printed("1e5a"), printed("1e5b"), []string{"was 1e5a, is 1e5b"}},
		"printed before or after is the same": {append(printed("a"), displayOf(object{"text/plain": "b"})...),
			append(displayOf(object{"text/plain": "b"}), printed("a")...), nil},
		"a cell of a table": {displayOf(object{"text/html": table("Areas", "16.9% (16.5% to 17.3%)")}),
			displayOf(object{"text/html": table("Areas",
				"16.9% (16.4% to 17.3%)")}),
			[]string{`table (output 1), row 1 (Areas), column "Poor": was 16.9% (16.5% to 17.3%), is 16.9% (16.4% to 17.3%), ` +
				`by -0.1 (-0.61%)`}},
		"a name in a table": {displayOf(object{"text/html": table("Areas", "1")}),
			displayOf(object{"text/html": table("Rest", "1")}), []string{`row 1, column "Where": was Areas, is Rest`}},
		"a column more": {displayOf(object{"text/html": table("Areas", "1")}),
			displayOf(object{"text/html": table("Areas", "1", "2")}), []string{`row 1 (Areas), column 3: not committed: 2`}},
		"the caption": {displayOf(object{"text/html": table("a")}),
			displayOf(object{"text/html": strings.Replace(table("a"), "<caption>Poor", "<caption>Rich",
				1)}), []string{"was Poor, is Rich"}},
		"white space in the markup": {displayOf(object{"text/html": "<p  class=a>x</p>"}),
			displayOf(object{"text/html": "<p class=a> x</p>"}), nil},
		"only the markup": {displayOf(object{"text/html": "<p>x</p>"}),
			displayOf(object{"text/html": `<p hidden title="a>b"> x</p>`}),
			[]string{`markup, line 1: was <p>, is <p hidden title="a>b">`}},
		"two rows exchanged": {displayOf(object{"text/html": "<table><tr><th>a<tr><td>b<tr><td>c</table>"}),
			displayOf(object{"text/html": "<table><tr><th>a<tr><td>c<tr><td>b</table>"}), []string{"table (output 1), b: " +
				"moved: committed is row 1, now it is row 2"}},
		"a row that is gone": {displayOf(object{"text/html": "<table><tr><th>a<tr><td>b<tr><td>c</table>"}),
			displayOf(object{"text/html": "<table><tr><th>a<tr><td>c</table>"}), []string{"table (output 1), row 1: missing; " +
				"committed is b"}},
		"two outputs exchanged": {append(displayOf(object{"text/plain": "a"}),
			displayOf(object{"text/plain": "b"})...), append(displayOf(object{"text/plain": "b"}),
			displayOf(object{"text/plain": "a"})...), []string{"output 1: moved: committed is output 1, now it is output 2"}},
		"the first of two outputs is gone": {append(displayOf(object{"text/plain": "a"}),
			displayOf(object{"text/plain": "b"})...), displayOf(object{"text/plain": "b"}), []string{"output 1: missing; " +
			"committed is a"}},
		"a result that was a display": {[]object{{"output_type": "execute_result", "data": object{"text/plain": "a"},
			"metadata": object{}}}, displayOf(object{"text/plain": "a"}), []string{"output 1: was execute_result, is " +
			"display_data"}},
		"two lines exchanged": {printed("a\nb\n"), printed("b\na\n"),
			[]string{`stdout, "a": moved: committed is line 1, now it is line 2`}},
		"an attribute of SVG": {displayOf(object{"image/svg+xml": `<text x="3">Poor</text>`}),
			displayOf(object{"image/svg+xml": `<text x="3">Rich</text>`}), []string{"was <text x=\"3\">Poor</text>, is <text " +
				"x=\"3\">Rich</text>"}},
		"no table any more": {displayOf(object{"text/html": table("a")}),
			displayOf(object{"text/html": "<p>x</p>"}), []string{"was 1 tables, is 0 tables"}},
		"html and its plain text count once": {displayOf(object{"text/html": table("a", "1"), "text/plain": "a 1"}),
			displayOf(object{"text/html": table("a", "2"), "text/plain": "a 2"}), []string{`column "Poor": was 1, is 2`}},
		"the plain text alone": {displayOf(object{"text/html": "<b>x</b>", "text/plain": "a 1"}),
			displayOf(object{"text/html": "<b>x</b>", "text/plain": "a 2"}), []string{"its plain text: was a 1, is a 2"}},
		"a value of a chart": {
			chart(`{"by":"Danish","series":"Rest","value":0.5,"end":0.5,"label":"50%"}`, `"layer":[{"domain":[0,0.5]}]`),
			chart(`{"by":"Danish","series":"Rest","value":0.6,"end":0.6,"label":"60%"}`, `"layer":[{"domain":[0,0.6]}]`),
			[]string{"chart (output 1), point 1 (Danish, Rest), value: was 0.5, is 0.6, by +0.1 (+20%)"}},
		"a value of a chart and its title": {
			chart(`{"by":"a","value":1}`,
				`"title":{"text":["More of 5"]},"layer":[{"axis":{"title":"percent"},"domain":[0,1]}]`),
			chart(`{"by":"a","value":2}`,
				`"title":{"text":["Less of 6"]},"layer":[{"axis":{"title":"children"},"domain":[0,2]}]`),
			[]string{"point 1 (a), value: was 1, is 2, by +1 (+100%)", "layer 1, axis, title: was percent, is children",
				"title, text 1: was More of 5, is Less of 6"}},
		"a point of a chart": {chart(`{"by":"a","value":1},{"by":"b","value":2}`, `"width":1`),
			chart(`{"by":"a","value":1}`, `"width":1`), []string{`point 2 (b): missing; committed is {"by":"b","value":2}`}},
		"a name in a chart": {chart(`{"by":"a","value":1}`, `"width":1`), chart(`{"by":"b","value":1}`, `"width":1`),
			[]string{"point 1 (a), by: was a, is b"}},
		"the title of a chart": {chart(`{"by":"a","value":1}`, `"title":{"text":["More"]}`),
			chart(`{"by":"a","value":1}`, `"title":{"text":["Less"]}`), []string{"title, text 1: was More, is Less"}},
		"a value that is no number": {chart(`{"by":"a","value":1}`, `"width":1`), chart(`{"by":"a"}`, `"width":1`),
			[]string{"point 1 (a), value: missing; committed is 1"}},
		"other JSON": {displayOf(object{"application/json": parsed(t, `{"a":[1,{"b":true}]}`)}),
			displayOf(object{"application/json": parsed(t,
				`{"a":[1,{"b":null}]}`)}), []string{"output 1, a 2, b: was true, is null"}},
		"a picture of another size": {displayOf(object{"image/png": picture(3, 4)}),
			displayOf(object{"image/png": picture(3, 5)}), []string{"was 3 × 4 dots, is 3 × 5 dots"}},
		"a dot a little darker": {displayOf(object{"image/png": picture(3, 4)}),
			displayOf(object{"image/png": picture(3, 4, 7) + "\n"}), nil},
		"another picture": {displayOf(object{"image/png": picture(20, 20)}),
			displayOf(object{"image/png": picture(20, 20, bytes.Repeat([]byte{200},
				60)...)}), []string{"output 1, picture: was one picture, is another, by 3 blocks, most at 0, 0 from the upper " +
				"left corner (75 of 255)"}},
		"no picture": {displayOf(object{"image/png": picture(3, 4)}), displayOf(object{"image/png": "AAAA"}),
			[]string{"is not a PNG"}},
		"no picture at all": {displayOf(object{"image/png": picture(3, 4), "text/plain": "a"}),
			displayOf(object{"text/plain": "a"}), []string{"missing; committed is image/png"}},
		"a display more": {nil, displayOf(object{"text/plain": "x"}), []string{"output 1: not committed: x"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := comparer{tolerance: DefaultTolerance}
			c.outputs(test.old, test.new)
			same := len(c.found) == len(test.want)
			for i := 0; same && i < len(test.want); i++ {
				same = strings.Contains(c.found[i].String(), test.want[i])
			}
			if !same {
				t.Errorf("differences are\n  %v\nwant\n  %v", c.found, test.want)
			}
		})
	}
}

func TestTolerance(t *testing.T) {
	for _, test := range []struct {
		tolerance Tolerance
		a, b      float64
		same      bool
	}{
		{Tolerance{}, 1, 1, true},
		{Tolerance{}, 1, 1.0000001, false},
		{Tolerance{Relative: 0.01}, 100, 101, true},
		{Tolerance{Relative: 0.01}, 100, 102, false},
		{Tolerance{Relative: 0.01}, 0, 0.0001, false},
		{Tolerance{Absolute: 0.001}, 0, 0.0001, true},
		{Tolerance{Absolute: 0.001}, 100, 100.1, false},
	} {
		if got := test.tolerance.same(test.a, test.b); got != test.same {
			t.Errorf("%v and %v by %v are the same: %v", test.a, test.b, test.tolerance, got)
		}
	}
}

func TestReadHTML(t *testing.T) {
	p := readHTML(`<!-- a > b --><style>td { color: red }</style><p>Before &amp; <b>bold</b></p>
<table class="x>y"><thead><tr><th>A</th><th>B<br>unit</th></tr></thead><tr><td>1</td><td>&lt;2&gt;` +
		`<tr><td colspan=2>last</table>after<table><tr><td>x</td></tr></table>`)
	want := `[[[A] [B unit]] [[1] [<2>]] [[last]]]`
	var shown []string
	for _, row := range p.tables[0] {
		var cells []string
		for _, c := range row {
			cells = append(cells, "["+c+"]")
		}
		shown = append(shown, "["+strings.Join(cells, " ")+"]")
	}
	if got := "[" + strings.Join(shown, " ") + "]"; got != want || len(p.tables) != 2 {
		t.Errorf("tables = %s and %d more, want %s and 1 more", got, len(p.tables)-1, want)
	}
	if want := "Before & bold\nafter"; p.text != want {
		t.Errorf("text = %q, want %q", p.text, want)
	}
}

// Texts are put together again from their tokens, and a text is the same as itself.
func FuzzCompareText(f *testing.F) {
	for _, s := range []string{"5,860 of 34,657 (16.9%)", "1e5a −3 +4,000.5", "a\nb", "✓ Ærø", "1,1,1", "-", "e", "--1",
		"1.", ".5", "\xff1"} {
		f.Add(s, s+"1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var joined strings.Builder
		for _, token := range tokens(a) {
			joined.WriteString(token.text)
		}
		if joined.String() != a {
			t.Fatalf("the tokens of %q give %q", a, joined.String())
		}
		same := comparer{}
		same.outputs(printed(a), printed(a))
		same.html("", a, a)
		if len(same.found) > 0 {
			t.Fatalf("%q differs from itself: %v", a, same.found)
		}
		// Without tolerance, whatever differs in a word is found, either way round.
		there, back := comparer{}, comparer{}
		there.text("", a, b)
		back.text("", b, a)
		if len(there.found) != len(back.found) {
			t.Fatalf("%q and %q differ in %d places one way and %d the other", a, b, len(there.found), len(back.found))
		}
	})
}

func FuzzCompareJSON(f *testing.F) {
	f.Add(`{"data":{"values":[{"by":"a","value":1}]}}`, `{"data":{"values":[{"by":"a","value":2}]}}`)
	f.Add(`[1,"a",null,true]`, `{}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		read := func(s string) (tree any, ok bool) {
			decoder := json.NewDecoder(strings.NewReader(s))
			decoder.UseNumber()
			return tree, decoder.Decode(&tree) == nil
		}
		x, okX := read(a)
		y, okY := read(b)
		if !okX || !okY {
			return
		}
		same, differs := comparer{}, comparer{}
		same.chart("", x, x)
		if len(same.found) > 0 {
			t.Fatalf("%s differs from itself: %v", a, same.found)
		}
		differs.chart("", x, y)
		// Equal numbers may be written differently; without numbers there is no excuse.
		if fmt.Sprint(x) != fmt.Sprint(y) && len(differs.found) == 0 && !strings.ContainsAny(a, "0123456789") {
			t.Fatalf("%s and %s are told to be the same", a, b)
		}
	})
}

// Of fingerprints by table those are named that differ; the lines that show them are no news.
func TestFingerprintsOfTables(t *testing.T) {
	header := func(child, plan string) []object {
		return []object{{"output_type": "display_data",
			"metadata": object{"kvarter": object{"tables": object{"child_year": child, "plan": plan}}},
			"data": object{"text/plain": "Fingerprints of the tables it reads:\n  child_year: " + child + "\n  plan: " +
				plan}}}
	}
	old, fresh := fingerprint(header("aaaa", "bbbb")), fingerprint(header("cccc", "bbbb"))
	if old != "child_year aaaa, plan bbbb" {
		t.Errorf("fingerprints %q", old)
	}
	if was, is := changed(old, fresh); was != "child_year aaaa" || is != "child_year cccc" {
		t.Errorf("changed %q to %q", was, is)
	}
	result := CellResult{Number: 1}
	result.compare(&Cell{Outputs: header("aaaa", "bbbb"), Count: 1}, execution{outputs: header("cccc", "bbbb")}, 1,
		func(s string) string { return s })
	if len(result.Differences) != 1 ||
		result.Differences[0] != (Difference{Kind: OtherData, Old: "child_year aaaa", New: "child_year cccc"}) {
		t.Errorf("differences %+v", result.Differences)
	}
}
