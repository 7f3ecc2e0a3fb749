package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestLikertMathAnxietyCase(t *testing.T) {
	c := openCase(t, "likert_math_anxiety")
	rows := c.rows()
	for item := range 14 {
		name := fmt.Sprintf("q%02d", item+1)
		answers := map[string][]Answer{}
		for i, r := range rows {
			a := Answer{Code: int(c.number(r[name])), Respondent: i, N: 1, Weight: 1}
			for _, group := range []string{"", r["Gender"]} {
				answers[group] = append(answers[group], a)
			}
		}
		for group, list := range answers {
			s, err := SummariseLikert(list, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
			if err != nil {
				t.Fatal(err)
			}
			path := []any{"items", item}
			if group != "" {
				path = []any{"by_gender", group, item}
			}
			at := func(key string, more ...any) []any { return append(append(slices.Clone(path), key), more...) }
			if group == "" {
				for l, level := range s.Levels {
					c.check(100*level.Share.Value, at("pct", l)...)
				}
			}
			c.check(100*s.Negative.Value, at("low")...)
			c.check(100*s.Levels[2].Share.Value, at("neutral")...)
			c.check(100*s.Positive.Value, at("high")...)
			c.check(s.Mean.Value, at("mean")...)
			c.check(s.SD, at("sd")...)
			near(t, "net", s.Net.Value, s.Positive.Value-s.Negative.Value, 1e-12)
			w := Wilson(s.Positive.Numerator, s.Valid, .95)
			near(t, "lower", s.Positive.Lower, w.Lower, 0)
			near(t, "mean's error", s.Mean.SE, s.SD/math.Sqrt(s.Valid), 1e-12)
			if len(s.Mean.Warnings) == 0 {
				t.Error("a mean of ordinal answers does not say so")
			}
		}
	}
}

func TestLikertByHand(t *testing.T) {
	// Two items each; weights 1, 2, 1, 1, 1, 2. Valid codes and the rest:
	answers := []Answer{
		{5, 1, 1, 1}, {4, 1, 1, 1}, {2, 2, 1, 2}, {9, 2, 1, 2}, {4, 3, 1, 1}, {0, 3, 1, 1},
		{1, 4, 1, 1}, {3, 4, 1, 1}, {5, 5, 1, 1}, {5, 5, 1, 1}, {9, 6, 1, 2}, {0, 6, 1, 2},
	}
	s, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
	if err != nil {
		t.Fatal(err)
	}
	if s.Valid != 8 || s.DontKnowCount != 2 || s.NoAnswerCount != 2 || s.Respondents != 5 {
		t.Errorf("%+v", s)
	}
	// the unit of the weights means nothing, however small or large
	for _, unit := range []float64{1e-200, 1e200} {
		scaled := slices.Clone(answers)
		for i := range scaled {
			scaled[i].Weight *= unit
		}
		u, err := SummariseLikert(scaled, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range map[string][2]Estimate{"positive": {u.Positive, s.Positive}, "net": {u.Net, s.Net},
			"mean": {u.Mean, s.Mean}} {
			near(t, name+" in another unit", e[0].Value, e[1].Value, 1e-12)
			near(t, name+" in another unit, lower", e[0].Lower, e[1].Lower, 1e-12)
		}
	}
	// five that answer alike: the net share has no width, and says that this is no certainty
	alike, err := SummariseLikert([]Answer{{5, 1, 1, 1}, {5, 2, 1, 1}, {5, 3, 1, 1}, {5, 4, 1, 1}, {5, 5, 1, 1}},
		LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
	if err != nil || alike.Net.Value != 1 || len(alike.Net.Warnings) == 0 || !(alike.Positive.Lower < .6) {
		t.Errorf("all alike: %+v, %v", alike, err)
	}
	// Weights of valid answers add up to 9, positive ones to 5.
	near(t, "positive", s.Positive.Value, 5./9, 1e-12)
	near(t, "mean", s.Mean.Value, (5+4+2*2+4+1+3+5+5)/9., 1e-12)
	near(t, "don't know", s.DontKnow.Value, 4./16, 1e-12)
	near(t, "no answer", s.NoAnswer.Value, 3./16, 1e-12)
	near(t, "positive, count", s.Positive.Numerator, 5, 0)
	// Deviations Σ w (x - 5/9) by respondent: 8/9, -10/9, 4/9, -10/9, 8/9.
	variance := (64. + 100 + 16 + 100 + 64) / 81 / 81 * 5 / 4
	p := 5. / 9
	n := p * (1 - p) / variance
	if n >= 8 {
		t.Fatalf("the example is meant to have fewer than 8 effective answers, has %g", n)
	}
	near(t, "error", s.Positive.SE*s.Positive.SE, variance, 1e-12)
	lower, upper := wilsonBounds(p*n, n, studentQuantile(.95, 4))
	near(t, "lower", s.Positive.Lower, lower, 1e-12)
	near(t, "upper", s.Positive.Upper, upper, 1e-12)
	// Doubling all weights changes nothing.
	for i := range answers {
		answers[i].Weight *= 2
	}
	again, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "doubled weights", again.Positive.Upper, upper, 1e-12)
	near(t, "their mean's error", again.Mean.SE, s.Mean.SE, 1e-12)

	for _, bad := range [][]Answer{{{7, 1, 1, 1}}, {{1, 1, 1, -1}}, {{1, 1, math.NaN(), 1}}, {{1, 1, 1, math.Inf(1)}}} {
		if _, err := SummariseLikert(bad, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2,
			Minimum: 5}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for _, opts := range []LikertOptions{{Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5, Level: 7},
		{Level: .95, DontKnow: 9, Positive: 2, Minimum: 5, Levels: 1},
		{Level: .95, DontKnow: 9, Positive: 2, Minimum: 5, Levels: 9},
		{Level: .95, Levels: 5, DontKnow: 9, Minimum: 5, Positive: 3},
		{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: -1}} {
		if _, err := SummariseLikert(answers, opts); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}

func TestFewRespondentsAreHidden(t *testing.T) {
	answers := []Answer{{5, 1, 1, 1}, {4, 1, 1, 1}, {5, 2, 1, 1}, {3, 3, 1, 1}, {2, 4, 1, 1}, {9, 5, 1, 1}, {0, 6, 1, 1}}
	s, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Suppressed || s.Valid != 0 || s.DontKnowCount != 0 || s.Respondents != 0 {
		t.Errorf("four respondents are shown: %+v", s)
	}
	for _, e := range []Estimate{s.Positive, s.Negative, s.Net, s.Mean, s.DontKnow, s.NoAnswer, s.Levels[0].Share} {
		if !math.IsNaN(e.Value) || !math.IsNaN(e.Numerator) || !math.IsNaN(e.Denominator) || !math.IsNaN(e.Upper) {
			t.Errorf("hidden, but %+v", e)
		}
	}
	shown, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 4})
	if err != nil {
		t.Fatal(err)
	}
	if shown.Suppressed || shown.Valid != 5 {
		t.Errorf("%+v", shown)
	}
	if d := LikertDifference(s, shown); !math.IsNaN(d.Value) || len(d.Warnings) == 0 {
		t.Errorf("a hidden group is compared: %+v", d)
	}
	none, err := SummariseLikert(nil, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 1})
	if err != nil || !none.Suppressed {
		t.Errorf("no answers: %+v, %v", none, err)
	}
}

// Newcombe 1998, Stat. Med. 17:873, table II: 56/70 beside 48/80, method 10: .2 (.0524 to .3339).
func TestLikertDifferenceAgainstNewcombe(t *testing.T) {
	group := func(first, positive, n int) *LikertScale {
		var answers []Answer
		for i := range n {
			code := 3
			if i < positive {
				code = 4 + i%2
			}
			answers = append(answers, Answer{Code: code, Respondent: first + i, N: 1, Weight: 1})
		}
		s, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	d := LikertDifference(group(0, 56, 70), group(100, 48, 80))
	near(t, "difference", d.Value, .2, 1e-12)
	near(t, "lower", d.Lower, .0524, 5e-5)
	near(t, "upper", d.Upper, .3339, 5e-5)
}

func FuzzLikertLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var answers, reversed, shuffled []Answer
		for len(data) >= 3 {
			a := Answer{Code: []int{1, 2, 3, 4, 5, 9, 0}[data[0]%7], Respondent: int(data[1] % 9), N: 1,
				Weight: float64(1+data[2]%4) / 2}
			answers = append(answers, a)
			b := a
			if a.Code >= 1 && a.Code <= 5 {
				b.Code = 6 - a.Code
			}
			reversed = append(reversed, b)
			shuffled = append([]Answer{a}, shuffled...)
			data = data[3:]
		}
		summary := func(answers []Answer) *LikertScale {
			s, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 2})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s, r, o := summary(answers), summary(reversed), summary(shuffled)
		if s.Suppressed {
			return
		}
		var shares, counts float64
		for l, level := range s.Levels {
			shares += level.Share.Value
			counts += level.N
			same(t, "reversed level", r.Levels[4-l].Share.Value, level.Share.Value)
			same(t, "reversed bound", r.Levels[4-l].Share.Upper, level.Share.Upper)
			if !(level.Share.Lower <= level.Share.Value+1e-12 && level.Share.Value <= level.Share.Upper+1e-12) {
				t.Errorf("share outside its interval: %+v", level.Share)
			}
		}
		same(t, "shares sum to 1", shares, 1)
		if counts != s.Valid || s.Valid+s.DontKnowCount+s.NoAnswerCount != float64(len(answers)) {
			t.Errorf("%g counted, %g valid of %d", counts, s.Valid, len(answers))
		}
		same(t, "reversed mean", r.Mean.Value, 6-s.Mean.Value)
		same(t, "reversed positive", r.Positive.Value, s.Negative.Value)
		same(t, "reversed net", r.Net.Value, -s.Net.Value)
		same(t, "net", s.Net.Value, s.Positive.Value-s.Negative.Value)
		same(t, "order of answers", o.Positive.Upper, s.Positive.Upper)
	})
}

// Answers of a respondent to four items are alike: intervals that took them as independent would
// cover far less than 95 %.
func TestLikertIntervalsCoverTheirLevel(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulation")
	}
	rng := rand.New(rand.NewPCG(71, 72))
	// Leaning and noise are normal with variance 1 each; above 0.5 is positive.
	truth := 0.5 * math.Erfc(.5/2)
	const draws = 1500
	var covered, naive int
	for range draws {
		var answers []Answer
		var x, n float64
		for respondent := range 60 {
			leaning, weight := rng.NormFloat64(), .7+.6*rng.Float64()
			for range 4 {
				a := Answer{Code: 3, Respondent: respondent, N: 1, Weight: weight}
				if leaning+rng.NormFloat64() > .5 {
					a.Code = 4
					x++
				}
				n++
				answers = append(answers, a)
			}
		}
		s, err := SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
		if err != nil {
			t.Fatal(err)
		}
		if s.Positive.Lower <= truth && truth <= s.Positive.Upper {
			covered++
		}
		if w := Wilson(x, n, .95); w.Lower <= truth && truth <= w.Upper {
			naive++
		}
	}
	t.Logf("%.1f %% by respondent, %.1f %% as if independent", 100*float64(covered)/draws, 100*float64(naive)/draws)
	if share := float64(covered) / draws; share < .935 || share > .97 {
		t.Errorf("covers %.1f %%", 100*share)
	}
	if share := float64(naive) / draws; share > .9 {
		t.Errorf("independent answers would cover %.1f %%: the example shows nothing", 100*share)
	}
}
