package study

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// A jsonStat is a dataset of JSON-stat 2.0 (https://json-stat.org/full/).
type jsonStat struct {
	Version   string                        `json:"version"`
	Class     string                        `json:"class"`
	Label     string                        `json:"label"`
	Source    string                        `json:"source"`
	ID        []string                      `json:"id"`
	Size      []int                         `json:"size"`
	Role      map[string][]string           `json:"role,omitempty"`
	Dimension map[string]*jsonStatDimension `json:"dimension"`
	Value     []*float64                    `json:"value"`
	Status    []Status                      `json:"status"`
	Extension jsonStatExtension             `json:"extension"`
}

type jsonStatDimension struct {
	Label    string           `json:"label"`
	Category jsonStatCategory `json:"category"`
}

type jsonStatCategory struct {
	Index []string          `json:"index"`
	Label map[string]string `json:"label"`
}

// jsonStatExtension is what the format has no place for; its lists are in the order of Value.
type jsonStatExtension struct {
	Indicator   jsonStatIndicator `json:"indicator"`
	Cohort      string            `json:"cohort"`
	Status      map[Status]string `json:"status"`
	Level       float64           `json:"level"`
	Method      string            `json:"method"`
	Lower       []*float64        `json:"lower"`
	Upper       []*float64        `json:"upper"`
	Numerator   []*int            `json:"numerator"`
	Denominator []*int            `json:"denominator"`
	Unknown     []*int            `json:"unknown"`
	Warnings    [][]string        `json:"warnings"`
	Dataset     jsonStatDataset   `json:"dataset"`
}

type jsonStatIndicator struct {
	Name       string `json:"name"`
	Label      string `json:"label"`
	Definition string `json:"definition"`
	Unit       string `json:"unit"`
	Assumed    bool   `json:"assumed"`
}

type jsonStatDataset struct {
	Title       string `json:"title"`
	Synthetic   bool   `json:"synthetic"`
	Fingerprint string `json:"fingerprint"`
	Citation    string `json:"citation"`
	Licence     string `json:"licence"`
}

// noCategory is the category of observations that have no value of a dimension.
const noCategory = "_NONE"

// jsonStat writes the cells of a breakdown as a dense cube.
// JSONStatOf asks for a share by dimensions as a cube in JSON-stat 2.0.
type JSONStatOf struct {
	Cohort    *Cohort
	Indicator string
	By        []string
	Level     float64
	Language  Language
}

func (q JSONStatOf) needs(s *Study) ([]need, error) {
	if len(q.By) == 0 {
		return nil, fault.Invalidf("`by` is empty; a cube needs at least one dimension, and `share` gives the one figure of the cohort")
	}
	return q.Cohort.share(s, q.Indicator, q.By, q.Level)
}

func (q JSONStatOf) answer(_ context.Context, r *Request, tables []*cells.Table) (json.RawMessage, error) {
	in, table, by, level := In(&q.Language), tables[0], q.By, q.Level
	i := table.Indicators[0]
	out := jsonStat{Version: "2.0", Class: "dataset", ID: by, Size: []int{}, Role: roles(by), Dimension: map[string]*jsonStatDimension{},
		Label: in(i.Label) + ". " + r.Describe(q.Cohort, in), Source: r.sourceTitles()}
	categories := make([][]int32, len(by)) // of each dimension: the keys that occur, in order
	cube, limit := 1, r.Cells
	for d, dimension := range table.Dimensions() {
		for _, cell := range table.Cells {
			categories[d] = append(categories[d], cell.Key[d])
		}
		slices.SortFunc(categories[d], cells.CompareKeys)
		categories[d] = slices.Compact(categories[d])
		entry := &jsonStatDimension{Label: in(dimension.Label), Category: jsonStatCategory{Index: []string{}, Label: map[string]string{}}}
		for _, key := range categories[d] {
			code, label := r.category(dimension, key, in)
			entry.Category.Index = append(entry.Category.Index, code)
			entry.Category.Label[code] = label
		}
		out.Dimension[by[d]] = entry
		out.Size = append(out.Size, len(categories[d]))
		if cube *= len(categories[d]); cube > limit && limit > 0 {
			return nil, fault.Overf("cells", limit, "the cube of %s by %s has more than %d cells, the limit, though %d combinations occur; narrow the cohort, split by fewer dimensions, or ask `breakdown`, which gives those that occur",
				q.Cohort.Table.Cohort, strings.Join(by, ", "), limit, len(table.Cells))
		}
	}
	if len(table.Cells) == 0 {
		cube = 0
	}
	e := &out.Extension
	*e = jsonStatExtension{Cohort: q.Cohort.Table.Cohort, Level: level, Method: "Wilson score",
		Indicator: jsonStatIndicator{Name: i.Name, Label: in(i.Label), Definition: in(i.Definition), Unit: "share, 0 to 1", Assumed: i.Assumed},
		Status:    map[Status]string{},
		Lower:     make([]*float64, cube), Upper: make([]*float64, cube), Numerator: make([]*int, cube), Denominator: make([]*int, cube), Unknown: make([]*int, cube), Warnings: make([][]string, cube),
		Dataset: jsonStatDataset{Title: r.Dataset.Title, Synthetic: r.Dataset.Synthetic, Fingerprint: r.Dataset.Fingerprint, Citation: r.Dataset.Citation, Licence: r.Dataset.Licence}}
	out.Value, out.Status = make([]*float64, cube), make([]Status, cube)
	for k := range out.Status {
		out.Status[k], e.Warnings[k] = StatusNoObservations, []string{}
	}
	for _, cell := range table.Cells {
		at := 0 // row-major: the last dimension runs fastest
		for d, key := range cell.Key {
			place, _ := slices.BinarySearchFunc(categories[d], key, cells.CompareKeys)
			at = at*len(categories[d]) + place
		}
		s := share(cell.Indicators[0], level)
		out.Value[at], out.Status[at] = s.Value, s.Status
		e.Lower[at], e.Upper[at], e.Numerator[at], e.Denominator[at], e.Unknown[at], e.Warnings[at] = s.Lower, s.Upper, s.Numerator, s.Denominator, s.Unknown, s.Warnings
	}
	for _, s := range out.Status {
		e.Status[s] = statusInWords(s, in)
	}
	return json.Marshal(out)
}

// roles tells which of the dimensions are time and which are places.
func roles(by []string) map[string][]string {
	out := map[string][]string{}
	for _, name := range by {
		switch name {
		case "YEAR":
			out["time"] = append(out["time"], name)
		case "AREA", "MUNICIPALITY", "REGION":
			out["geo"] = append(out["geo"], name)
		}
	}
	return out
}

// category returns the code and the label of a key.
func (r *Request) category(d *contract.Dimension, key int32, in func(contract.Text) string) (code, label string) {
	switch {
	case key == cells.None && d.IsArea():
		return noCategory, in(contract.Text{DA: "Uden for områderne", EN: "Outside the areas"})
	case key == cells.None:
		return noCategory, in(contract.Text{DA: "Uden værdi", EN: "No value"})
	case d.IsInteger():
		n := strconv.Itoa(int(key))
		return n, n
	case d.IsArea():
		a := Area{r.Catalogue.Areas[key]}
		return a.GetID(), a.Name
	}
	return d.Codes[key].Code, in(d.Codes[key].Label)
}

// sourceTitles names where the data come from.
func (r *Request) sourceTitles() string {
	parts := []string{r.Dataset.Title}
	for _, s := range r.Dataset.Sources {
		parts = append(parts, s.Publisher+": "+s.Title)
	}
	return strings.Join(parts, "; ")
}

func statusInWords(s Status, in func(contract.Text) string) string {
	switch s {
	case StatusObserved:
		return in(contract.Text{DA: "Som i data", EN: "As it is in the data"})
	case StatusPerturbed:
		return in(contract.Text{DA: "Flyttet af støj, der beskytter personer", EN: "Moved by noise that protects persons"})
	case StatusSuppressedPrimary:
		return in(contract.Text{DA: "Udeladt: for få personer", EN: "Left out: too few persons"})
	case StatusSuppressedSecondary:
		return in(contract.Text{DA: "Udeladt: ville røbe et andet udeladt tal", EN: "Left out: it would give away another that is left out"})
	case StatusUndefined:
		return in(contract.Text{DA: "Kan ikke beregnes af det, der er observeret", EN: "Cannot be made of what was observed"})
	}
	return in(contract.Text{DA: "Ingen med kendt værdi i nævneren", EN: "Nobody in the denominator has a known value"})
}
