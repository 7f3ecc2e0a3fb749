package stats

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

// Every estimator that takes a Stop asks it as long as it works, and gives nothing but its reason after.
func TestStop(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	sizes := []int{3, 5, 4, 6, 3, 4}
	dimensions := make([]Dimension, len(sizes))
	some := func(n, from int, share float64) (out []Cell) {
		for range n {
			c := Cell{Cluster: from + rng.IntN(12), N: float64(2 + rng.IntN(4))}
			for _, size := range sizes {
				c.Key = append(c.Key, rng.IntN(size))
			}
			for range int(c.N) {
				if rng.Float64() < share+0.05*float64(c.Cluster%3) {
					c.Sum++
				}
			}
			c.SumSq = c.Sum
			out = append(out, c)
		}
		return out
	}
	a, b := some(3000, 1, .3), some(3000, 13, .4)
	// Three dimensions are quicker for what takes long.
	few := func(cells []Cell) (out []Cell) {
		for _, c := range cells[:600] {
			c.Key = c.Key[:3]
			out = append(out, c)
		}
		return out
	}
	design, rows, err := TreatmentRows(dimensions, a, b)
	if err != nil {
		t.Fatal(err)
	}
	var groups []LikertGroup
	for i := range 60 {
		g := LikertGroup{Key: []int{i % 5, i / 5 % 4, i / 20}}
		for range 6 {
			g.Answers = append(g.Answers, Answer{Code: 1 + rng.IntN(5), Respondent: rng.IntN(80), N: 1, Weight: 1})
		}
		groups = append(groups, g)
	}
	effect := func(m EffectMethod, outcome Model) func(Stop) (any, error) {
		return func(stop Stop) (any, error) {
			return EstimateEffect(design, rows, EffectOptions{Level: .95, Method: m, Outcome: outcome, Caliper: .2,
				Stop: stop})
		}
	}
	for name, test := range map[string]struct {
		asks int // at least, if it is not stopped
		run  func(Stop) (any, error)
	}{
		"linear": {2, func(stop Stop) (any, error) {
			return Adjust(a, b, AdjustOptions{Level: .95, Dimensions: dimensions, Stop: stop})
		}},
		"logit": {4, func(stop Stop) (any, error) {
			return Adjust(a, b, AdjustOptions{Level: .95, Model: Logit, Dimensions: dimensions, Stop: stop})
		}},
		"bootstrap": {40, func(stop Stop) (any, error) {
			return Adjust(few(a), few(b), AdjustOptions{Level: .95, Covariance: Clustered, Dimensions: dimensions[:3],
				Draws: 9999, Stop: stop})
		}},
		"Kitagawa": {12, func(stop Stop) (any, error) {
			return Kitagawa(a, b, KitagawaOptions{Level: .95, Dimensions: dimensions, Stop: stop})
		}},
		"Oaxaca": {8, func(stop Stop) (any, error) {
			return OaxacaBlinder(a, b, OaxacaOptions{Level: .95, Dimensions: dimensions, Stop: stop})
		}},
		"Fairlie": {40, func(stop Stop) (any, error) {
			return Fairlie(a, b, OaxacaOptions{Level: .95, Dimensions: dimensions, Stop: stop})
		}},
		"areas": {8, func(stop Stop) (any, error) { return BetweenAreas(few(a), dimensions[:3], .95, stop) }},
		"IPW":   {20, effect(IPW, Linear)}, "AIPW": {20, effect(AIPW, Logit)},
		"matching": {30, effect(PropensityMatching, Linear)}, "exact": {20, effect(ExactMatching, Linear)},
		"survey": {60, func(stop Stop) (any, error) {
			return LikertTable(groups, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5,
				Stop: stop})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			want, err := test.run(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := test.run(func() error { asked++; return nil })
			if err != nil || !reflect.DeepEqual(estimatesIn(got), estimatesIn(want)) {
				t.Fatalf("asked whether to stop, it gives another answer: %v", err)
			}
			if asked < test.asks {
				t.Errorf("it asks %d times, want at least %d", asked, test.asks)
			}
			gone := errors.New("gone")
			for _, at := range []int{1, 2, 3, asked / 3, asked / 2, asked - 1, asked} {
				n := 0
				_, err := test.run(func() error {
					if n++; n >= at {
						return gone
					}
					return nil
				})
				if !errors.Is(err, gone) || err != gone {
					t.Errorf("stopped when asked for the time %d of %d it gave %v", at, asked, err)
				}
			}
		})
	}
}

// estimatesIn returns the estimates of an answer, which NaN do not make unequal to themselves.
func estimatesIn(answer any) (out []string) {
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		if e, ok := v.Interface().(Estimate); ok {
			out = append(out, formatCount(e.Value), e.Method, formatCount(e.Lower), formatCount(e.Upper))
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(answer))
	return out
}
