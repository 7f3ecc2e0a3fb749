package nb

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Dataset is what a reader has to know about the data behind every figure.
type Dataset struct {
	Name        string
	Title       string
	Synthetic   bool
	Fingerprint string // changes whenever any row of the data set does
	Years       []int
	Rows        []TableOf
}

// TableOf is a table of the data set.
type TableOf struct {
	Table       string
	Fingerprint *string // changes whenever any row of the table does
}

const syntheticNotice = "SYNTHETIC DATA. The people in it are invented; do not quote its figures as facts."

// Data asks the world that the notebook reads which data set it serves, once for each cell.
func Data() Dataset { return *served() }

var served = sync.OnceValue(func() *Dataset {
	d := DataOn(read)
	return &d
})

// DataOn asks another world which data set it serves, for its tables, charts and fingerprint. It stops
// the cell if that is not the world's.
func DataOn(w World) Dataset {
	d := QueryOn[struct{ Dataset Dataset }](w,
		`{ dataset { name title synthetic fingerprint years rows { table fingerprint } } }`, nil).Dataset
	if w.dataset != "" && d.Name != w.dataset {
		stop(fmt.Errorf(`this asks for the data set %q, and the server that %s names serves %q.
Make it and serve it in the folder of the repository, then run this cell again:

%s`, w.dataset, w.variable, d.Title, w.start))
	}
	return d
}

// Header is the first output of a notebook: the data set, its fingerprint, and the notice
// that it is synthetic where it is. In a notebook that states what it Reads, the fingerprints are
// those of the tables. A rerun compares the fingerprints before anything else.
func Header() {
	d := Data()
	var text, rich strings.Builder
	fmt.Fprintf(&text, "Data set: %s, %s\n", d.Title, d.years())
	fmt.Fprintf(&rich, "<p><b>Data set:</b> %s, %s<br>", html.EscapeString(d.Title), html.EscapeString(d.years()))
	about := map[string]any{"synthetic": d.Synthetic}
	if stated == nil {
		about["fingerprint"] = d.Fingerprint
		fmt.Fprintf(&text, "Fingerprint: %s", d.Fingerprint)
		fmt.Fprintf(&rich, "<b>Fingerprint:</b> <code>%s</code></p>", html.EscapeString(d.Fingerprint))
	} else {
		prints := d.fingerprints()
		about["tables"] = prints
		text.WriteString("Fingerprints of the tables it reads:")
		rich.WriteString("<b>Fingerprints of the tables it reads:</b>")
		for _, name := range slices.Sorted(maps.Keys(prints)) {
			fmt.Fprintf(&text, "\n  %s: %s", name, prints[name])
			fmt.Fprintf(&rich, "<br>%s: <code>%s</code>", html.EscapeString(name), html.EscapeString(prints[name]))
		}
		rich.WriteString("</p>")
	}
	if d.Synthetic {
		text.WriteString("\n" + syntheticNotice)
		rich.WriteString("\n" + richNotice)
	}
	display{text: text.String(), html: rich.String(), about: about}.show()
}

// places are the tables that every question goes by.
var places = []string{"activity", "area", "plan"}

// stated are the tables that the notebook says it reads beside those of places; nil if it does not say.
var stated []string

// Reads states the tables that a notebook reads, beside those of places, activity, area and plan, which
// every question goes by. A change of another table is then none to the notebook, and a question that
// reads another one stops its cell. It is called where it holds for every cell, among the declarations
// of the first: var reads = nb.Reads("child_year")
func Reads(tables ...string) []string { return DefaultWorld.Reads(tables...) }

// Reads is Reads of another world: Query, Header, tables and charts of the notebook then ask its server
// and tell of its data set. QueryOn still asks any.
//
//	var reads = nb.OfficialLists.Reads("area_year")
func (w World) Reads(tables ...string) []string {
	read, stated = w, append([]string{}, tables...)
	return stated
}

// fingerprints returns the fingerprints of what the notebook reads, by table. It stops the cell if the
// data set does not have one.
func (d Dataset) fingerprints() map[string]string {
	of, out := map[string]string{}, map[string]string{}
	for _, r := range d.Rows {
		if r.Fingerprint != nil {
			of[r.Table] = *r.Fingerprint
		}
	}
	for _, name := range stated {
		if of[name] == "" {
			stop(fmt.Errorf("the data set has no table %q with a fingerprint; it has %s", name,
				strings.Join(slices.Sorted(maps.Keys(of)), ", ")))
		}
		out[name] = of[name]
	}
	for _, name := range places {
		if of[name] != "" {
			out[name] = of[name]
		}
	}
	return out
}

// checkStated returns an error if an answer of the world that the notebook reads was computed from a table
// that it does not state; tables are what the server says of it.
func checkStated(tables string) error {
	for _, name := range strings.Fields(tables) {
		if stated != nil && !slices.Contains(stated, name) && !slices.Contains(places, name) {
			return fmt.Errorf("this question reads the table %s, which the notebook does not state; name it in nb.Reads in "+
				"the first cell", name)
		}
	}
	return nil
}

var richNotice = `<p style="border-left: 4px solid ` + amber + `; padding: 2px 8px"><b>` +
	strings.Replace(syntheticNotice, ". ", ".</b> ", 1) + `</p>`

func (d Dataset) years() string {
	if len(d.Years) == 0 {
		return "no years"
	}
	years := slices.Sorted(slices.Values(d.Years))
	first, last := years[0], years[len(years)-1]
	switch {
	case first == last:
		return fmt.Sprint(first)
	case last-first == len(years)-1:
		return fmt.Sprintf("%d to %d", first, last)
	default:
		return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(years), "[]")), ", ")
	}
}
