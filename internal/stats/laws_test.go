package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// cellsFrom makes two cohorts of indicator cells over two dimensions from any bytes.
func cellsFrom(data []byte) (a, b []Cell) {
	for len(data) >= 4 {
		n := float64(data[1] % 16)
		y := math.Min(n, float64(data[2]%16))
		c := Cell{Key: []int{int(data[0] % 3), int(data[0]/3) % 4}, Cluster: int(data[3] / 2 % 8), N: n, Sum: y, SumSq: y}
		if data[3]%2 == 0 {
			a = append(a, c)
		} else {
			b = append(b, c)
		}
		data = data[4:]
	}
	return a, b
}

func seedBytes(f *testing.F) {
	rng := rand.New(rand.NewPCG(201, 202))
	for length := range 12 {
		data := make([]byte, 4*length*(length+1))
		for i := range data {
			data[i] = byte(rng.UintN(256))
		}
		f.Add(data)
	}
}

// same fails unless two numbers agree to a relative 1e-9, or are both undefined.
func same(t *testing.T, name string, got, want float64) {
	t.Helper()
	near(t, name, got, want, 1e-9*(1+math.Abs(want)))
}

// Standard errors are compared by their squares: of a variance of 0 rounding leaves 1e-18.

func splitCells(cells []Cell) (out []Cell) {
	for _, c := range cells {
		half := c
		half.N, half.Sum, half.SumSq = c.N/2, c.Sum/2, c.SumSq/2
		out = append(out, half, half)
	}
	slices.Reverse(out)
	return out
}

func relabel(cells []Cell) []Cell {
	out := slices.Clone(cells)
	for i := range out {
		out[i].Key = []int{[]int{70, -2, 5}[out[i].Key[0]], 9 - 2*out[i].Key[1]}
	}
	return out
}

func FuzzKitagawaLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := cellsFrom(data)
		for _, support := range []Support{CommonSupport, BorrowRate, CollapseCells} {
			for _, opts := range []KitagawaOptions{
				{Level: .95, Support: support}, {Level: .95, Support: support, ThreeComponents: true}, {Level: .95,
					Support: support, Attribution: OrderFree}, {Level: .95, Support: support, Clustered: true},
			} {
				d, err := Kitagawa(a, b, opts)
				if err != nil {
					continue
				}
				interaction := d.Interaction.Value
				if math.IsNaN(interaction) {
					interaction = 0
				}
				same(t, "parts sum to the gap",
					d.Composition.Value+d.Rate.Value+interaction+d.OutOfSupportA.Value+d.OutOfSupportB.Value, d.Gap.Value)
				var strata float64
				for _, s := range d.Strata() {
					strata += s.Composition + s.Rate + s.Interaction
				}
				same(t, "strata sum to the parts", strata, d.Composition.Value+d.Rate.Value+interaction)
				checkContributions(t, d)

				swapped, err := Kitagawa(b, a, opts)
				if err != nil {
					t.Fatal(err)
				}
				same(t, "swapped gap", swapped.Gap.Value, -d.Gap.Value)
				if !opts.ThreeComponents {
					same(t, "swapped composition", swapped.Composition.Value, -d.Composition.Value)
					same(t, "swapped rate", swapped.Rate.Value, -d.Rate.Value)
					same(t, "swapped SE", swapped.Composition.SE*swapped.Composition.SE, d.Composition.SE*d.Composition.SE)
				}
				same(t, "swapped out of support", swapped.OutOfSupportB.Value, -d.OutOfSupportA.Value)

				split, err := Kitagawa(splitCells(a), splitCells(b), opts)
				if err != nil {
					t.Fatal(err)
				}
				compareDecompositions(t, "split cells", split, d, nil)
				if support != CollapseCells {
					renamed, err := Kitagawa(relabel(a), relabel(b), opts)
					if err != nil {
						t.Fatal(err)
					}
					compareDecompositions(t, "renamed categories", renamed, d,
						[]map[int]int{{70: 0, -2: 1, 5: 2}, {9: 0, 7: 1, 5: 2, 3: 3}})
				}
			}
		}
	})
}

func checkContributions(t *testing.T, d *Decomposition) {
	t.Helper()
	if len(d.Contributions) == 0 {
		return
	}
	var overDimensions float64
	composition, relative, rate := map[int]float64{}, map[int]float64{}, map[int]float64{}
	for _, c := range d.Contributions {
		if c.Category == -1 {
			overDimensions += c.Composition.Value
			same(t, "rate of a whole dimension", c.Rate.Value, d.Rate.Value)
		} else {
			composition[c.Dimension] += c.Composition.Value
			relative[c.Dimension] += c.Relative
			rate[c.Dimension] += c.Rate.Value
		}
	}
	same(t, "dimensions sum to composition", overDimensions, d.Composition.Value)
	for _, c := range d.Contributions {
		if c.Category == -1 {
			same(t, "categories sum to the dimension", composition[c.Dimension], c.Composition.Value)
			same(t, "relative categories sum to the dimension", relative[c.Dimension], c.Composition.Value)
			same(t, "rates of categories", rate[c.Dimension], c.Rate.Value)
		}
	}
}

// compareDecompositions compares everything; back maps renamed categories by dimension, -1 stays.
func compareDecompositions(t *testing.T, name string, got, want *Decomposition, back []map[int]int) {
	t.Helper()
	same(t, name+": composition", got.Composition.Value, want.Composition.Value)
	same(t, name+": composition SE", got.Composition.SE*got.Composition.SE, want.Composition.SE*want.Composition.SE)
	same(t, name+": rate", got.Rate.Value, want.Rate.Value)
	same(t, name+": rate SE", got.Rate.SE*got.Rate.SE, want.Rate.SE*want.Rate.SE)
	if len(got.Contributions) != len(want.Contributions) {
		t.Fatalf("%s: %d contributions, want %d", name, len(got.Contributions), len(want.Contributions))
	}
	find := map[string]Contribution{}
	for _, c := range want.Contributions {
		find[fmt.Sprint(c.Dimension, c.Category)] = c
	}
	for _, c := range got.Contributions {
		category := c.Category
		if back != nil && category != -1 {
			category = back[c.Dimension][category]
		}
		w := find[fmt.Sprint(c.Dimension, category)]
		same(t, name+": contribution", c.Composition.Value, w.Composition.Value)
		same(t, name+": contribution SE", c.Composition.SE*c.Composition.SE, w.Composition.SE*w.Composition.SE)
		same(t, name+": relative contribution", c.Relative, w.Relative)
		same(t, name+": rate contribution", c.Rate.Value, w.Rate.Value)
	}
}

func FuzzRegressionLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := cellsFrom(data)
		design, err := NewDesign(nil, true, a, b)
		if err != nil {
			t.Fatal(err)
		}
		patterns, err := design.Patterns(a, true)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := design.Patterns(b, false)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, rest...)
		for _, opts := range []FitOptions{{}, {Covariance: Clustered}, {Model: Logit},
			{Model: Logit, Covariance: Classical}} {
			g, err := Fit(design, patterns, opts)
			r, rowErr := Fit(design, rowsOf(patterns), opts)
			if (err == nil) != (rowErr == nil) {
				t.Fatalf("cells: %v, rows: %v", err, rowErr)
			}
			if err != nil {
				continue
			}
			if slices.Compare(g.Separated, r.Separated) != 0 {
				t.Fatalf("separated in cells %q, in rows %q", g.Separated, r.Separated)
			}
			for j := range g.Coef {
				near(t, "coefficient of "+design.Terms[j].Name, g.Coef[j], r.Coef[j], 1e-7)
				// Where nothing varies one of them may find the rounding that the other finds none: no SE is 0 then.
				inCells, inRows := orNone(g.Coefficient(j, .95).SE), orNone(r.Coefficient(j, .95).SE)
				near(t, "its SE", inCells, inRows, 1e-6*(1+inRows))
				if math.Abs(g.Coef[j]) > 50 {
					t.Errorf("%s = %g in a fit that claims to have converged", design.Terms[j].Name, g.Coef[j])
				}
			}
			more := slices.Clone(patterns)
			more = append(more, more[0])
			again, err := Fit(design, more, opts)
			if err == nil && opts.Model == Linear && again.Observations != g.Observations+patterns[0].N {
				t.Errorf("a duplicate of %g observations moved n from %g to %g", patterns[0].N, g.Observations, again.Observations)
			}
		}
		for _, model := range []Model{Linear, Logit} {
			adjusted, err := Adjust(a, b, AdjustOptions{Level: .95, Model: model})
			if err != nil {
				continue
			}
			swapped, err := Adjust(b, a, AdjustOptions{Level: .95, Model: model})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "swapped adjusted gap", swapped.Adjusted.Value, -adjusted.Adjusted.Value, 1e-8)
			near(t, "swapped odds ratio", math.Log(swapped.OddsRatio.Value), -math.Log(adjusted.OddsRatio.Value), 1e-7)
			split, err := Adjust(splitCells(a), splitCells(b), AdjustOptions{Level: .95, Model: model})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "split cells", split.Adjusted.Value, adjusted.Adjusted.Value, 1e-8)
			near(t, "split cells SE", split.Adjusted.SE, adjusted.Adjusted.SE, 1e-8)
		}
	})
}

func FuzzOaxacaLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := cellsFrom(data)
		for reference := Pooled; reference <= Cotton; reference++ {
			opts := OaxacaOptions{Level: .95, Reference: reference}
			mirror := reference
			switch reference {
			case ReferenceA:
				mirror = ReferenceB
			case ReferenceB:
				mirror = ReferenceA
			}
			if o, err := OaxacaBlinder(a, b, opts); err == nil {
				same(t, "threefold parts", o.Endowments.Value+o.Coefficients.Value+o.Interaction.Value, o.Gap.Value)
				same(t, "twofold parts", o.Explained.Value+o.Unexplained.Value, o.Gap.Value)
				same(t, "unexplained parts", o.UnexplainedA.Value+o.UnexplainedB.Value, o.Unexplained.Value)
				var explained, unexplained float64
				for _, term := range o.Terms {
					explained += term.Explained.Value
					unexplained += term.Unexplained.Value
				}
				same(t, "terms sum to explained", explained, o.Explained.Value)
				same(t, "terms sum to unexplained", unexplained, o.Unexplained.Value)
				same(t, "gap of all", o.Gap.Value+o.OutOfSupport, Total(a).Mean()-Total(b).Mean())
				swapped, err := OaxacaBlinder(b, a, OaxacaOptions{Level: .95, Reference: mirror})
				if err != nil {
					t.Fatal(err)
				}
				same(t, "swapped explained", swapped.Explained.Value, -o.Explained.Value)
				same(t, "swapped unexplained", swapped.Unexplained.Value, -o.Unexplained.Value)
				if len(o.Warnings) == 0 {
					renamed, err := OaxacaBlinder(relabel(a), relabel(b), opts)
					if err != nil {
						t.Fatal(err)
					}
					back := []map[int]int{{70: 0, -2: 1, 5: 2}, {9: 0, 7: 1, 5: 2, 3: 3}}
					for _, term := range renamed.Terms {
						for _, w := range o.Terms {
							if w.Term.Dimension == term.Term.Dimension && (term.Term.Dimension == -1 ||
								w.Term.Category == back[term.Term.Dimension][term.Term.Category]) {
								same(t, "renamed explained", term.Explained.Value, w.Explained.Value)
								same(t, "renamed unexplained", term.Unexplained.Value, w.Unexplained.Value)
								same(t, "renamed unexplained SE", term.Unexplained.SE*term.Unexplained.SE, w.Unexplained.SE*w.Unexplained.SE)
							}
						}
					}
				}
			}
			n, err := Fairlie(a, b, opts)
			if err != nil {
				continue
			}
			near(t, "Fairlie parts", n.Explained.Value+n.Unexplained.Value, n.Gap.Value, 1e-8)
			if reference != Pooled {
				swapped, err := Fairlie(b, a, OaxacaOptions{Level: .95, Reference: mirror})
				if err != nil {
					t.Fatal(err)
				}
				near(t, "swapped Fairlie", swapped.Explained.Value, -n.Explained.Value, 1e-8)
			}
			var explained float64
			for _, term := range n.Terms {
				explained += term.Explained.Value
			}
			if !math.IsNaN(explained) {
				near(t, "Yun's terms", explained, n.Explained.Value, 1e-8)
			}
		}
	})
}

func FuzzIntervalLaws(f *testing.F) {
	f.Add(3.0, 10.0, 5.0, 9.0, 0.95)
	f.Add(0.0, 10.0, 9.0, 9.0, 0.5)
	f.Add(1e-9, 1e9, 2.5, 2.5, 0.999)
	f.Add(-1.0, 0.0, math.Inf(1), math.NaN(), 1.0)
	f.Fuzz(func(t *testing.T, x1, n1, x2, n2, level float64) {
		for name, one := range map[string]func(x, n, level float64) Estimate{
			"Wilson": Wilson, "ClopperPearson": ClopperPearson, "AgrestiCoull": AgrestiCoull, "Wald": Wald,
		} {
			e := one(x1, n1, level)
			if math.IsNaN(e.Value) {
				if len(e.Warnings) == 0 {
					t.Errorf("%s(%g, %g, %g) is undefined without a reason", name, x1, n1, level)
				}
				continue
			}
			if n1 > 1e12 || n1 < 1e-6 {
				continue // the incomplete beta function has no digits left there
			}
			if name == "Wald" && math.IsNaN(e.SE) && math.IsNaN(e.Lower) && math.IsNaN(e.Upper) {
				continue // all or none
			}
			if !(e.Lower >= 0 && e.Upper <= 1 && e.Lower <= e.Upper) {
				t.Errorf("%s(%g, %g, %g) = [%g, %g]", name, x1, n1, level, e.Lower, e.Upper)
			}
			if name == "Wilson" && !(e.Lower <= e.Value && e.Value <= e.Upper) {
				t.Errorf("%s(%g, %g, %g): %g is not in [%g, %g]", name, x1, n1, level, e.Value, e.Lower, e.Upper)
			}
		}
		for name, two := range map[string]func(x1, n1, x2, n2, level float64) Estimate{
			"Difference": Difference, "AgrestiCaffo": AgrestiCaffo, "WaldDifference": WaldDifference,
			"MiettinenNurminen": MiettinenNurminen,
		} {
			e, s := two(x1, n1, x2, n2, level), two(x2, n2, x1, n1, level)
			if math.IsNaN(e.Value) != math.IsNaN(s.Value) {
				t.Errorf("%s is undefined one way only", name)
			}
			if math.IsNaN(e.Value) || n1 < 1 || n2 < 1 || n1 > 1e9 || n2 > 1e9 || level > 0.9999 {
				continue
			}
			near(t, name+" swapped", s.Value, -e.Value, 1e-12)
			near(t, name+" swapped bound", s.Lower, -e.Upper, 1e-6)
		}
		if r, s := Ratio(x1, n1, x2, n2, level), Ratio(x2, n2, x1, n1, level); r.Lower > 1e-100 && s.Lower > 1e-100 &&
			level < 0.9999 {
			near(t, "inverse ratio", math.Log(s.Lower), -math.Log(r.Upper), 1e-6*(1+math.Abs(math.Log(r.Upper))))
		}
		ExactCount(x1, level)
		Byar(x1, level)
		Mean(n1, x1, x2, level)
		SMR(x1, n1, level)
	})
}

func FuzzSegregationLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := cellsFrom(data)
		s, err := Segregate(a, b, nil, .95)
		if err != nil {
			return
		}
		w, err := Segregate(b, a, nil, .95)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "D either way", w.Dissimilarity.Value, s.Dissimilarity.Value)
		same(t, "H either way", w.Theil, s.Theil)
		same(t, "expected D either way", w.ExpectedDissimilarity, s.ExpectedDissimilarity)
		same(t, "isolation and interaction", s.Isolation.Value+s.Interaction.Value, 1)
		same(t, "interaction either way", w.Interaction.Value*(1-s.Share), s.Interaction.Value*s.Share)
		for name, v := range map[string]float64{"D": s.Dissimilarity.Value, "H": s.Theil, "Gini": s.Gini,
			"Atkinson": s.Atkinson, "expected": s.ExpectedDissimilarity} {
			if !(v >= -1e-9 && v <= 1+1e-9) {
				t.Errorf("%s = %g", name, v)
			}
		}
		if s.Gini < s.Dissimilarity.Value-1e-9 {
			t.Errorf("Gini %g is below D %g", s.Gini, s.Dissimilarity.Value)
		}
		split, err := Segregate(splitCells(a), splitCells(b), nil, .95)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "split cells", split.Dissimilarity.Value, s.Dissimilarity.Value)
		m, err := SegregateGroups([][]Cell{a, b}, 1)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "H of two groups", m.Theil, s.Theil)
		if m.Within < -1e-9 || m.Between < -1e-9 {
			t.Errorf("information between %g, within %g", m.Between, m.Within)
		}
	})
}

// FuzzNothingPanics feeds every estimator cells that no database should hold.
func FuzzNothingPanics(f *testing.F) {
	seedBytes(f)
	palette := []float64{0, 1, 2, 5, 40, 0.5, -1, 1e-300, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 1e9, 3, 7, 2}
	keys := []int{0, 1, 2, -1, 100, 1 << 20, math.MaxInt, math.MinInt}
	f.Fuzz(func(t *testing.T, data []byte) {
		var sides [3][]Cell
		tame := len(data) > 0 && data[0]%2 == 0 // sums of an indicator, or anything at all
		for len(data) >= 6 {
			c := Cell{Cluster: int(data[1] % 4), N: palette[data[2]%16], Sum: palette[data[3]%16], SumSq: palette[data[4]%16]}
			if tame {
				c.N = math.Abs(palette[data[2]%6])
				c.Sum = math.Min(c.N, math.Abs(palette[data[3]%6]))
				c.SumSq = c.Sum
			}
			for d := range int(data[1]/4) % 4 {
				c.Key = append(c.Key, keys[int(data[0]>>(2*d))%len(keys)])
			}
			if tame {
				c.Key = []int{keys[data[0]%8], keys[data[0]/8%8]}
			}
			sides[data[5]%3] = append(sides[data[5]%3], c)
			data = data[6:]
		}
		a, b, shared := sides[0], sides[1], sides[2]
		if len(shared) > 2 {
			shared = nil
		}
		for _, s := range [][]Cell{nil, shared} {
			for _, opts := range []KitagawaOptions{{Level: .95, Shared: s}, {Level: .95, Shared: s, Support: CollapseCells},
				{Level: .95, Shared: s, Support: BorrowRate, Clustered: true}, {Level: .95, Shared: s, Attribution: OrderFree,
					FixedWeights: true}} {
				if d, err := Kitagawa(a, b, opts); err == nil {
					d.Strata()
				}
			}
			_, _ = Standardise(a, b, StandardiseOptions{Level: .95, Shared: s})
			_, _ = StandardiseIndirectly(a, b, StandardiseOptions{Level: .95, Shared: s})
			for _, model := range []Model{Linear, Logit} {
				_, _ = Adjust(a, b, AdjustOptions{Level: .95, Model: model, Shared: s})
				_, _ = Adjust(a, b, AdjustOptions{Level: .95, Model: model, Covariance: Clustered, Draws: 99, Shared: s})
			}
			_, _ = OaxacaBlinder(a, b, OaxacaOptions{Level: .95, Shared: s})
			_, _ = Fairlie(a, b, OaxacaOptions{Level: .95, Shared: s, Clustered: true})
			_, _ = Segregate(a, b, s, .95)
		}
		for _, interval := range []Interval{EffectiveWilson, DobsonByar, FayFeuer} {
			_, _ = Direct(a, b, DirectOptions{Level: .95, Multiplier: 1, Interval: interval})
		}
		_, _ = Indirect(a, b, IndirectOptions{Level: .95, Multiplier: 1})
		if design, rows, err := TreatmentRows(nil, a, b); err == nil {
			for method := Unadjusted; method <= Subclassification; method++ {
				_, _ = EstimateEffect(design, rows, EffectOptions{Level: .95, Caliper: .2, Subclasses: 6, Method: method,
					Probit: tame})
				_, _ = EstimateEffect(design, rows, EffectOptions{Level: .95, Caliper: .2, Subclasses: 6, Method: method,
					Estimand: OnAll, Outcome: Logit, Clustered: true, Trim: .2})
			}
			_, _ = Balance(design, rows, .95)
		}
		half := func(cells []Cell) ([]Cell, []Cell) { return cells[:len(cells)/2], cells[len(cells)/2:] }
		a0, a1 := half(a)
		b0, b1 := half(b)
		for _, opts := range []DifferenceOptions{{Level: .95}, {Level: .95, Pooled: true}, {Level: .95, Clustered: true}} {
			_, _ = DifferenceInDifferences(a0, a1, b0, b1, opts)
			_, _ = DifferenceOfChanges(a, b, opts)
		}
		var answers []Answer
		var units []PanelUnit
		var x, n, scores []float64
		for i, c := range a {
			answers = append(answers, Answer{Code: i % 7, Respondent: c.Cluster, N: c.N, Weight: c.Sum})
			units = append(units, PanelUnit{First: i % 4, Outcomes: []float64{c.N, c.Sum, c.SumSq}, Cluster: c.Cluster})
			x, n, scores = append(x, c.Sum), append(n, c.N), append(scores, c.SumSq)
		}
		_, _ = SummariseLikert(answers, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 1})
		if r, err := StaggeredEffects([]int{1, 2, 3}, units, GroupTimeOptions{Level: .95, NotYetTreated: tame,
			Clustered: !tame}); err == nil {
			r.Simple()
			r.ByExposure()
			r.ByGroup()
			r.ByPeriod()
		}
		_, _ = Trend(x, n, scores, .95)
		_, _ = SegregateGroups(sides[:], 1)
		_, _ = BetweenAreas(a, nil, .95, nil)
		_, _ = SlopeIndexOf(a, .95)
		_, _ = KitagawaPopulations(sides[:], nil)
		Gap(Total(a), Total(b), Total(shared), .95)
		ClusteredMean(a, .95)
		ClusteredGap(a, b, shared, .95)
		ClusteredRatio(a, b, shared, .95)
		_, _ = ClusteredTrend(a, []float64{2010, 2011, 2013}, .95)
	})
}

// orNone is a standard error, 0 where there is none.
func orNone(se float64) float64 {
	if math.IsNaN(se) {
		return 0
	}
	return se
}
