package rerun

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes what is the same and what differs, cell by cell.
func (r Result) print(w io.Writer) {
	for _, c := range r.Cells {
		compared := c.Compared
		if c.Tolerance.wide() {
			compared += "; tolerance " + c.Tolerance.String()
		}
		if len(c.Differences) == 0 {
			fmt.Fprintf(w, "  cell %-3d same     %s\n", c.Number, compared)
			continue
		}
		fmt.Fprintf(w, "  cell %-3d DIFFERS  %s\n", c.Number, compared)
		for _, d := range c.Differences {
			fmt.Fprintf(w, "      %s\n", strings.ReplaceAll(d.String(), "\n", "\n        "))
		}
	}
	for _, d := range r.Text {
		fmt.Fprintf(w, "  %s\n", d)
	}
	for _, b := range r.Bound {
		fmt.Fprintf(w, "  %s\n", b)
	}
	if r.Old != "" && r.New != "" && r.Old != r.New {
		fmt.Fprintf(w, "  The committed outputs come from another data set (%s) than the server has (%s): figures are "+
			"bound to differ.\n", r.Old, r.New)
	}
	switch {
	case r.Updated:
		fmt.Fprintf(w, "  %s: written anew, executed in %s\n", r.Path, r.Elapsed.Round(100*time.Millisecond))
	case r.Kept != "":
		fmt.Fprintf(w, "  %s: NOT written, since %s\n", r.Path, r.Kept)
	default:
		fmt.Fprintf(w, "  %s: %s, executed in %s\n", r.Path, r.summary(), r.Elapsed.Round(100*time.Millisecond))
	}
}

func (r Result) summary() string {
	n := r.differences()
	switch {
	case n == 0:
		return "the same"
	case n == 1:
		return "1 difference"
	default:
		return fmt.Sprintf("%d differences", n)
	}
}

func (v Verdict) print(w io.Writer) { fmt.Fprintf(w, "\nVerdict: %s\n", v) }

// String is the verdict in one sentence.
func (v Verdict) String() string {
	var differ []string
	cells, wide := 0, 0
	for _, n := range v.Notebooks {
		cells += len(n.Cells)
		for _, c := range n.Cells {
			if c.Tolerance.wide() {
				wide++
			}
		}
		if !n.Same() {
			differ = append(differ, n.Path)
		}
	}
	elapsed := v.Elapsed.Round(100 * time.Millisecond)
	if len(differ) == 0 {
		by := ""
		if wide > 0 {
			by = fmt.Sprintf(", of which %s by a tolerance of its own", plural(wide, "cell"))
		}
		return fmt.Sprintf("all the same: %s with %s%s, in %s", plural(len(v.Notebooks), "notebook"), plural(cells, "cell"),
			by, elapsed)
	}
	return fmt.Sprintf("%d of %s: %s, in %s", len(differ), differs(len(v.Notebooks)), strings.Join(differ, ", "), elapsed)
}

func differs(n int) string {
	if n == 1 {
		return "1 notebook differs"
	}
	return fmt.Sprintf("%d notebooks differ", n)
}

func plural(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}
