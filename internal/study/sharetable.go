package study

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/export"
	"github.com/kvarter/kvarter/internal/fault"
)

// noCategory is the category of observations that have no value of a dimension.
const noCategory = "_NONE"

// ShareTableOf asks for a share by dimensions as a table to be exported: its keys are the dimensions.
type ShareTableOf struct {
	Cohort    *Cohort
	Indicator string
	By        []string
	Level     float64
	Language  Language
}

func (q ShareTableOf) needs(s *Study) ([]need, error) {
	return q.Cohort.share(s, q.Indicator, q.By, q.Level)
}

func (q ShareTableOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*export.Table, error) {
	in, table := In(&q.Language), tables[0]
	i := table.Indicators[0]
	out := &export.Table{Provenance: export.Provenance{Question: in(i.Label) + ". " + r.Describe(q.Cohort, in),
		Cohort: q.Cohort.Table.Cohort, Method: "Wilson score", Level: q.Level,
		Sources: r.sourceTitles(), Dataset: r.Dataset.Title, Fingerprint: r.Dataset.Fingerprint,
		Synthetic: r.Dataset.Synthetic, Citation: r.Dataset.Citation, Licence: r.Dataset.Licence}}
	codes := make([]map[int32]string, len(q.By)) // of each dimension: those of the keys that occur
	for d, dimension := range table.Dimensions() {
		var keys []int32
		for _, cell := range table.Cells {
			keys = append(keys, cell.Key[d])
		}
		slices.SortFunc(keys, cells.CompareKeys)
		column := export.Column{Name: dimension.Name, Label: in(dimension.Label), Kind: export.Key,
			Role: role(dimension)}
		codes[d] = map[int32]string{}
		for _, key := range slices.Compact(keys) {
			code, label := r.category(dimension, key, in)
			codes[d][key] = code
			column.Categories = append(column.Categories, export.Category{Code: code, Label: label})
		}
		out.Columns = append(out.Columns, column)
	}
	status := export.Column{Name: "status", Label: in(contract.Text{DA: "Status", EN: "Status"}), Kind: export.Text,
		Absent: string(StatusNoObservations)}
	for _, s := range []Status{StatusObserved, StatusPerturbed, StatusSuppressedPrimary, StatusSuppressedSecondary,
		StatusUndefined, StatusNoObservations} {
		status.Categories = append(status.Categories, export.Category{Code: string(s), Label: statusInWords(s, in)})
	}
	unit := "share, 0 to 1"
	out.Columns = append(out.Columns,
		export.Column{Name: i.Name, Label: in(i.Label), Definition: in(i.Definition), Unit: unit, Assumed: i.Assumed,
			Kind: export.Number},
		export.Column{Name: "lower", Label: in(contract.Text{DA: "Intervallets nedre ende",
			EN: "Lower end of the interval"}), Unit: unit, Kind: export.Number},
		export.Column{Name: "upper", Label: in(contract.Text{DA: "Intervallets øvre ende",
			EN: "Upper end of the interval"}), Unit: unit, Kind: export.Number},
		export.Column{Name: "numerator", Label: in(contract.Text{DA: "I tælleren", EN: "In the numerator"}),
			Kind: export.Count},
		export.Column{Name: "denominator", Label: in(contract.Text{DA: "I nævneren, med kendt værdi",
			EN: "In the denominator, value known"}), Kind: export.Count},
		export.Column{Name: "unknown", Label: in(contract.Text{DA: "Værdien er ukendt", EN: "Value unknown"}),
			Kind: export.Count},
		status,
		export.Column{Name: "warnings", Label: in(contract.Text{DA: "Advarsler", EN: "Warnings"}), Kind: export.Texts,
			Absent: []string{}})
	warnings := r.overYears(q.Cohort, q.By...)
	for _, cell := range table.Cells {
		var row []any
		for d, key := range cell.Key {
			row = append(row, codes[d][key])
		}
		s := share(cell.Indicators[0], q.Level).warn(warnings)
		out.Rows = append(out.Rows, append(row, valueOf(s.Value), valueOf(s.Lower), valueOf(s.Upper),
			valueOf(s.Numerator), valueOf(s.Denominator), valueOf(s.Unknown), string(s.Status), s.Warnings))
	}
	return out, nil
}

// valueOf is the value of an export: nil where there is none.
func valueOf[T any](x *T) any {
	if x == nil {
		return nil
	}
	return *x
}

// JSONStatOf asks for a share by dimensions as a dense cube in JSON-stat 2.0.
type JSONStatOf ShareTableOf

func (q JSONStatOf) needs(s *Study) ([]need, error) {
	if len(q.By) == 0 {
		return nil, fault.Invalidf("`by` is empty; a cube needs at least one dimension, and `share` gives the one " +
			"figure of the cohort")
	}
	return ShareTableOf(q).needs(s)
}

func (q JSONStatOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (json.RawMessage, error) {
	table, err := ShareTableOf(q).answer(ctx, r, tables)
	if err != nil {
		return nil, err
	}
	cube, limit := 1, r.Cells
	for _, c := range table.Columns[:len(q.By)] {
		if cube *= len(c.Categories); cube > limit && limit > 0 {
			return nil, fault.Overf("cells", limit,
				"the cube of %s by %s has more than %d cells, the limit, though %d combinations occur; narrow the "+
					"cohort, split by fewer dimensions, or ask `breakdown`, which gives those that occur",
				q.Cohort.Table.Cohort, strings.Join(q.By, ", "), limit, len(table.Rows))
		}
	}
	return export.JSONStat(table)
}

// role tells whether the dimension is time or a place.
func role(d *contract.Dimension) export.Role {
	switch d.Name {
	case "YEAR":
		return export.Time
	case "AREA", "MUNICIPALITY", "REGION":
		return export.Geo
	}
	return ""
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
		return in(contract.Text{DA: "Flyttet af støj, der beskytter personer",
			EN: "Moved by noise that protects persons"})
	case StatusSuppressedPrimary:
		return in(contract.Text{DA: "Udeladt: for få personer", EN: "Left out: too few persons"})
	case StatusSuppressedSecondary:
		return in(contract.Text{DA: "Udeladt: ville røbe et andet udeladt tal",
			EN: "Left out: it would give away another that is left out"})
	case StatusUndefined:
		return in(contract.Text{DA: "Kan ikke beregnes af det, der er observeret",
			EN: "Cannot be made of what was observed"})
	}
	return in(contract.Text{DA: "Ingen med kendt værdi i nævneren",
		EN: "Nobody in the denominator has a known value"})
}
