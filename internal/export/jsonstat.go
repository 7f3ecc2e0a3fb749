package export

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, m := range o {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.WriteByte("{,"[min(i, 1)])
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// JSONStat writes the table as a dense cube in JSON-stat 2.0 (https://json-stat.org/full/): its key
// columns are the dimensions, in their order; the first column of numbers is the value; column status is
// the status. The other columns are lists of the extension, in the order of the value.
func JSONStat(t *Table) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("JSON-stat: %w", err)
	}
	keys, status, value := t.keys(), t.column("status"), -1
	for i, c := range t.Columns {
		if c.Kind == Number && value < 0 {
			value = i
		}
	}
	if len(keys) == 0 || value < 0 || status < 0 {
		return nil, fmt.Errorf("JSON-stat: a cube needs a key, a number and the column status")
	}
	ids, sizes, roles, dimensions := make([]string, len(keys)), make([]int, len(keys)), map[Role][]string{},
		map[string]object{}
	cube, places := 1, make([]map[string]int, len(keys))
	for d, k := range keys {
		c := t.Columns[k]
		index, labels := make([]string, len(c.Categories)), map[string]string{}
		places[d] = map[string]int{}
		for i, category := range c.Categories {
			index[i], labels[category.Code], places[d][category.Code] = category.Code, category.Label, i
		}
		ids[d], sizes[d] = c.Name, len(index)
		dimensions[c.Name] = object{{"label", c.Label}, {"category", object{{"index", index}, {"label", labels}}}}
		if c.Role != "" {
			roles[c.Role] = append(roles[c.Role], c.Name)
		}
		cube *= len(index)
	}
	cells := make([][]any, cube) // by place in row-major order: the last dimension runs fastest
	for _, row := range t.Rows {
		at := 0
		for d, k := range keys {
			at = at*sizes[d] + places[d][row[k].(string)]
		}
		if cells[at] != nil {
			return nil, fmt.Errorf("JSON-stat: two rows have the keys %v", row)
		}
		cells[at] = row
	}
	dense := func(column int) []any {
		out := make([]any, cube)
		for at, row := range cells {
			out[at] = t.Columns[column].Absent
			if row != nil {
				out[at] = row[column]
			}
		}
		return out
	}
	statuses, explained := dense(status), map[string]string{}
	for _, s := range statuses {
		at := t.Columns[status].place(fmt.Sprint(s))
		if at < 0 {
			return nil, fmt.Errorf("JSON-stat: the status %v is not explained", s)
		}
		explained[t.Columns[status].Categories[at].Code] = t.Columns[status].Categories[at].Label
	}
	v := t.Columns[value]
	extension := object{
		{"indicator", object{{"name", v.Name}, {"label", v.Label}, {"definition", v.Definition}, {"unit", v.Unit},
			{"assumed", v.Assumed}}},
		{"cohort", t.Cohort}, {"status", explained}, {"level", t.Level}, {"method", t.Method},
	}
	for i, c := range t.Columns {
		if c.Kind != Key && i != value && i != status {
			extension = append(extension, member{c.Name, dense(i)})
		}
	}
	extension = append(extension, member{"dataset", object{
		{"title", t.Dataset}, {"synthetic", t.Synthetic}, {"fingerprint", t.Fingerprint}, {"citation", t.Citation},
		{"licence", t.Licence}}})
	out := object{{"version", "2.0"}, {"class", "dataset"}, {"label", t.Question}, {"source", t.Sources}, {"id", ids},
		{"size", sizes}}
	if len(roles) > 0 {
		out = append(out, member{"role", roles})
	}
	return json.Marshal(append(out, object{{"dimension", dimensions}, {"value", dense(value)}, {"status", statuses},
		{"extension", extension}}...))
}
