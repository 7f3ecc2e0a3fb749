package main

import (
	"fmt"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
)

// codebook writes data/README.md.
func codebook(c *contract.Contract) string {
	var b strings.Builder
	b.WriteString(`<!-- Generated from contract.yaml by go generate ./...; edit that file instead. -->
# Codebook

What Kvarter's data hold: every table, column, code, indicator, measure and dimension, in English
and Danish, with where the definition comes from. The same is asked of the API with ` + "`variables`" + `.
**A** marks what was assumed because nothing published settles it.

The folder ` + "`snapshots`" + ` (made by ` + "`go run .`" + ` and by ` + "`import`" + `, not in git) holds one folder
per snapshot: a Parquet file per table below, the stored cells, and ` + "`snapshot.json`" + ` with a hash of
each and the fingerprint of each table; cells built since, of roll-ups that changed, lie in ` + "`cells-…`" + `
beside; the file ` + "`current`" + ` names the one that is served.
How to bring your own data is told in [example/README.md](example/README.md).

`)
	b.WriteString("## Indicators\n\nA share is asked of these. Observations where it is unknown leave the denominator " +
		"and are counted.\n\n| Indicator | Label | Definition | Tables | Source | |\n|---|---|---|---|---|---|\n")
	for _, i := range c.Indicators {
		definition := both(i.Definition)
		for _, c := range i.Choices {
			definition += fmt.Sprintf(" %s: %s.", code(c.Parameter.Name), code(c.Value.Name))
		}
		row(&b, code(i.Name), both(i.Label), definition, codes(i.Tables), i.Source.Name, mark(i.Assumed))
	}
	b.WriteString("\n### Parameters\n\nChoices that published definitions leave open. The first value is meant where " +
		"nothing is said.\n\n| Parameter | Label | Values | Why | Source | |\n|---|---|---|---|---|---|\n")
	for _, p := range c.Parameters {
		values := []string{code(p.Default.Name) + " " + both(p.Default.Definition)}
		for _, v := range p.Values {
			if v != p.Default {
				values = append(values, code(v.Name)+" "+both(v.Definition))
			}
		}
		why := ""
		if p.Assumed {
			why = both(p.Reason)
		}
		row(&b, code(p.Name), both(p.Label), strings.Join(values, "<br>"), why, p.Source.Name, mark(p.Assumed))
	}
	b.WriteString("\n## Measures\n\nA mean is asked of these.\n\n| Measure | Label | Definition | Unit | Tables | " +
		"Source | |\n|---|---|---|---|---|---|---|\n")
	for _, m := range c.Measures {
		row(&b, code(m.Name), both(m.Label), both(m.Definition), m.Unit, codes(m.Tables), m.Source.Name, mark(m.Assumed))
	}
	b.WriteString("\n## Dimensions\n\nCells are split by these.\n\n| Dimension | Label | Definition | Codes | Tables | " +
		"|\n|---|---|---|---|---|---|\n")
	for _, d := range c.Dimensions {
		var values []string
		for _, v := range d.Codes {
			values = append(values, v.Code)
		}
		list := codes(values)
		switch {
		case d.IsInteger():
			list = "integers"
		case d.IsArea():
			list = "the areas of the data set"
		case len(values) > 25:
			list = fmt.Sprintf("%d codes, see the code list", len(values))
		}
		for _, w := range d.Words {
			list += fmt.Sprintf("; in a filter %s too", code(w.Code))
		}
		row(&b, code(d.Name), both(d.Label), both(d.Definition), list, codes(d.Tables()), mark(d.Assumed))
	}
	b.WriteString("\n## Effects of activities\n\nThose who took part are compared with the others on the covariates; " +
		"the activity may change the outcomes. All are columns of `participant`.\n\n| Covariate | Label | Definition | " +
		"Categories | Column | Source | |\n|---|---|---|---|---|---|---|\n")
	for _, v := range c.Covariates {
		categories := "a number"
		if v.Column.Type == contract.Bool {
			categories = "yes or no"
		}
		if v.Codes != nil {
			var values []string
			for _, e := range v.Codes {
				values = append(values, e.Code)
			}
			categories = codes(values)
		}
		if v.Linear {
			categories = "a number; in bands " + categories
		}
		row(&b, code(v.Name), both(v.Label), both(v.Definition), categories, code(v.Column.Name), v.Source.Name,
			mark(v.Assumed))
	}
	b.WriteString("\n| Outcome | Label | Definition | Types of activity | Column | Before the start | Source | " +
		"|\n|---|---|---|---|---|---|---|---|\n")
	for _, o := range c.Outcomes {
		before := "not recorded"
		if o.Before != nil {
			before = code(o.Before.Name)
		}
		row(&b, code(o.Name), both(o.Label), both(o.Definition), codes(o.Activities), code(o.Column.Name), before,
			o.Source.Name, mark(o.Assumed))
	}
	b.WriteString("\n## Tables\n")
	for _, t := range c.Tables {
		fmt.Fprintf(&b, "\n### %s\n\n%s. %s\n\nKey: %s.\n\n| Column | Type | Label | Definition | Source | "+
			"|\n|---|---|---|---|---|---|\n", t.Name, both(t.Label), both(t.Definition), codes(t.Key))
		for _, column := range t.Columns {
			kind := string(column.Type)
			if column.Codes != nil {
				kind += ", codes " + column.Codes.Name
			}
			if bounds := column.Bounds(); bounds != "" {
				kind += ", " + bounds
			}
			if column.Unit != "" {
				kind += ", " + column.Unit
			}
			if column.References != "" {
				kind += ", of " + column.References
			}
			if column.Optional {
				kind += ", optional"
			}
			definition := ""
			if column.Definition.EN != "" {
				definition = both(column.Definition)
			}
			row(&b, code(column.Name), kind, both(column.Label), definition, column.Source.Name, mark(column.Assumed))
		}
	}
	b.WriteString("\n## Code lists\n")
	for _, l := range c.Codelists {
		fmt.Fprintf(&b, "\n### %s\n\n", l.Name)
		if l.Type != "" {
			fmt.Fprintf(&b, "The enum `%s`. %s\n\n", l.Type, both(l.Definition))
		}
		b.WriteString("| Code | Label |\n|---|---|\n")
		for _, v := range l.Codes {
			row(&b, code(v.Code), both(v.Label))
		}
	}
	b.WriteString("\n## Stored roll-ups\n\nA question is answered from the smallest that covers it, else from the " +
		"facts.\n\n| Roll-up | Table | Dimensions |\n|---|---|---|\n")
	for _, r := range c.Rollups {
		var by []string
		for _, d := range r.By {
			by = append(by, d.Name)
		}
		row(&b, code(r.Name), code(r.Table.Name), codes(by))
	}
	b.WriteString("\n## Sources\n\n| Source | Title | Publisher |\n|---|---|---|\n")
	for _, s := range c.Sources {
		row(&b, s.Name, s.Title, s.Publisher)
	}
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func both(t contract.Text) string { return t.EN + " / *" + t.DA + "*" }

func code(s string) string { return "`" + s + "`" }

func codes(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = code(s)
	}
	return strings.Join(quoted, ", ")
}

func mark(assumed bool) string {
	if assumed {
		return "**A**"
	}
	return ""
}
