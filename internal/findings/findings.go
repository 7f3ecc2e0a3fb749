// Package findings holds what the study states, slide by slide: each statement with its figures, the
// question that gives them and how the two are compared. Statements are data; what is here reads and
// checks them, and reads a figure out of an answer. It asks nothing itself.
package findings

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Basis is what a figure rests on.
type Basis string

const (
	Published Basis = "PUBLISHED" // printed as a number
	Release   Basis = "RELEASE"   // stated in words, or beside the study
	Derived   Basis = "DERIVED"   // arithmetic from figures with the marks in Inputs
	Assumed   Basis = "ASSUMED"   // nothing published was found
)

// Source is where a figure stands.
type Source struct{ Name, Title, Publisher string }

// Finding is one statement of the study.
type Finding struct {
	ID        string
	Slide     int
	Statement contract.Text
	Document  string // the GraphQL document that gives the figures
	Query     *ast.QueryDocument
	Notebook  string  // the file that explains it, within the folder notebooks
	Section   *string // the heading within it; nil if it is the notebook's subject
	Figures   []*Figure
}

// Figure is one figure of a finding.
type Figure struct {
	Name      string
	Label     contract.Text
	Words     contract.Text // as published, where it is words; else empty
	Published *float64      // nil where it is words, and of what is assumed
	From, To  *float64      // it agrees from here to there, both included; nil where there is nothing to agree with
	How       contract.Text // how it is compared, or what it is
	Unit      string
	Basis     Basis
	Inputs    []Basis // of Derived: the marks of what it is computed from
	Source    *Source // nil of what is assumed
	Gives     *Expression
	Missing   contract.Text // why no data set of these tables gives it; else empty
}

// Expression reads one number out of the answer to a finding's document.
type Expression struct {
	Operation Operation
	Paths     []Path
	Equals    string  // of Count; "" for whatever is not null
	Times     float64 // the result is multiplied by it
}

// Operation is the arithmetic of an expression.
type Operation string

const (
	Value Operation = "value" // what is at the path
	Sum   Operation = "sum"   // of all that is at the path
	// of what is at the path and equals a text, or of all; if nothing at a second path does
	Count      Operation = "count"
	Difference Operation = "difference" // first minus second
	Ratio      Operation = "ratio"      // first over second
)

// Path leads through an answer: names of fields or their aliases, those of lists with [] behind them,
// [n] for the element in place n, from 0, or [code=X] for the one element whose field code is X.
type Path []string

func (p Path) String() string { return strings.Join(p, ".") }

// Result is what a data set gives for a figure. Exactly one of the two is set.
type Result struct {
	Value   *float64
	Missing *contract.Text // why it gives none
}

// Answer returns what the data set answers to the field of the finding's document with that name or
// alias. An error of a kind a user can read, other than Forbidden, says why the data set has no answer.
type Answer func(field string) (any, error)

// Reproduce reads the figure out of the answers. A data set that cannot give it is no error.
func (f *Figure) Reproduce(answer Answer) (Result, error) {
	if f.Gives == nil {
		return Result{Missing: &f.Missing}, nil
	}
	v, err := f.Gives.evaluate(answer)
	var absent absence
	switch kind := fault.KindOf(err); {
	case err == nil:
		return Result{Value: &v}, nil
	case errors.As(err, &absent):
		return Result{Missing: &contract.Text{DA: absent.DA, EN: absent.EN}}, nil
	case kind == fault.NotRecorded, kind == fault.NotFound, kind == fault.Invalid:
		// The document fits the schema, so what is wrong with it is wrong for this data set.
		return Result{Missing: &contract.Text{DA: "Datasættet kan ikke give tallet. Serveren svarer: " + err.Error(),
			EN: "This data set cannot give it: " + err.Error()}}, nil
	}
	return Result{}, err
}

// Agrees says whether a value agrees with what was published; nil where there is none, or nothing
// to agree with.
func (f *Figure) Agrees(value *float64) *bool {
	if value == nil || f.From == nil {
		return nil
	}
	agrees := *f.From <= *value && *value <= *f.To
	return &agrees
}

// absence is why an answer has no number at a path.
type absence contract.Text

func (a absence) Error() string { return a.EN }

func (e *Expression) evaluate(answer Answer) (float64, error) {
	values := make([][]any, len(e.Paths))
	found := 0
	for i, p := range e.Paths {
		name, _, _ := strings.Cut(p[0], "[")
		root, err := answer(name)
		if err != nil {
			return 0, err
		}
		if values[i], err = p.find(map[string]any{name: root}); err != nil {
			return 0, err
		}
		found += len(values[i])
		if len(values[i]) == 0 && e.Operation != Count || i == len(e.Paths)-1 && found == 0 {
			return 0, absence{DA: fmt.Sprintf("Datasættet har intet under %s.", p),
				EN: fmt.Sprintf("This data set has nothing at %s.", p)}
		}
	}
	if e.Operation == Count {
		counts := make([]int, len(values))
		for i, list := range values {
			for _, v := range list {
				if v != nil && (e.Equals == "" || fmt.Sprint(v) == e.Equals) {
					counts[i]++
				}
			}
		}
		if len(counts) == 2 && counts[1] > 0 {
			return 0, absence{DA: fmt.Sprintf("Om %d er %s, kan ikke afgøres: der mangler tal.", counts[1], e.Equals),
				EN: fmt.Sprintf("Whether %d are %s cannot be told: figures are missing.", counts[1], e.Equals)}
		}
		return float64(counts[0]) * e.Times, nil
	}
	numbers := make([]float64, len(e.Paths))
	for i, list := range values {
		for _, v := range list {
			x, err := number(v, e.Paths[i])
			if err != nil {
				return 0, err
			}
			numbers[i] += x
		}
	}
	switch e.Operation {
	case Difference:
		return (numbers[0] - numbers[1]) * e.Times, nil
	case Ratio:
		if numbers[1] == 0 {
			return 0, absence{DA: fmt.Sprintf("%s er 0, så der er intet at dividere med.", e.Paths[1]),
				EN: fmt.Sprintf("%s is 0, so there is nothing to divide by.", e.Paths[1])}
		}
		return numbers[0] / numbers[1] * e.Times, nil
	}
	return numbers[0] * e.Times, nil
}

// find returns all that is at the path; the elements of a list that is null are none.
func (p Path) find(at any) ([]any, error) {
	here := []any{at}
	for _, step := range p {
		name, index, isList := strings.Cut(strings.TrimSuffix(step, "]"), "[")
		var next []any
		for _, x := range here {
			object, ok := x.(map[string]any)
			if x == nil { // what is below it is null, too
				next = append(next, nil)
				continue
			}
			value, there := object[name]
			if !ok || !there {
				return nil, fmt.Errorf("the answer has no %s of %s", name, p)
			}
			list, ok := value.([]any)
			switch {
			case !isList:
				next = append(next, value)
			case value != nil && !ok:
				return nil, fmt.Errorf("%s of %s is no list", name, p)
			case index == "":
				next = append(next, list...)
			case strings.Contains(index, "="):
				chosen, err := choose(list, index)
				if err != nil {
					return nil, fmt.Errorf("%s of %s: %w", name, p, err)
				}
				next = append(next, chosen...)
			default:
				if n, err := strconv.Atoi(index); err == nil && n < len(list) {
					next = append(next, list[n])
				}
			}
		}
		here = next
	}
	return here, nil
}

// choose returns the one element of a list whose field has the value, as "code=X" names them.
func choose(list []any, index string) (out []any, err error) {
	field, value, _ := strings.Cut(index, "=")
	for _, x := range list {
		if object, ok := x.(map[string]any); ok && object[field] != nil && fmt.Sprint(object[field]) == value {
			out = append(out, x)
		}
	}
	if len(out) > 1 {
		return nil, fmt.Errorf("%d elements have %s; one was expected", len(out), index)
	}
	return out, nil
}

func number(v any, p Path) (float64, error) {
	switch v := v.(type) {
	case nil:
		return 0, absence{DA: fmt.Sprintf("Datasættet giver ingen værdi for %s.", p),
			EN: fmt.Sprintf("This data set gives no value for %s.", p)}
	case json.Number:
		return v.Float64()
	case float64:
		return v, nil
	}
	return 0, fmt.Errorf("%s is %v; a number was expected", p, v)
}
