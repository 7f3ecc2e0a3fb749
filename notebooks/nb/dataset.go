package nb

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"sync"
)

// Dataset is what a reader has to know about the data behind every figure.
type Dataset struct {
	Title       string
	Synthetic   bool
	Fingerprint string // changes whenever any row of the data set does
	Years       []int
}

const syntheticNotice = "SYNTHETIC DATA. The people in it are invented; do not quote its figures as facts."

// Data asks the server which data set it serves, once for each cell.
func Data() Dataset { return *served() }

var served = sync.OnceValue(func() *Dataset {
	d := DataOn(DefaultWorld)
	return &d
})

// DataOn asks another world which data set it serves, for its tables, charts and fingerprint.
func DataOn(w World) Dataset {
	return QueryOn[struct{ Dataset Dataset }](w, `{ dataset { title synthetic fingerprint years } }`, nil).Dataset
}

// Header is the first output of a notebook: the data set, its fingerprint, and the notice
// that it is synthetic where it is. A rerun compares the fingerprint before anything else.
func Header() {
	d := Data()
	var text, rich strings.Builder
	fmt.Fprintf(&text, "Data set: %s, %s\nFingerprint: %s", d.Title, d.years(), d.Fingerprint)
	fmt.Fprintf(&rich, "<p><b>Data set:</b> %s, %s<br><b>Fingerprint:</b> <code>%s</code></p>",
		html.EscapeString(d.Title), html.EscapeString(d.years()), html.EscapeString(d.Fingerprint))
	if d.Synthetic {
		text.WriteString("\n" + syntheticNotice)
		rich.WriteString("\n" + richNotice)
	}
	display{
		text:  text.String(),
		html:  rich.String(),
		about: map[string]any{"fingerprint": d.Fingerprint, "synthetic": d.Synthetic},
	}.show()
}

var richNotice = `<p style="border-left: 4px solid ` + amber + `; padding: 2px 8px"><b>` + strings.Replace(syntheticNotice, ". ", ".</b> ", 1) + `</p>`

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
