package findings

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// LastSlide is the last slide of the presentation.
const LastSlide = 17

type rawFindings struct {
	Sources  contract.Section[rawSource]  `yaml:"sources"`
	Findings contract.Section[rawFinding] `yaml:"findings"`
}

type rawSource struct {
	Title     string `yaml:"title"`
	Publisher string `yaml:"publisher"`
}

type rawFinding struct {
	Slide     int                         `yaml:"slide"`
	Statement contract.Text               `yaml:"statement"`
	Notebook  string                      `yaml:"notebook"`
	Section   *string                     `yaml:"section"`
	Document  string                      `yaml:"document"`
	Figures   contract.Section[rawFigure] `yaml:"figures"`
}

type rawFigure struct {
	Label     contract.Text `yaml:"label"`
	Published *float64      `yaml:"published"`
	Tolerance *float64      `yaml:"tolerance"`
	Words     contract.Text `yaml:"words"`
	Within    []float64     `yaml:"within"`
	How       contract.Text `yaml:"how"`
	Unit      string        `yaml:"unit"`
	Basis     Basis         `yaml:"basis"`
	Inputs    []Basis       `yaml:"inputs"`
	Source    string        `yaml:"source"`
	Gives     *rawGives     `yaml:"gives"`
	Missing   contract.Text `yaml:"missing"`
}

type rawGives struct {
	Value      string   `yaml:"value"`
	Sum        string   `yaml:"sum"`
	Count      string   `yaml:"count"`
	Equals     string   `yaml:"equals"`
	Undecided  string   `yaml:"undecided"`
	Difference []string `yaml:"difference"`
	Ratio      []string `yaml:"ratio"`
	Times      *float64 `yaml:"times"`
}

// Parse reads and checks findings; name is what mistakes are reported under, and schema what their
// documents are asked of. Every mistake is listed, one a line, with file, line, what was found and what
// was expected.
func Parse(name string, text []byte, schema *ast.Schema) ([]*Finding, error) {
	var raw rawFindings
	if err := contract.Read(name, text, &raw); err != nil {
		return nil, err
	}
	p := &reading{file: name, schema: schema}
	for key, v := range raw.Sources.All() {
		if v.Title == "" || v.Publisher == "" {
			p.wrong(key.Line, "source %s: a title and a publisher were expected", key.Name)
		}
		p.sources = append(p.sources, &Source{key.Name, v.Title, v.Publisher})
	}
	for key, v := range raw.Findings.All() {
		p.finding(key, v)
	}
	if len(p.mistakes) > 0 {
		return nil, fault.Invalidf("%s", strings.Join(p.mistakes, "\n"))
	}
	slices.SortStableFunc(p.out, func(a, b *Finding) int { return a.Slide - b.Slide })
	return p.out, nil
}

type reading struct {
	file     string
	schema   *ast.Schema
	sources  []*Source
	out      []*Finding
	mistakes []string
}

func (p *reading) wrong(line int, format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...)))
}

var name = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (p *reading) finding(e contract.Key, v rawFinding) {
	what := "finding " + e.Name
	f := &Finding{ID: e.Name, Slide: v.Slide, Statement: v.Statement, Document: v.Document, Notebook: v.Notebook,
		Section: v.Section}
	if !name.MatchString(e.Name) || slices.ContainsFunc(p.out, func(f *Finding) bool { return f.ID == e.Name }) {
		p.wrong(e.Line, "%s: a name of its own, of lower-case letters, digits and -, was expected", what)
	}
	if v.Slide < 1 || v.Slide > LastSlide {
		p.wrong(e.Line, "%s: slide %d; 1 to %d were expected", what, v.Slide, LastSlide)
	}
	if v.Statement.DA == "" || v.Statement.EN == "" {
		p.wrong(e.Line, "%s: a statement in Danish (da) and English (en) was expected", what)
	}
	if !strings.HasSuffix(v.Notebook, ".ipynb") {
		p.wrong(e.Line, "%s: the file of a notebook was expected, got %q", what, v.Notebook)
	}
	if v.Figures.Len() == 0 {
		p.wrong(e.Line, "%s: at least one figure was expected", what)
	}
	f.Query = p.document(e.Line, what, v.Document)
	for key, figure := range v.Figures.All() {
		f.Figures = append(f.Figures, p.figure(f, key, figure))
	}
	p.out = append(p.out, f)
}

// document parses a document and holds it to the schema. It returns nil if it is wrong.
func (p *reading) document(line int, what, text string) *ast.QueryDocument {
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	var errs gqlerror.List
	var syntax *gqlerror.Error
	if errors.As(err, &syntax) {
		errs = gqlerror.List{syntax}
	} else if err != nil {
		errs = gqlerror.List{gqlerror.Wrap(err)}
	} else {
		errs = validator.ValidateWithRules(p.schema, doc, rules.NewDefaultRules())
	}
	for _, e := range errs {
		within := 1 // line of the document
		if len(e.Locations) > 0 {
			within = e.Locations[0].Line
		}
		p.wrong(line, "%s: its document: %s (line %d of it)", what, e.Message, within)
	}
	if len(errs) > 0 {
		return nil
	}
	if len(doc.Operations) != 1 || doc.Operations[0].Operation != ast.Query ||
		len(doc.Operations[0].VariableDefinitions) > 0 {
		p.wrong(line, "%s: a document of one query without variables was expected", what)
		return nil
	}
	for _, selection := range doc.Operations[0].SelectionSet {
		field, ok := selection.(*ast.Field)
		if !ok {
			p.wrong(line, "%s: fields were expected at the top of its document, and no fragments", what)
			return nil
		}
		if field.Name == "findings" {
			p.wrong(line, "%s: its document asks findings, which would ask it again", what)
			return nil
		}
	}
	return doc
}

func (p *reading) figure(of *Finding, e contract.Key, v rawFigure) *Figure {
	what := fmt.Sprintf("finding %s, figure %s", of.ID, e.Name)
	f := &Figure{Name: e.Name, Label: v.Label, Words: v.Words, Published: v.Published, How: v.How, Unit: v.Unit,
		Basis: v.Basis, Inputs: v.Inputs, Missing: v.Missing}
	if !name.MatchString(e.Name) || slices.ContainsFunc(of.Figures, func(f *Figure) bool { return f.Name == e.Name }) {
		p.wrong(e.Line, "%s: a name of its own, of lower-case letters, digits and -, was expected", what)
	}
	if v.Label.DA == "" || v.Label.EN == "" {
		p.wrong(e.Line, "%s: a label in Danish (da) and English (en) was expected", what)
	}
	if v.Unit == "" {
		p.wrong(e.Line, "%s: a unit was expected", what)
	}
	for _, t := range []contract.Text{v.Words, v.How, v.Missing} {
		if (t.DA == "") != (t.EN == "") {
			p.wrong(e.Line, "%s: texts in Danish (da) and English (en) were expected", what)
		}
	}
	if v.Source != "" {
		i := slices.IndexFunc(p.sources, func(s *Source) bool { return s.Name == v.Source })
		if i < 0 {
			p.wrong(e.Line, "%s: no source %q%s", what, v.Source, fault.Suggest(v.Source, p.sourceNames()))
		} else {
			f.Source = p.sources[i]
		}
	}
	p.basis(e.Line, what, v)
	p.compared(e.Line, what, v, f)
	switch {
	case (v.Gives == nil) == (v.Missing.EN == ""):
		p.wrong(e.Line, "%s: one of `gives` and `missing` was expected", what)
	case v.Gives != nil && of.Query != nil:
		f.Gives = p.expression(e.Line, what, *v.Gives, of.Query.Operations[0].SelectionSet)
	}
	return f
}

func (p *reading) sourceNames() []string {
	var out []string
	for _, s := range p.sources {
		out = append(out, s.Name)
	}
	return out
}

// basis holds a figure to its mark: what is assumed, or computed from what is, must not look published.
func (p *reading) basis(line int, what string, v rawFigure) {
	has := v.Published != nil || v.Words.EN != "" || v.Within != nil
	switch v.Basis {
	case Published:
		if v.Published == nil {
			p.wrong(line, "%s: PUBLISHED was given, so the number printed was expected in `published`", what)
		}
	case Release:
		if (v.Published != nil) == (v.Words.EN != "") {
			p.wrong(line, "%s: RELEASE was given, so either a number in `published` or its `words` were expected", what)
		}
	case Derived:
		if len(v.Inputs) == 0 || v.How.EN == "" {
			p.wrong(line, "%s: DERIVED was given, so the marks of its `inputs` and `how` it is computed were expected", what)
		}
		if slices.Contains(v.Inputs, Assumed) && has {
			p.wrong(line, "%s: it is computed from what is ASSUMED, so it has no `published`, `words` or `within`", what)
		}
	case Assumed:
		if has || v.Source != "" {
			p.wrong(line, "%s: what is ASSUMED has no `published`, `words`, `within` or `source`", what)
		}
	default:
		p.wrong(line, "%s: no basis %q; known are PUBLISHED, RELEASE, DERIVED, ASSUMED", what, v.Basis)
	}
	if v.Basis != Derived && len(v.Inputs) > 0 {
		p.wrong(line, "%s: `inputs` are of what is DERIVED", what)
	}
	for _, input := range v.Inputs {
		if input != Published && input != Release && input != Assumed {
			p.wrong(line, "%s: no mark %q; an input is PUBLISHED, RELEASE or ASSUMED", what, input)
		}
	}
	if (v.Basis == Published || v.Basis == Release) && v.Source == "" {
		p.wrong(line, "%s: a source was expected", what)
	}
}

// compared says when the figure agrees, and how that is told.
func (p *reading) compared(line int, what string, v rawFigure, f *Figure) {
	switch {
	case v.Within != nil && (len(v.Within) != 2 || !(v.Within[0] <= v.Within[1])):
		p.wrong(line, "%s: within [from, to] with from at most to was expected, got %v", what, v.Within)
	case v.Within != nil && v.Tolerance != nil, v.Tolerance != nil && (v.Published == nil || !(*v.Tolerance >= 0)):
		p.wrong(line, "%s: `tolerance` is at least 0, goes with `published` and excludes `within`", what)
	case v.Within != nil:
		if v.How.EN == "" {
			p.wrong(line, "%s: `how` the words are read as that interval was expected", what)
		}
		f.From, f.To = &v.Within[0], &v.Within[1]
	case v.Published != nil:
		tolerance := 0.0
		if v.Tolerance != nil {
			tolerance = *v.Tolerance
		}
		from, to := *v.Published-tolerance, *v.Published+tolerance
		f.From, f.To = &from, &to
		if f.How.EN == "" && tolerance == 0 {
			f.How = contract.Text{DA: "Præcis.", EN: "Exactly."}
		} else if f.How.EN == "" {
			t := strconv.FormatFloat(tolerance, 'g', -1, 64)
			f.How = contract.Text{DA: "Inden for " + strings.Replace(t, ".", ",", 1) +
				", en halv enhed på det sidste trykte ciffer.", EN: "Within " + t + ", half a unit of the last digit printed."}
		}
	case v.Words.EN != "":
		p.wrong(line, "%s: `within` was expected: the interval that the words are read as", what)
	}
	if f.How.EN == "" {
		f.How = contract.Text{DA: "Intet offentliggjort at holde det op imod.", EN: "Nothing published to hold it against."}
	}
}

func (p *reading) expression(line int, what string, v rawGives, set ast.SelectionSet) *Expression {
	e := &Expression{Equals: v.Equals, Times: 1}
	given := 0
	for _, o := range []struct {
		operation Operation
		paths     []string
		arity     int
	}{
		{Value, one(v.Value), 1}, {Sum, one(v.Sum), 1}, {Count, slices.Concat(one(v.Count), one(v.Undecided)),
			1 + len(one(v.Undecided))}, {Difference, v.Difference, 2}, {Ratio, v.Ratio, 2},
	} {
		if len(o.paths) == 0 {
			continue
		}
		given++
		e.Operation = o.operation
		if len(o.paths) != o.arity {
			p.wrong(line, "%s: %s takes %d paths, got %d", what, o.operation, o.arity, len(o.paths))
		}
		for _, text := range o.paths {
			path := Path(strings.Split(text, "."))
			p.path(line, what, path, set, o.operation)
			e.Paths = append(e.Paths, path)
		}
	}
	if given != 1 {
		p.wrong(line, "%s: one of value, sum, count, difference, ratio was expected in `gives`", what)
	}
	if v.Equals != "" && v.Count == "" || v.Undecided != "" && v.Equals == "" {
		p.wrong(line, "%s: `equals` is what `count` counts, and `undecided` where it stands of what cannot be told", what)
	}
	if v.Times != nil {
		if e.Times = *v.Times; e.Times == 0 || math.IsInf(e.Times, 0) || math.IsNaN(e.Times) {
			p.wrong(line, "%s: times %g; a number other than 0 was expected", what, e.Times)
		}
	}
	return e
}

func one(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

var step = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(\[([0-9]*|([A-Za-z_][A-Za-z0-9_]*)=[A-Za-z0-9_]+)\])?$`)

// path holds a path to the fields that the document selects.
func (p *reading) path(line int, what string, path Path, set ast.SelectionSet, operation Operation) {
	many := false
	for i, text := range path {
		m := step.FindStringSubmatch(text)
		if m == nil {
			p.wrong(line, "%s: path %s: %q is none of field, field[], field[0] and field[code=X]", what, path, text)
			return
		}
		var field *ast.Field
		var known []string
		for _, f := range fields(set) {
			known = append(known, f.Alias)
			if f.Alias == m[1] {
				field = f
			}
		}
		if field == nil {
			p.wrong(line, "%s: path %s: the document does not select %q there%s", what, path, m[1], fault.Suggest(m[1], known))
			return
		}
		if isList := field.Definition.Type.Elem != nil; isList != (m[2] != "") {
			p.wrong(line, "%s: path %s: %s is a list or not; [] was expected behind lists alone", what, path, m[1])
			return
		}
		many = many || m[2] != "" && m[3] == ""
		if by := m[4]; by != "" && !slices.ContainsFunc(fields(field.SelectionSet),
			func(f *ast.Field) bool { return f.Alias == by }) {
			p.wrong(line, "%s: path %s: the document does not select %q of %s", what, path, by, m[1])
		}
		if set = field.SelectionSet; (i == len(path)-1) != (len(set) == 0) {
			p.wrong(line, "%s: path %s does not end at a value", what, path)
			return
		}
	}
	if all := operation == Sum || operation == Count; all != many {
		p.wrong(line, "%s: path %s: sum and count are over what a list holds (field[]), the others of one value (field[0], "+
			"field[code=X])", what, path)
	}
}

// fields returns the fields of a selection, those of its fragments among them.
func fields(set ast.SelectionSet) []*ast.Field {
	var out []*ast.Field
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			out = append(out, s)
		case *ast.InlineFragment:
			out = append(out, fields(s.SelectionSet)...)
		case *ast.FragmentSpread:
			out = append(out, fields(s.Definition.SelectionSet)...)
		}
	}
	return out
}
