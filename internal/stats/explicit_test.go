package stats

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

// An option of 0 is used, or it is an error that says what would be right: what a caller leaves out
// is for the caller's own schema to fill in, since here it cannot be told from a 0 that is meant.
func TestNoDefaultForZero(t *testing.T) {
	a := []Cell{{Key: []int{0}, Cluster: 1, N: 40, Sum: 10, SumSq: 10},
		{Key: []int{1}, Cluster: 2, N: 40, Sum: 25, SumSq: 25}}
	b := []Cell{{Key: []int{0}, Cluster: 3, N: 50, Sum: 20, SumSq: 20},
		{Key: []int{1}, Cluster: 4, N: 30, Sum: 11, SumSq: 11}}
	rows := []TreatmentRow{
		{Pattern{X: []float64{1, 0}, N: 30, Sum: 12, SumSq: 12}, true}, {Pattern{X: []float64{1, 1}, N: 30, Sum: 21,
			SumSq: 21}, true},
		{Pattern{X: []float64{1, 0}, N: 60, Sum: 20, SumSq: 20}, false}, {Pattern{X: []float64{1, 1}, N: 30, Sum: 15,
			SumSq: 15}, false},
	}
	answers := []Answer{{5, 1, 1, 1}, {4, 2, 1, 1}, {2, 3, 1, 1}, {9, 4, 1, 1}, {1, 5, 1, 1}, {3, 6, 1, 1}}
	panel := []PanelUnit{{First: 0, Outcomes: []float64{1, 2}}, {First: 0, Outcomes: []float64{2, 2}},
		{First: 2, Outcomes: []float64{1, 4}}, {First: 2, Outcomes: []float64{2, 4}}}
	starts := []StartCells{{Start: 1, Treated: a, Controls: b}}
	call := map[string]struct {
		options any
		with    func(options any) error
	}{
		"Kitagawa": {KitagawaOptions{Level: .9},
			func(o any) error { _, err := Kitagawa(a, b, o.(KitagawaOptions)); return err }},
		"Standardise": {StandardiseOptions{Level: .9},
			func(o any) error { _, err := Standardise(a, b, o.(StandardiseOptions)); return err }},
		"StandardiseIndirectly": {StandardiseOptions{Level: .9},
			func(o any) error { _, err := StandardiseIndirectly(a, b, o.(StandardiseOptions)); return err }},
		"Direct": {DirectOptions{Level: .9, Multiplier: 1},
			func(o any) error { _, err := Direct(a, b, o.(DirectOptions)); return err }},
		"Indirect": {IndirectOptions{Level: .9, Multiplier: 1},
			func(o any) error { _, err := Indirect(a, b, o.(IndirectOptions)); return err }},
		"OaxacaBlinder": {OaxacaOptions{Level: .9},
			func(o any) error { _, err := OaxacaBlinder(a, b, o.(OaxacaOptions)); return err }},
		"Fairlie": {OaxacaOptions{Level: .9},
			func(o any) error { _, err := Fairlie(a, b, o.(OaxacaOptions)); return err }},
		"Adjust": {AdjustOptions{Level: .9, Covariance: Clustered, Draws: 99},
			func(o any) error { _, err := Adjust(a, b, o.(AdjustOptions)); return err }},
		"ShortfallOf": {ShortfallOptions{Level: .9},
			func(o any) error { _, err := ShortfallOf(a, b, nil, o.(ShortfallOptions)); return err }},
		"DifferenceOfChanges": {DifferenceOptions{Level: .9},
			func(o any) error { _, err := DifferenceOfChanges(a, b, o.(DifferenceOptions)); return err }},
		"DifferenceInDifferences": {DifferenceOptions{Level: .9}, func(o any) error {
			_, err := DifferenceInDifferences(a, b, b, a, o.(DifferenceOptions))
			return err
		}},
		"ChangesByStart": {DifferenceOptions{Level: .9},
			func(o any) error { _, err := ChangesByStart(starts, o.(DifferenceOptions)); return err }},
		"StaggeredEffects": {GroupTimeOptions{Level: .9},
			func(o any) error { _, err := StaggeredEffects([]int{1, 2}, panel, o.(GroupTimeOptions)); return err }},
		"SummariseLikert": {LikertOptions{Level: .9, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5}, func(o any) error {
			_, err := SummariseLikert(answers, o.(LikertOptions))
			return err
		}},
		"LikertTable": {LikertOptions{Level: .9, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5}, func(o any) error {
			_, err := LikertTable([]LikertGroup{{Answers: answers}}, o.(LikertOptions))
			return err
		}},
		"EstimateEffect, matched": {EffectOptions{Level: .9, Method: PropensityMatching, Caliper: .2}, func(o any) error {
			_, err := EstimateEffect(FreeDesign("x"), rows, o.(EffectOptions))
			return err
		}},
		"EstimateEffect, stratified": {EffectOptions{Level: .9, Method: Subclassification, Subclasses: 1}, func(o any) error {
			_, err := EstimateEffect(FreeDesign("x"), rows, o.(EffectOptions))
			return err
		}},
	}
	for name, c := range call {
		if err := c.with(c.options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		given := reflect.ValueOf(c.options)
		for i := range given.NumField() {
			field := given.Type().Field(i)
			isNumber := field.Type == reflect.TypeFor[float64]() || field.Type == reflect.TypeFor[int]()
			// A caliper of 0 takes equal propensities alone, which is what it says.
			if !isNumber || given.Field(i).IsZero() || field.Name == "Caliper" {
				continue
			}
			o := reflect.New(given.Type()).Elem()
			o.Set(given)
			o.Field(i).SetZero()
			if err := c.with(o.Interface()); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s takes %s: 0 with the error %v; a clear refusal was expected", name, field.Name, err)
			}
		}
	}
}

// A caliper of 0 matches equal propensities alone; by hand, with one covariate of three values of which
// the treated have the middle one to themselves.
func TestCaliperOfZero(t *testing.T) {
	rows := []TreatmentRow{
		{Pattern{X: []float64{1, 0}, N: 20, Sum: 10, SumSq: 10}, true}, {Pattern{X: []float64{1, 0}, N: 40, Sum: 10,
			SumSq: 10}, false},
		{Pattern{X: []float64{1, .1}, N: 20, Sum: 20, SumSq: 20}, true},
		{Pattern{X: []float64{1, 1}, N: 20, Sum: 10, SumSq: 10}, true}, {Pattern{X: []float64{1, 1}, N: 40, Sum: 10,
			SumSq: 10}, false},
	}
	for caliper, unmatched := range map[float64]float64{0: 20, 1: 0} {
		e, err := EstimateEffect(FreeDesign("x"), rows, EffectOptions{Level: .95, Method: PropensityMatching,
			Caliper: caliper})
		if err != nil || e.UnmatchedTreated != unmatched {
			t.Fatalf("caliper %g: %v, %+v", caliper, err, e)
		}
		if caliper == 0 {
			near(t, "effect", e.Effect.Value, .25, 1e-12)
		}
	}
}

// No code here replaces a number for being 0, as `if o.Draws == 0 { o.Draws = 999 }` would.
func TestNoZeroIsReplaced(t *testing.T) {
	files := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source)
	}
	text := func(n ast.Node) string {
		var out bytes.Buffer
		_ = printer.Fprint(&out, files, n)
		return out.String()
	}
	isZero := func(e ast.Expr) bool { l, ok := e.(*ast.BasicLit); return ok && strings.Trim(l.Value, "0.") == "" }
	found := 0
	look := func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && text(call.Fun) == "cmp.Or" {
			if _, constant := call.Args[len(call.Args)-1].(*ast.BasicLit); constant {
				t.Errorf("%s: %s", files.Position(n.Pos()), text(n))
			}
		}
		branch, ok := n.(*ast.IfStmt)
		if !ok {
			return true
		}
		condition, ok := branch.Cond.(*ast.BinaryExpr)
		if !ok || !isZero(condition.Y) || condition.Op != token.EQL && condition.Op != token.LEQ {
			return true
		}
		found++
		for _, statement := range branch.Body.List {
			if set, ok := statement.(*ast.AssignStmt); ok && text(set.Lhs[0]) == text(condition.X) {
				t.Errorf("%s: %s replaces a number that may be meant", files.Position(n.Pos()), text(set))
			}
		}
		return true
	}
	for _, source := range sources {
		ast.Inspect(source, look)
	}
	if found == 0 {
		t.Error("no comparison with 0 was found: this test reads nothing")
	}
}
