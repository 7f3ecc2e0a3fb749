package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// degenerate draws two cohorts over the same strata where little or nothing varies: none or all with an
// indicator, all answers equal (to numbers that have no exact binary form among them), one observation,
// one cluster, or the same figures on both sides; and, of each, what both contain.
func degenerate(rng *rand.Rand) (a, b, shared []Cell) {
	pick := func(list ...float64) float64 { return list[rng.IntN(len(list))] }
	strata, clusters := 1+rng.IntN(3), 1+rng.IntN(3)
	constant := pick(4, 0.1, 1e6/3, -7)
	measure := rng.IntN(3) == 0
	side := func(mode int) (cells []Cell) {
		for k := range strata {
			for g := range clusters {
				n := pick(1, 1, 2, 9, 35, 105)
				c := Cell{Key: []int{k}, Cluster: g, N: n}
				switch {
				case mode == 0: // none, or all 4s
					if measure {
						c.Sum, c.SumSq = n*constant, n*constant*constant
					}
				case mode == 1: // all
					c.Sum, c.SumSq = n, n
				case mode == 2 && !measure: // all or none, by stratum
					c.Sum = n * float64(k%2)
					c.SumSq = c.Sum
				case mode == 2: // each stratum its own number
					x := constant * float64(k+1)
					c.Sum, c.SumSq = n*x, n*x*x
				case mode == 3: // equal means
					c.N = 4 * n
					c.Sum, c.SumSq = n, n
				default: // something varies
					c.Sum = math.Floor(n * rng.Float64())
					c.SumSq = c.Sum
				}
				cells = append(cells, c)
			}
		}
		if rng.IntN(6) == 0 {
			cells = cells[:1]
			x := cells[0].Mean()
			if !measure {
				x = math.Round(x)
			}
			cells[0].N, cells[0].Sum, cells[0].SumSq = 1, x, x*x
		}
		return cells
	}
	mode := rng.IntN(5)
	a = side(mode)
	if rng.IntN(2) == 0 {
		mode = rng.IntN(5)
	}
	b = side(mode)
	switch rng.IntN(4) {
	case 0: // b contains a
		for _, c := range a {
			shared = append(shared, c)
			b = append(b, c)
		}
	case 1: // they overlap
		shared = a[:1:1]
		b = append(b, shared...)
	}
	return a, b, shared
}

// checkUncertainty walks whatever an estimator returns and checks every Estimate in it. what is true by
// construction is told by its method.
func checkUncertainty(t *testing.T, name string, result any) {
	t.Helper()
	var walk func(path string, v reflect.Value, reasons int)
	walk = func(path string, v reflect.Value, reasons int) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(path, v.Elem(), reasons)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i), reasons)
			}
		case reflect.Struct:
			if e, ok := v.Interface().(Estimate); ok {
				checkEstimate(t, path, e, reasons)
				return
			}
			if w := v.FieldByName("Warnings"); w.IsValid() {
				reasons += w.Len()
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(path+"."+v.Type().Field(i).Name, v.Field(i), reasons)
				}
			}
		}
	}
	walk(name, reflect.ValueOf(result), 0)
}

func checkEstimate(t *testing.T, name string, e Estimate, reasons int) {
	t.Helper()
	if e.Method == "no observations out of support" {
		return
	}
	reasons += len(e.Warnings)
	switch {
	case !(e.Level > 0):
		t.Errorf("%s was never estimated: %+v", name, e)
	case e.SE == 0 || e.SE < 0:
		t.Errorf("%s has a standard error of %g: %+v", name, e.SE, e)
	case e.Upper <= e.Lower:
		t.Errorf("%s has an interval of no width: %+v", name, e)
	case math.IsInf(e.Value, 0) || math.IsInf(e.Lower, 0) || math.IsInf(e.Upper, 0) || math.IsInf(e.SE, 0):
		t.Errorf("%s is infinite: %+v", name, e)
	case (math.IsNaN(e.Value) || math.IsNaN(e.Lower) || math.IsNaN(e.Upper)) && reasons == 0 && e.Method != "no interval":
		t.Errorf("%s is undefined without a reason: %+v", name, e)
	case e.SE > 0 && (e.SE < 1e-9*math.Abs(e.Value) || e.SE < 1e-12):
		t.Errorf("%s has a standard error that is rounding: %+v", name, e)
	}
}

// No interval has a width of zero and no standard error is 0, unless the estimate is exact by
// construction, whatever the estimator and however little varies; and what is undefined has a reason.
func FuzzUncertaintyIsNeverZero(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		everyEstimator(t, seed, func(name string, result any, err error) {
			t.Helper()
			if err == nil {
				checkUncertainty(t, name, result)
			}
		})
	})
}

// The law above says something of every estimator: none of them refuses all cells.
func TestEveryEstimatorTakesSomeDegenerateCells(t *testing.T) {
	answered := map[string]bool{}
	for seed := range uint64(200) {
		everyEstimator(t, seed, func(name string, _ any, err error) { answered[name] = answered[name] || err == nil })
	}
	for name, ok := range answered {
		if !ok {
			t.Errorf("%s has refused all cells", name)
		}
	}
}

// everyEstimator hands check what each estimator makes of some degenerate cells.
func everyEstimator(t *testing.T, seed uint64, check func(name string, result any, err error)) {
	t.Helper()
	a, b, shared := degenerate(rand.New(rand.NewPCG(seed, 1)))
	totalA, totalB, both := Total(a), Total(b), Total(shared)
	for side, c := range []Cell{totalA, totalB} {
		check(fmt.Sprint("mean ", side), Mean(c.N, c.Sum, c.SumSq, .95), nil)
		for name, of := range map[string]func(x, n, level float64) Estimate{
			"Wilson": Wilson, "ClopperPearson": ClopperPearson, "AgrestiCoull": AgrestiCoull, "Wald": Wald,
		} {
			check(name, of(c.Sum, c.N, .95), nil)
		}
		check("ExactCount", ExactCount(c.Sum, .95), nil)
		check("Byar", Byar(c.Sum, .95), nil)
		check("SMR", SMR(c.Sum, totalB.Sum, .95), nil)
	}
	for name, of := range map[string]func(x1, n1, x2, n2, level float64) Estimate{
		"Difference": Difference, "WaldDifference": WaldDifference, "AgrestiCaffo": AgrestiCaffo,
		"MiettinenNurminen": MiettinenNurminen, "Ratio": Ratio, "OddsRatio": OddsRatio,
	} {
		e := of(totalA.Sum, totalA.N, totalB.Sum, totalB.N, .95)
		check(name, e, nil)
		check(name+", E-value", EValueOf(e), nil)
	}
	for side, cells := range [][]Cell{a, b} {
		check(fmt.Sprint("clustered proportion ", side), ClusteredMean(cells, .95), nil)
		v, err := BetweenAreas(cells, nil, .95, nil)
		check("between areas", v, err)
		s, err := SlopeIndexOf(cells, .95)
		check("slope index", s, err)
	}
	gap := Gap(totalA, totalB, both, .95)
	check("gap", gap, nil)
	check("clustered gap", ClusteredGap(a, b, shared, .95), nil)
	check("clustered ratio", ClusteredRatio(a, b, shared, .95), nil)
	for _, margin := range []float64{.001, .02, .5, 1, 3} {
		q, err := TestEquivalenceOfGap(totalA, totalB, both, margin, .95)
		check("equivalence", q, err)
		if err != nil {
			t.Fatal(err)
		}
		inside := q.Gap.Lower > -margin && q.Gap.Upper < margin
		near := math.Abs(q.Gap.Lower+margin) < 1e-6 || math.Abs(q.Gap.Upper-margin) < 1e-6
		if q.Decided != !math.IsNaN(q.PValue) || q.Decided && q.Equivalent != inside && !near || q.Equivalent && !q.Decided {
			t.Errorf("margin %g: interval %g to %g, p %g, equivalent %v", margin, q.Gap.Lower, q.Gap.Upper, q.PValue,
				q.Equivalent)
		}
		q, err = TestEquivalence(gap, margin, .95)
		check("equivalence of an estimate", q, err)
	}
	for _, support := range []Support{CommonSupport, CollapseCells, BorrowRate} {
		for _, clustered := range []bool{false, true} {
			for _, three := range []bool{false, true} {
				d, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Shared: shared, Support: support, Clustered: clustered,
					ThreeComponents: three, FixedWeights: three && !clustered})
				check(fmt.Sprintf("Kitagawa %d clustered %v three %v", support, clustered, three), d, err)
				if err == nil {
					check("out of support", Sum(d.OutOfSupportA, d.OutOfSupportB), nil)
				}
			}
		}
	}
	for reference := Pooled; reference < Given; reference++ {
		for _, clustered := range []bool{false, true} {
			opts := OaxacaOptions{Level: .95, Shared: shared, Reference: reference, Clustered: clustered, Robust: !clustered}
			o, err := OaxacaBlinder(a, b, opts)
			check(fmt.Sprintf("Oaxaca %v clustered %v", reference, clustered), o, err)
			y, err := Fairlie(a, b, opts)
			check(fmt.Sprintf("Fairlie %v clustered %v", reference, clustered), y, err)
		}
	}
	for standard := StandardB; standard <= StandardPooled; standard++ {
		for _, clustered := range []bool{false, true} {
			opts := StandardiseOptions{Level: .95, Standard: standard, Shared: shared, Clustered: clustered,
				RandomStandard: standard == StandardA}
			s, err := Standardise(a, b, opts)
			check(fmt.Sprintf("standardised to %d clustered %v", standard, clustered), s, err)
			s, err = StandardiseIndirectly(a, b, opts)
			check("standardised indirectly", s, err)
		}
	}
	for interval := EffectiveWilson; interval <= FayFeuer; interval++ {
		d, err := Direct(a, b, DirectOptions{Level: .95, Multiplier: 1, Interval: interval})
		check("direct "+interval.String(), d, err)
	}
	for _, binomial := range []bool{false, true} {
		i, err := Indirect(a, b, IndirectOptions{Level: .95, Multiplier: 1, Binomial: binomial})
		check("indirect", i, err)
	}
	for _, model := range []Model{Linear, Logit} {
		for covariance := Robust; covariance <= Clustered; covariance++ {
			g, err := Adjust(a, b, AdjustOptions{Level: .95, Model: model, Covariance: covariance, Shared: shared, Draws: 99})
			check(fmt.Sprintf("adjusted %v %v", model, covariance), g, err)
		}
	}
	half := func(cells []Cell) (first, second []Cell) { return cells[:(len(cells)+1)/2], cells[len(cells)/2:] }
	a0, a1 := half(a)
	b0, b1 := half(b)
	for _, opts := range []DifferenceOptions{{Level: .95}, {Level: .95, Pooled: true}, {Level: .95, Clustered: true}} {
		d, err := DifferenceInDifferences(a0, a1, b0, b1, opts)
		check(fmt.Sprintf("difference in differences %+v", opts), d, err)
		d, err = DifferenceOfChanges(a, b, opts)
		check(fmt.Sprintf("difference of changes %+v", opts), d, err)
		s, err := ChangesByStart([]StartCells{{Start: 1, Treated: a0, Controls: b0}, {Start: 2, Treated: a1, Controls: b1}},
			opts)
		check(fmt.Sprintf("changes by start %+v", opts), s, err)
	}
	design, rows, err := TreatmentRows(nil, a, b)
	if err != nil {
		t.Fatal(err)
	}
	for method := Unadjusted; method <= Subclassification; method++ {
		for _, opts := range []EffectOptions{{}, {Clustered: true}, {Estimand: OnAll, Outcome: Logit}} {
			opts.Method, opts.Level, opts.Caliper, opts.Subclasses = method, .95, .2, 6
			e, err := EstimateEffect(design, rows, opts)
			check(fmt.Sprintf("effect by %v, clustered %v, %v", method, opts.Clustered, opts.Estimand), e, err)
		}
	}
	balance, err := Balance(design, rows, .95)
	check("balance", balance, err)
	if totalA.IsIndicator() && totalB.IsIndicator() {
		total, areas, err := ShortfallsOf(a, b, shared, ShortfallOptions{Level: .95})
		check("shortfall", total, err)
		check("shortfall of clusters", areas, err)
		stay := [2][2]float64{{totalA.N - totalA.Sum, 0}, {0, totalA.Sum}}
		turnover, err := TurnoverOf(stay, a0, b0, .95)
		check("turnover", turnover, err)
		if err == nil {
			check("part of a turnover", turnover.Part([]int{0}, []int{0}), nil)
		}
		turnover, err = TurnoverOf([2][2]float64{}, a0, b0, .95)
		check("turnover without stayers", turnover, err)
		var x, n, scores []float64
		for i, c := range slices.Concat(a, b) {
			x, n, scores = append(x, c.Sum), append(n, c.N), append(scores, float64(i))
		}
		trend, err := Trend(x, n, scores, .95)
		check("trend", trend, err)
	}
	s, err := Segregate(a, b, shared, .95)
	check("segregation", s, err)
	var answers [2][]Answer
	var units []PanelUnit
	for side, cells := range [][]Cell{a, b} {
		for i, c := range cells {
			code := 4
			if totalA.IsIndicator() && c.Sum == 0 {
				code = 1
			}
			answers[side] = append(answers[side], Answer{Code: code, Respondent: i, N: c.N, Weight: c.N})
			units = append(units, PanelUnit{First: 3 * side, Outcomes: []float64{c.Sum / c.N, c.Sum / c.N, c.SumSq / c.N, 1},
				Cluster: c.Cluster})
		}
	}
	scales, err := LikertTable([]LikertGroup{{Key: []int{0}, Answers: answers[0]}, {Key: []int{1}, Answers: answers[1]}},
		LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 1})
	check("Likert", scales, err)
	if err == nil {
		check("perceived difference", LikertDifference(scales[0], scales[1]), nil)
	}
	for _, clustered := range []bool{false, true} {
		if g, err := StaggeredEffects([]int{1, 2, 3, 4}, units, GroupTimeOptions{Level: .95,
			Clustered: clustered}); err == nil {
			check("group-time effects", g, nil)
			check("their mean", g.Simple(), nil)
			check("by exposure", g.ByExposure(), nil)
		}
	}
}
