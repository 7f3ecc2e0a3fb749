package contract

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kvarter/kvarter/internal/fault"
)

// Parse reads and checks a contract; name is what its mistakes are reported under. Every mistake
// is listed, one a line, with file, line, what was found and what was expected.
func Parse(name string, text []byte) (*Contract, error) {
	var raw rawContract
	if err := Read(name, text, &raw); err != nil {
		return nil, err
	}
	p := &parser{file: name, out: &Contract{}}
	p.build(&raw)
	if len(p.mistakes) > 0 {
		return nil, fault.Invalidf("%s", strings.Join(p.mistakes, "\n"))
	}
	return p.out, nil
}

// rawContract is the text as it stands. Its sections keep the order and the lines of their entries.
type rawContract struct {
	Version    int                   `yaml:"version"`
	Sources    section[rawSource]    `yaml:"sources"`
	Codelists  section[rawCodelist]  `yaml:"codelists"`
	Tables     section[rawTable]     `yaml:"tables"`
	Dimensions section[rawDimension] `yaml:"dimensions"`
	Parameters section[rawParameter] `yaml:"parameters"`
	Indicators section[rawIndicator] `yaml:"indicators"`
	Measures   section[rawMeasure]   `yaml:"measures"`
	Covariates section[rawCovariate] `yaml:"covariates"`
	Outcomes   section[rawOutcome]   `yaml:"outcomes"`
	Rollups    section[rawRollup]    `yaml:"rollups"`
}

type rawSource struct {
	Title     string `yaml:"title"`
	Publisher string `yaml:"publisher"`
}

type rawCode struct {
	Code    string `yaml:"code"`
	Label   Text   `yaml:"label"`
	Group   string `yaml:"group"`
	Range   []int  `yaml:"range"`
	Unknown bool   `yaml:"unknown"`
	// Of dimensions only.
	From    []string `yaml:"from"`
	List    string   `yaml:"list"`
	Groups  string   `yaml:"groups"`
	Present *bool    `yaml:"present"`
	Missing bool     `yaml:"missing"`
	Apart   *bool    `yaml:"apart"`
}

// rawWord is a word for several codes of a dimension.
type rawWord struct {
	Code  string   `yaml:"code"`
	Of    []string `yaml:"of"`
	Label Text     `yaml:"label"`
}

type rawCodelist struct {
	Type       string    `yaml:"type"`
	Definition Text      `yaml:"definition"`
	Groups     string    `yaml:"groups"`
	Codes      []rawCode `yaml:"codes"`
}

type rawTable struct {
	Label      Text               `yaml:"label"`
	Definition Text               `yaml:"definition"`
	Cohort     string             `yaml:"cohort"`
	Counts     Text               `yaml:"cohort_definition"`
	Person     string             `yaml:"person"`
	Key        []string           `yaml:"key"`
	Columns    section[rawColumn] `yaml:"columns"`
}

type rawColumn struct {
	Type       string   `yaml:"type"`
	Optional   bool     `yaml:"optional"`
	Codes      string   `yaml:"codes"`
	References string   `yaml:"references"`
	Min        *float64 `yaml:"min"`
	Max        *float64 `yaml:"max"`
	Jump       float64  `yaml:"jump"`
	Unit       string   `yaml:"unit"`
	Secret     bool     `yaml:"secret"`
	Label      Text     `yaml:"label"`
	Definition Text     `yaml:"definition"`
	Source     string   `yaml:"source"`
	Assumed    bool     `yaml:"assumed"`
}

type rawDimension struct {
	Field      string    `yaml:"field"`
	Type       string    `yaml:"type"`
	Columns    []string  `yaml:"columns"`
	Filter     string    `yaml:"filter"`
	Unit       string    `yaml:"unit"`
	Label      Text      `yaml:"label"`
	Definition Text      `yaml:"definition"`
	Codes      []rawCode `yaml:"codes"`
	Apart      string    `yaml:"apart"`
	Words      []rawWord `yaml:"words"`
	Assumed    bool      `yaml:"assumed"`
}

type rawParameter struct {
	Label      Text          `yaml:"label"`
	Definition Text          `yaml:"definition"`
	Values     section[Text] `yaml:"values"`
	Default    string        `yaml:"default"`
	Source     string        `yaml:"source"`
	Assumed    bool          `yaml:"assumed"`
	Reason     Text          `yaml:"reason"`
}

type rawIndicator struct {
	Tables     []string        `yaml:"tables"`
	Among      *Condition      `yaml:"among"`
	When       *Condition      `yaml:"when"`
	Parameters section[string] `yaml:"parameters"`
	Label      Text            `yaml:"label"`
	Definition Text            `yaml:"definition"`
	Source     string          `yaml:"source"`
	Assumed    bool            `yaml:"assumed"`
}

type rawMeasure struct {
	Columns    []string   `yaml:"columns"`
	Among      *Condition `yaml:"among"`
	Deviation  string     `yaml:"deviation"`
	Per        *int       `yaml:"per"`
	Divisor    *int       `yaml:"divisor"`
	Unit       string     `yaml:"unit"`
	Label      Text       `yaml:"label"`
	Definition Text       `yaml:"definition"`
	Source     string     `yaml:"source"`
	Assumed    bool       `yaml:"assumed"`
}

type rawCovariate struct {
	Column     string `yaml:"column"`
	Bands      []int  `yaml:"bands"`
	Linear     bool   `yaml:"linear"`
	Unit       *Text  `yaml:"unit"`
	As         string `yaml:"as"`
	Label      Text   `yaml:"label"`
	Definition Text   `yaml:"definition"`
	Source     string `yaml:"source"`
	Assumed    bool   `yaml:"assumed"`
}

type rawOutcome struct {
	Column     string   `yaml:"column"`
	Before     string   `yaml:"before"`
	Activities []string `yaml:"activities"`
	Label      Text     `yaml:"label"`
	Definition Text     `yaml:"definition"`
	Source     string   `yaml:"source"`
	Assumed    bool     `yaml:"assumed"`
}

type rawRollup struct {
	Table string   `yaml:"table"`
	By    []string `yaml:"by"`
}

// section is a YAML mapping that keeps the order of its keys and the line of each.
type section[T any] []entry[T]

type entry[T any] struct {
	name  string
	line  int
	value T
}

func (s *section[T]) UnmarshalYAML(node ast.Node) error {
	m, ok := node.(ast.MapNode)
	if !ok {
		return &yaml.SyntaxError{Message: "a mapping of names was expected", Token: node.GetToken()}
	}
	for it := m.MapRange(); it.Next(); {
		key := it.Key()
		e := entry[T]{name: key.GetToken().Value, line: key.GetToken().Position.Line}
		if err := yaml.NodeToValue(it.Value(), &e.value, yaml.Strict()); err != nil {
			return err
		}
		*s = append(*s, e)
	}
	return nil
}

type parser struct {
	file     string
	out      *Contract
	mistakes []string
}

func (p *parser) wrong(line int, format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...)))
}

var (
	columnName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	enumName   = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	typeName   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	fieldName  = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
	types      = []string{string(Int), string(Decimal), string(Bool), string(String), string(Strings), string(Date)}
)

func (p *parser) build(raw *rawContract) {
	if raw.Version != 1 {
		p.wrong(1, "version %d is not known; version 1 was expected", raw.Version)
	}
	for _, e := range raw.Sources {
		if e.value.Title == "" || e.value.Publisher == "" {
			p.wrong(e.line, "source %s: a title and a publisher were expected", e.name)
		}
		p.out.Sources = append(p.out.Sources, &Source{Name: e.name, Title: e.value.Title, Publisher: e.value.Publisher})
	}
	for _, e := range raw.Codelists {
		p.codelist(e)
	}
	for _, e := range raw.Tables {
		p.table(e)
	}
	for _, e := range raw.Tables {
		p.references(e)
	}
	for _, e := range raw.Dimensions {
		p.dimension(e)
	}
	for _, e := range raw.Parameters {
		p.parameter(e)
	}
	for _, e := range raw.Indicators {
		p.indicator(e)
	}
	for _, e := range raw.Measures {
		p.measure(e)
	}
	for _, e := range raw.Covariates {
		p.covariate(e)
	}
	for _, e := range raw.Outcomes {
		p.outcome(e)
	}
	for _, e := range raw.Rollups {
		p.rollup(e)
	}
}

func (p *parser) texts(line int, what string, label Text, definition *Text) {
	if label.DA == "" || label.EN == "" {
		p.wrong(line, "%s: a label in Danish (da) and English (en) was expected", what)
	}
	if definition != nil && (definition.DA == "" || definition.EN == "") {
		p.wrong(line, "%s: a definition in Danish (da) and English (en) was expected", what)
	}
}

// variable checks what a value of one of the API's enums of variables has.
func (p *parser) variable(line int, what, name string, label, definition Text) {
	p.texts(line, what, label, &definition)
	if !enumName.MatchString(name) {
		p.wrong(line, "%s: a name of upper-case letters, digits and _ was expected", what)
	}
}

func (p *parser) source(line int, what, name string) *Source {
	s := find(p.out.Sources, name, (*Source).name)
	if s == nil {
		p.wrong(line, "%s: no source %q%s", what, name, fault.Suggest(name, names(p.out.Sources, (*Source).name)))
	}
	return s
}

func (p *parser) list(line int, what, name string) *Codelist {
	l := find(p.out.Codelists, name, (*Codelist).name)
	if l == nil {
		p.wrong(line, "%s: no code list %q%s", what, name, fault.Suggest(name, names(p.out.Codelists, (*Codelist).name)))
	}
	return l
}

func (p *parser) codelist(e entry[rawCodelist]) {
	what := "code list " + e.name
	l := &Codelist{Name: e.name, Type: e.value.Type, Definition: e.value.Definition}
	if l.Type != "" {
		p.enum(e.line, what, l)
	}
	if e.value.Groups != "" {
		l.Groups = p.list(e.line, what, e.value.Groups)
	}
	if len(e.value.Codes) == 0 {
		p.wrong(e.line, "%s: at least one code was expected", what)
	}
	if len(e.value.Codes) > 255 {
		p.wrong(e.line, "%s: at most 255 codes were expected, got %d", what, len(e.value.Codes))
	}
	for _, c := range e.value.Codes {
		if c.Code == "" || l.Position(c.Code) >= 0 {
			p.wrong(e.line, "%s: code %q is empty or stands twice", what, c.Code)
		}
		p.texts(e.line, what+", code "+c.Code, c.Label, nil)
		if l.Type != "" && !enumName.MatchString(c.Code) {
			p.wrong(e.line, "%s: code %q: upper-case letters, digits and _ were expected, since it becomes a value of the "+
				"enum %s", what, c.Code, l.Type)
		}
		if l.Groups != nil && l.Groups.Position(c.Group) < 0 {
			p.wrong(e.line, "%s, code %s: %q is no code of %s", what, c.Code, c.Group, l.Groups.Name)
		}
		l.Codes = append(l.Codes, ListCode{Code: c.Code, Label: c.Label, Group: c.Group, Range: p.span(e.line, what, c.Range),
			Unknown: c.Unknown})
	}
	p.out.Codelists = append(p.out.Codelists, l)
}

// enum checks what makes a code list an enum of the API.
func (p *parser) enum(line int, what string, l *Codelist) {
	if !typeName.MatchString(l.Type) {
		p.wrong(line, "%s: type %q: a name such as ActivityType was expected, since it becomes an enum", what, l.Type)
	}
	if l.Definition.DA == "" || l.Definition.EN == "" {
		p.wrong(line, "%s: a definition in Danish (da) and English (en) was expected, since it becomes the enum %s", what,
			l.Type)
	}
	if i := slices.IndexFunc(p.out.Codelists, func(o *Codelist) bool { return o.Type == l.Type }); i >= 0 {
		p.wrong(line, "%s: code list %s is the enum %s already", what, p.out.Codelists[i].Name, l.Type)
	}
}

func (p *parser) span(line int, what string, r []int) *[2]int {
	if r == nil {
		return nil
	}
	if len(r) != 2 || r[0] > r[1] {
		p.wrong(line, "%s: a range [from, to] with from at most to was expected, got %v", what, r)
		return nil
	}
	return &[2]int{r[0], r[1]}
}

func (p *parser) table(e entry[rawTable]) {
	t := &Table{Name: e.name, Label: e.value.Label, Definition: e.value.Definition, Cohort: e.value.Cohort,
		Counts: e.value.Counts, Person: e.value.Person, Key: e.value.Key}
	p.texts(e.line, "table "+e.name, t.Label, &t.Definition)
	if !columnName.MatchString(e.name) {
		p.wrong(e.line, "table %s: a name of lower-case letters, digits and _ was expected", e.name)
	}
	for _, c := range e.value.Columns {
		what := "column " + e.name + "." + c.name
		v := c.value
		column := &Column{Name: c.name, Type: Type(v.Type), Optional: v.Optional, References: v.References, Min: math.Inf(-1),
			Max:  math.Inf(1),
			Jump: v.Jump, Unit: v.Unit, Secret: v.Secret, Label: v.Label, Definition: v.Definition, Source: p.source(c.line,
				what, v.Source), Assumed: v.Assumed}
		if !columnName.MatchString(c.name) {
			p.wrong(c.line, "%s: a name of lower-case letters, digits and _ was expected", what)
		}
		if !slices.Contains(types, v.Type) {
			p.wrong(c.line, "%s: no type %q; known are %s", what, v.Type, strings.Join(types, ", "))
		}
		if v.Codes != "" {
			column.Codes = p.list(c.line, what, v.Codes)
			if column.Type != String {
				p.wrong(c.line, "%s: codes were given, so the type text was expected, got %s", what, v.Type)
			}
		}
		if v.Min != nil {
			column.Min = *v.Min
		}
		if v.Max != nil {
			column.Max = *v.Max
		}
		p.texts(c.line, what, v.Label, nil)
		t.Columns = append(t.Columns, column)
	}
	for _, name := range append([]string{t.Person}, t.Key...) {
		if name != "" && t.Column(name) == nil {
			p.wrong(e.line, "table %s: %s", e.name, p.noColumn(t, name))
		}
	}
	p.out.Tables = append(p.out.Tables, t)
}

func (p *parser) references(e entry[rawTable]) {
	for _, c := range e.value.Columns {
		if c.value.References == "" {
			continue
		}
		table, column, _ := strings.Cut(c.value.References, ".")
		if t := p.out.Table(table); t == nil || t.Column(column) == nil {
			p.wrong(c.line, "column %s.%s: references %q, but a table.column of this contract was expected", e.name, c.name,
				c.value.References)
		}
	}
}

func (p *parser) noColumn(t *Table, name string) string {
	return fmt.Sprintf("table %s has no column %q%s", t.Name, name,
		fault.Suggest(name, names(t.Columns, func(c *Column) string { return c.Name })))
}

// column finds "table.column", or reports what was expected and returns nil.
func (p *parser) column(line int, what, name string) (*Table, *Column) {
	table, column, _ := strings.Cut(name, ".")
	t := p.out.Table(table)
	if t == nil {
		p.wrong(line, "%s: %q is no table.column; no table %q%s", what, name, table,
			fault.Suggest(table, names(p.out.Tables, (*Table).name)))
		return nil, nil
	}
	c := t.Column(column)
	if c == nil {
		p.wrong(line, "%s: %s", what, p.noColumn(t, column))
		return nil, nil
	}
	return t, c
}

func (p *parser) dimension(e entry[rawDimension]) {
	what := "dimension " + e.name
	v := e.value
	d := &Dimension{Name: e.name, Field: v.Field, Type: v.Type, Filter: v.Filter, Label: v.Label, Definition: v.Definition,
		Unit: v.Unit, Assumed: v.Assumed, Apart: v.Apart, Columns: map[string]*Column{}}
	p.variable(e.line, what, e.name, v.Label, v.Definition)
	if i := slices.IndexFunc(p.out.Codelists, func(l *Codelist) bool { return d.Type != "" && l.Type == d.Type }); i >= 0 {
		p.wrong(e.line, "%s: the enum %s is code list %s already", what, d.Type, p.out.Codelists[i].Name)
	}
	if !fieldName.MatchString(v.Field) || !fieldName.MatchString(v.Filter) {
		p.wrong(e.line, "%s: `field` and `filter` were expected, names in lowerCamelCase, got %q and %q", what, v.Field,
			v.Filter)
	}
	for _, other := range p.out.Dimensions {
		if other.Field == d.Field || other.Filter == d.Filter {
			p.wrong(e.line, "%s: %s has the field %q or the filter %q already", what, other.Name, d.Field, d.Filter)
		}
	}
	if len(v.Columns) == 0 {
		p.wrong(e.line, "%s: at least one of `columns`, a table.column, was expected", what)
	}
	for _, name := range v.Columns {
		if t, c := p.column(e.line, what, name); c != nil {
			d.Columns[t.Name] = c
			d.tables = append(d.tables, t.Name)
		}
	}
	for _, c := range v.Codes {
		switch {
		case c.List != "":
			list := p.list(e.line, what, c.List)
			if list == nil {
				continue
			}
			for _, lc := range list.Codes {
				d.Codes = append(d.Codes, Code{Code: lc.Code, Label: lc.Label, from: []string{lc.Code}, ranges: lc.Range,
					list: list})
			}
		case c.Groups != "":
			list := p.list(e.line, what, c.Groups)
			if list == nil {
				continue
			}
			if list.Groups == nil {
				p.wrong(e.line, "%s: code list %s has no groups", what, c.Groups)
				continue
			}
			for _, g := range list.Groups.Codes {
				code := Code{Code: g.Code, Label: g.Label, list: list}
				for _, lc := range list.Codes {
					if lc.Group == g.Code {
						code.from = append(code.from, lc.Code)
					}
				}
				d.Codes = append(d.Codes, code)
			}
		default:
			p.texts(e.line, what+", code "+c.Code, c.Label, nil)
			d.Codes = append(d.Codes, Code{Code: c.Code, Label: c.Label, from: c.From, ranges: p.span(e.line, what, c.Range),
				present: c.Present, missing: c.Missing, apart: c.Apart, unknown: c.Unknown})
		}
	}
	p.dimensionCodes(e.line, what, d)
	p.apart(e.line, what, d)
	p.words(e.line, what, d, v.Words)
	p.out.Dimensions = append(p.out.Dimensions, d)
}

func (p *parser) dimensionCodes(line int, what string, d *Dimension) {
	coded := d.Type != "" && !d.IsArea()
	if coded != (len(d.Codes) > 0) {
		p.wrong(line, "%s: `codes` go with a `type` other than Area; an integer dimension has neither", what)
	}
	seen := map[string]bool{}
	for _, c := range d.Codes {
		if seen[c.Code] {
			p.wrong(line, "%s: code %s stands twice", what, c.Code)
		}
		seen[c.Code] = true
		if d.Type != "Municipality" && !enumName.MatchString(c.Code) {
			p.wrong(line, "%s: code %q: upper-case letters, digits and _ were expected, since it becomes a value of the enum %s",
				what, c.Code, d.Type)
		}
		if len(c.from) == 0 && c.ranges == nil && c.present == nil && !c.missing {
			p.wrong(line, "%s, code %s: one of from, range, present, missing was expected", what, c.Code)
		}
		for _, table := range d.tables {
			column := d.Columns[table]
			for _, code := range c.from {
				if column.Codes != nil && c.list == nil && column.Codes.Position(code) < 0 {
					p.wrong(line, "%s, code %s: column %s.%s has no code %q", what, c.Code, table, column.Name, code)
				}
			}
		}
	}
	for _, table := range d.tables {
		if column := d.Columns[table]; coded && len(d.Selections(table)) == 0 {
			p.wrong(line, "%s: none of its codes can be made from column %s.%s", what, table, column.Name)
		} else if d.Type == "" && column.Type != Int {
			p.wrong(line, "%s: column %s.%s is %s, but a dimension without a type needs int", what, table, column.Name,
				column.Type)
		}
	}
	for _, other := range p.out.Dimensions {
		if other.Type == d.Type && coded && !slices.EqualFunc(other.Codes, d.Codes,
			func(a, b Code) bool { return a.Code == b.Code }) {
			p.wrong(line, "%s: %s has the same type %s but other codes", what, other.Name, d.Type)
		}
	}
}

// apart checks the second column of a dimension, and that its codes part whoever has none in the first:
// yes, no, and unknown.
func (p *parser) apart(line int, what string, d *Dimension) {
	parted := map[string]int{}
	for _, c := range d.Codes {
		switch {
		case c.apart != nil && (d.Apart == "" || c.present == nil || *c.present):
			p.wrong(line, "%s, code %s: `apart` goes with `present: false`, in a dimension with a column `apart`", what, c.Code)
		case d.Apart == "" || c.present == nil || *c.present:
		case c.apart == nil && !c.unknown:
			p.wrong(line, "%s, code %s: `apart: true`, `apart: false` or `unknown: true` was expected, since `apart` is given",
				what, c.Code)
		case c.apart == nil:
			parted["unknown"]++
		default:
			parted[strconv.FormatBool(*c.apart)]++
		}
	}
	if d.Apart == "" {
		return
	}
	if len(parted) != 3 || parted["true"]+parted["false"]+parted["unknown"] != 3 {
		p.wrong(line, "%s: with `apart`, three codes with `present: false` were expected: `apart: true`, `apart: false` and "+
			"`unknown: true`", what)
	}
	for _, table := range d.tables {
		if c := p.out.Table(table).Column(d.Apart); c == nil {
			p.wrong(line, "%s: apart: %s", what, p.noColumn(p.out.Table(table), d.Apart))
		} else if c.Type != Bool || !c.Optional {
			p.wrong(line, "%s: apart: an optional column of type bool was expected, and %s.%s is none", what, table, c.Name)
		}
	}
}

// words reads the words that stand for several codes.
func (p *parser) words(line int, what string, d *Dimension, list []rawWord) {
	for _, v := range list {
		w := Word{Code: v.Code, Label: v.Label}
		p.texts(line, what+", word "+v.Code, v.Label, nil)
		if !enumName.MatchString(v.Code) || d.Positions(v.Code) != nil {
			p.wrong(line, "%s: word %q: a name of upper-case letters, digits and _ that no code has was expected", what, v.Code)
		}
		for _, code := range v.Of {
			at := d.Position(code)
			if at < 0 {
				p.wrong(line, "%s, word %s: no code %q%s", what, v.Code, code, fault.Suggest(code, d.Names()))
				continue
			}
			if slices.ContainsFunc(d.Words, func(w Word) bool { return slices.Contains(w.Positions, at) }) {
				p.wrong(line, "%s, word %s: code %s has a word already", what, v.Code, code)
			}
			w.Positions = append(w.Positions, at)
		}
		if len(w.Positions) < 2 {
			p.wrong(line, "%s, word %s: at least two codes were expected in `of`", what, v.Code)
		}
		slices.Sort(w.Positions)
		d.Words = append(d.Words, w)
	}
}

func (p *parser) condition(line int, what string, t *Table, c *Condition) {
	forms := 0
	for _, is := range []bool{c.Is != nil, c.In != nil, c.From != nil || c.To != nil, c.All != nil, c.Any != nil} {
		if is {
			forms++
		}
	}
	if forms != 1 || (c.Column == "") != (c.All != nil || c.Any != nil) {
		p.wrong(line, "%s: a condition was expected: {column, is}, {column, in}, {column, from, to}, {all: [...]} or {any: "+
			"[...]}", what)
		return
	}
	for _, part := range slices.Concat(c.All, c.Any) {
		p.condition(line, what, t, part)
	}
	if c.Column == "" {
		return
	}
	column := t.Column(c.Column)
	if column == nil {
		p.wrong(line, "%s: %s", what, p.noColumn(t, c.Column))
		return
	}
	switch {
	case c.Is != nil && column.Type != Bool:
		p.wrong(line, "%s: `is` was given, but %s is %s, not bool", what, column.Name, column.Type)
	case (c.From != nil || c.To != nil) && column.Type != Int:
		p.wrong(line, "%s: `from` and `to` were given, but %s is %s, not int", what, column.Name, column.Type)
	case c.In != nil && column.Codes == nil:
		p.wrong(line, "%s: `in` was given, but %s has no codes", what, column.Name)
	}
	for _, code := range c.In {
		if column.Codes != nil && column.Codes.Position(code) < 0 {
			p.wrong(line, "%s: column %s has no code %q", what, column.Name, code)
		}
	}
}

func (p *parser) indicator(e entry[rawIndicator]) {
	what := "indicator " + e.name
	v := e.value
	p.variable(e.line, what, e.name, v.Label, v.Definition)
	if v.When == nil || len(v.Tables) == 0 {
		p.wrong(e.line, "%s: `tables` and a condition `when` were expected", what)
		return
	}
	for _, name := range v.Tables {
		t := p.out.Table(name)
		if t == nil {
			p.wrong(e.line, "%s: no table %q%s", what, name, fault.Suggest(name, names(p.out.Tables, (*Table).name)))
			continue
		}
		p.condition(e.line, what, t, v.When)
		if v.Among != nil {
			p.condition(e.line, what, t, v.Among)
		}
	}
	p.out.Indicators = append(p.out.Indicators, &Indicator{Name: e.name, Label: v.Label, Definition: v.Definition,
		Tables: v.Tables, Among: v.Among, When: v.When, Choices: p.choices(what, v.Parameters),
		Source: p.source(e.line, what, v.Source), Assumed: v.Assumed})
}

func (p *parser) parameter(e entry[rawParameter]) {
	what := "parameter " + e.name
	v := e.value
	out := &Parameter{Name: e.name, Label: v.Label, Definition: v.Definition, Source: p.source(e.line, what, v.Source),
		Assumed: v.Assumed, Reason: v.Reason}
	p.texts(e.line, what, v.Label, &v.Definition)
	if !columnName.MatchString(e.name) {
		p.wrong(e.line, "%s: a name of lower-case letters, digits and _ was expected", what)
	}
	for _, value := range v.Values {
		if !enumName.MatchString(value.name) || value.value.DA == "" || value.value.EN == "" {
			p.wrong(value.line, "%s, value %s: a name of upper-case letters, digits and _ was expected, and what it means in "+
				"Danish (da) and English (en)", what, value.name)
		}
		out.Values = append(out.Values, &ParameterValue{value.name, value.value})
		if value.name == v.Default {
			out.Default = out.Values[len(out.Values)-1]
		}
	}
	if out.Default == nil {
		p.wrong(e.line, "%s: `default` was expected to be one of its values, got %q", what, v.Default)
	}
	if v.Assumed != (v.Reason.DA != "" && v.Reason.EN != "") {
		p.wrong(e.line, "%s: a `reason` in Danish (da) and English (en) goes with `assumed: true`, and only with it", what)
	}
	p.out.Parameters = append(p.out.Parameters, out)
}

// choices reads the values of parameters that a definition takes.
func (p *parser) choices(what string, list section[string]) []Choice {
	var out []Choice
	for _, e := range list {
		of := find(p.out.Parameters, e.name, (*Parameter).name)
		if of == nil {
			p.wrong(e.line, "%s: no parameter %q%s", what, e.name,
				fault.Suggest(e.name, names(p.out.Parameters, (*Parameter).name)))
			continue
		}
		value := find(of.Values, e.value, func(v *ParameterValue) string { return v.Name })
		if value == nil {
			p.wrong(e.line, "%s: parameter %s has no value %q%s", what, e.name, e.value,
				fault.Suggest(e.value, names(of.Values, func(v *ParameterValue) string { return v.Name })))
			continue
		}
		out = append(out, Choice{of, value})
	}
	return out
}

func (p *parser) measure(e entry[rawMeasure]) {
	what := "measure " + e.name
	v := e.value
	m := &Measure{Name: e.name, Label: v.Label, Definition: v.Definition, Unit: v.Unit, Among: v.Among,
		Deviation: v.Deviation, Per: 1, Divisor: 1, Source: p.source(e.line, what, v.Source), Assumed: v.Assumed}
	p.variable(e.line, what, e.name, v.Label, v.Definition)
	for _, f := range []struct {
		name  string
		given *int
		to    *int
	}{{"per", v.Per, &m.Per}, {"divisor", v.Divisor, &m.Divisor}} {
		if f.given == nil {
			continue
		}
		if *f.given < 1 {
			p.wrong(e.line, "%s: `%s` was expected to be at least 1, got %d", what, f.name, *f.given)
			continue
		}
		*f.to = *f.given
	}
	for _, name := range v.Columns {
		t, c := p.column(e.line, what, name)
		if c == nil {
			continue
		}
		if c.Type != Int {
			p.wrong(e.line, "%s: column %s is %s; an int was expected, so that sums do not depend on their order", what, name,
				c.Type)
		}
		if m.Column != "" && m.Column != c.Name {
			p.wrong(e.line, "%s: one column name was expected in all tables, got %s and %s", what, m.Column, c.Name)
		}
		if v.Deviation != "" && t.Column(v.Deviation) == nil {
			p.wrong(e.line, "%s: %s", what, p.noColumn(t, v.Deviation))
		}
		if v.Among != nil {
			p.condition(e.line, what, t, v.Among)
		}
		m.Column = c.Name
		m.Tables = append(m.Tables, t.Name)
	}
	if len(m.Tables) == 0 {
		p.wrong(e.line, "%s: at least one of `columns`, a table.column, was expected", what)
	}
	p.out.Measures = append(p.out.Measures, m)
}

func (p *parser) covariate(e entry[rawCovariate]) {
	what := "covariate " + e.name
	v := e.value
	p.variable(e.line, what, e.name, v.Label, v.Definition)
	_, column := p.column(e.line, what, EffectTable+"."+v.Column)
	if column == nil {
		return
	}
	c := &Covariate{Name: e.name, Label: v.Label, Definition: v.Definition, Column: column,
		Source: p.source(e.line, what, v.Source), Assumed: v.Assumed}
	switch {
	case column.Optional:
		p.wrong(e.line, "%s: column %s is optional; those who took part can be compared only on what is known of everyone",
			what, column.Name)
	case v.Bands != nil && column.Type != Int:
		p.wrong(e.line, "%s: `bands` were given, but %s is %s, not int", what, column.Name, column.Type)
	case v.Bands == nil && (v.Linear || v.Unit != nil):
		p.wrong(e.line, "%s: `linear` and `unit` were given without `bands`; a whole number without bands is linear", what)
	case v.As != "" && column.Codes == nil:
		p.wrong(e.line, "%s: `as` was given, but %s has no codes", what, column.Name)
	case column.Codes == nil && column.Type != Int && column.Type != Bool:
		p.wrong(e.line, "%s: column %s is %s; an int, a bool or a text with codes was expected", what, column.Name,
			column.Type)
	case v.Bands != nil:
		c.Linear = v.Linear
		p.bands(e.line, what, c, v.Bands, v.Unit)
	case v.As != "":
		p.as(e.line, what, c, v.As)
	case column.Codes != nil:
		c.position = map[string]int{}
		for i, code := range column.Codes.Codes {
			c.Codes, c.position[code.Code] = append(c.Codes, EffectCode{code.Code, code.Label}), i
		}
	}
	p.out.Covariates = append(p.out.Covariates, c)
}

// bands makes the categories of a whole number.
func (p *parser) bands(line int, what string, c *Covariate, starts []int, unit *Text) {
	if unit != nil {
		p.texts(line, what+", unit", *unit, nil)
	}
	if len(starts) < 2 || !slices.IsSorted(starts) || len(slices.Compact(slices.Clone(starts))) != len(starts) ||
		float64(starts[0]) > c.Column.Min && !math.IsInf(c.Column.Min, -1) {
		p.wrong(line, "%s: `bands` were expected to be at least two numbers that rise, the first no larger than the least "+
			"value of %s", what, c.Column.Name)
	}
	c.bands = starts
	for i, start := range starts {
		code := strconv.Itoa(start)
		switch {
		case i == len(starts)-1:
			if float64(start) < c.Column.Max {
				code += "+"
			}
		case starts[i+1] > start+1:
			code += "-" + strconv.Itoa(starts[i+1]-1)
		}
		label := Text{DA: code, EN: code}
		if unit != nil {
			label = Text{DA: code + " " + unit.DA, EN: code + " " + unit.EN}
		}
		c.Codes = append(c.Codes, EffectCode{code, label})
	}
}

// as makes the categories that a dimension makes of the same codes.
func (p *parser) as(line int, what string, c *Covariate, name string) {
	d, err := p.out.Dimension(name)
	if err != nil {
		p.wrong(line, "%s: %s", what, err)
		return
	}
	c.position = map[string]int{}
	for i, code := range d.Codes {
		for _, from := range code.from {
			c.position[from] = i
		}
		c.Codes = append(c.Codes, EffectCode{code.Code, code.Label})
	}
	for _, code := range c.Column.Codes.Codes {
		if _, ok := c.position[code.Code]; !ok {
			p.wrong(line, "%s: dimension %s has no code for %s of column %s", what, name, code.Code, c.Column.Name)
		}
	}
}

func (p *parser) outcome(e entry[rawOutcome]) {
	what := "outcome " + e.name
	v := e.value
	p.variable(e.line, what, e.name, v.Label, v.Definition)
	_, column := p.column(e.line, what, EffectTable+"."+v.Column)
	if column == nil {
		return
	}
	o := &Outcome{Name: e.name, Label: v.Label, Definition: v.Definition, Column: column, Activities: v.Activities,
		Source: p.source(e.line, what, v.Source), Assumed: v.Assumed}
	if column.Type != Bool && column.Type != Int {
		p.wrong(e.line, "%s: column %s is %s; a bool or an int was expected, so that sums do not depend on their order", what,
			column.Name, column.Type)
	}
	if len(v.Activities) == 0 {
		p.wrong(e.line, "%s: `activities`, the types that it makes sense for, were expected", what)
	}
	if types := p.out.Table(EffectTable).Column("type"); types != nil && types.Codes != nil {
		for _, a := range v.Activities {
			if types.Codes.Position(a) < 0 {
				p.wrong(e.line, "%s: code list %s has no code %q", what, types.Codes.Name, a)
			}
		}
	}
	if v.Before != "" {
		if _, o.Before = p.column(e.line, what, EffectTable+"."+v.Before); o.Before != nil && o.Before.Type != column.Type {
			p.wrong(e.line, "%s: %s is %s and %s is %s; the same type was expected before and after", what, v.Before,
				o.Before.Type, column.Name, column.Type)
		}
	}
	p.out.Outcomes = append(p.out.Outcomes, o)
}

func (p *parser) rollup(e entry[rawRollup]) {
	what := "roll-up " + e.name
	t := p.out.Table(e.value.Table)
	if t == nil {
		p.wrong(e.line, "%s: no table %q%s", what, e.value.Table, fault.Suggest(e.value.Table,
			names(p.out.Tables, (*Table).name)))
		return
	}
	if !columnName.MatchString(e.name) || p.out.Table(e.name) != nil {
		p.wrong(e.line, "%s: a name of lower-case letters, digits and _ that no table has was expected", what)
	}
	r := &Rollup{Name: e.name, Table: t}
	for _, name := range e.value.By {
		d, err := p.out.Dimension(name)
		if err != nil {
			p.wrong(e.line, "%s: %s", what, err)
			continue
		}
		if d.Columns[t.Name] == nil {
			p.wrong(e.line, "%s: table %s does not record %s; recorded in %s", what, t.Name, name, strings.Join(d.tables, ", "))
			continue
		}
		r.By = append(r.By, d)
	}
	p.out.Rollups = append(p.out.Rollups, r)
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
