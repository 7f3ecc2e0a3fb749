package synth

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

// Processors may differ in the last bits of an exponential. No entry of a table is within a
// millionth of the point where it would be rounded the other way, so all agree on all entries.
func TestTablesAreTheSameEverywhere(t *testing.T) {
	check := func(name string, i int, exact float64) {
		t.Helper()
		if d := math.Abs(exact - math.Floor(exact) - 0.5); d < 1e-6*math.Max(1, exact/million) {
			t.Errorf("%s[%d] = %.9f is too near to a half", name, i, exact)
		}
	}
	for i := range logisticPPM {
		check("logistic", i, exactLogistic(i))
	}
	for i := range expPPM {
		check("exp", i, exactExp(i))
	}
	for _, x := range []struct{ got, want int }{
		{logistic(0), 500_000}, {logistic(1_000), 731_059}, {logistic(-99_999), logistic(-8_000)}, {exponential(0),
			million}, {exponential(1_000), 2_718_282},
	} {
		if x.got != x.want {
			t.Errorf("got %d, want %d", x.got, x.want)
		}
	}
}

func TestStreams(t *testing.T) {
	// The first number of PCG-DXSM for this seed and purpose, so that a change of it is seen.
	if a, b := newStream(1, "a", 0).Uint64(), newStream(1, "a", 1).Uint64(); a == b {
		t.Error("two blocks have the same stream")
	}
	s := newStream(1, "moments", 0)
	var sum, squares, hits, n float64 = 0, 0, 0, 200_000
	for range int(n) {
		x := float64(s.normal())
		sum += x
		squares += x * x
		if s.chance(250_000) {
			hits++
		}
	}
	if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 10 || math.Abs(deviation-1000) > 10 {
		t.Errorf("normal: mean %g, deviation %g", mean, deviation)
	}
	if p := hits / n; math.Abs(p-0.25) > 0.005 {
		t.Errorf("chance of a quarter came %g of the time", p)
	}
}

// Whatever the weights, the parts sum to the total and none is off by one or more.
func TestApportionAndSpread(t *testing.T) {
	s := newStream(1, "apportion", 0)
	for range 2_000 {
		weights := make([]int, 1+s.below(40))
		sum := 0
		for i := range weights {
			weights[i] = s.below(1000) * s.below(2)
			sum += weights[i]
		}
		weights[0]++
		sum++
		total := s.below(100_000)
		for name, parts := range map[string][]int{"apportion": apportion(total, weights),
			"spread": spread(total, weights, s)} {
			got := 0
			for i, p := range parts {
				got += p
				if exact := float64(total) * float64(weights[i]) / float64(sum); math.Abs(float64(p)-exact) >= 1 {
					t.Fatalf("%s(%d, %v): part %d is %d, exactly %g", name, total, weights, i, p, exact)
				}
			}
			if got != total {
				t.Fatalf("%s(%d, %v) sums to %d", name, total, weights, got)
			}
		}
	}
}

func TestLargestCut(t *testing.T) {
	count := func(x int) int { return 2 * x }
	for target, want := range map[int]int{-5: 0, 0: 0, 1: 0, 2: 1, 7: 3, 100: 10} {
		if got := largestCut(0, 10, target, count); got != want {
			t.Errorf("target %d: got %d, want %d", target, got, want)
		}
	}
}

func TestSingleYearsSumToThePublished(t *testing.T) {
	for y, n := range singleYears {
		if n[1]+n[2] != children12[y] || n[3]+n[4]+n[5] != children35[y] ||
			n[0]+n[1]+n[2]+n[3]+n[4]+n[5]+n[6] != children06[y] {
			t.Errorf("%d: %v does not sum to %d, %d, %d", First+y, n, children06[y], children12[y], children35[y])
		}
	}
	for y := 1; y < years; y++ {
		for age := 1; age < 7; age++ {
			if growth := singleYears[y][age] - singleYears[y-1][age-1]; growth < 0 || growth > 1000 {
				t.Errorf("the cohort aged %d in %d grows by %d", age, First+y, growth)
			}
		}
	}
}

// The municipalities are the 98, with the weights of the published file.
func TestMunicipalitiesAreThePublished(t *testing.T) {
	if len(municipalities) != 98 {
		t.Errorf("%d municipalities", len(municipalities))
	}
	n := 0
	for _, m := range municipalities {
		n += m.areas
	}
	if n != areas {
		t.Errorf("%d areas are placed, want %d", n, areas)
	}
	want := map[string]string{}
	for _, f := range officialRows(t, "municipalities_2016.csv") {
		want[f[0]] = f[2] + " " + f[3] + " " + f[4]
	}
	names := [regions]string{"Hovedstaden", "Sjælland", "Syddanmark", "Midtjylland", "Nordjylland"}
	for _, m := range municipalities {
		if got := names[m.region] + " " + itoa(m.residents) + " " + itoa(m.children); got != want[m.code] {
			t.Errorf("%s: %s, published %s", m.code, got, want[m.code])
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// officialRows reads a file of published figures, without its header.
func officialRows(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "data", "official", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// The sums that weigh municipalities are those of the published population.
func TestMunicipalitiesSumToThePublished(t *testing.T) {
	residents, children := map[string]int{}, map[string]int{}
	for _, f := range officialRows(t, "population.csv") {
		age, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(f[10]) // of 2016
		if err != nil {
			t.Fatal(err)
		}
		residents[f[0]] += n
		if age <= 6 {
			children[f[0]] += n
		}
	}
	rows := officialRows(t, "municipalities_2016.csv")
	for _, f := range rows {
		if f[3] != itoa(residents[f[0]]) || f[4] != itoa(children[f[0]]) {
			t.Errorf("%s: %s residents and %s children, the population has %d and %d",
				f[1], f[3], f[4], residents[f[0]], children[f[0]])
		}
	}
	if len(rows) != 99 || len(residents) != 99 {
		t.Errorf("%d municipalities, and %d of them with a population; want 99", len(rows), len(residents))
	}
}

// No invented area has the name of one on the ministry's lists.
func TestAreaNamesAreInvented(t *testing.T) {
	listed := officialRows(t, "areas.csv")
	seen := map[string]bool{}
	for _, first := range nameFirst {
		for _, last := range nameLast {
			name := strings.ToLower(first + last)
			if seen[name] {
				t.Errorf("%s twice", name)
			}
			seen[name] = true
			for _, row := range listed {
				if existing := strings.ToLower(row[2]); strings.Contains(existing, name) ||
					strings.Contains(existing, strings.ToLower(first)) {
					t.Errorf("%s is like %s, %s", name, row[2], row[3])
				}
			}
		}
	}
	if len(seen) != areas {
		t.Errorf("%d names for %d areas", len(seen), areas)
	}
}

func TestProbabilityOfDayCare(t *testing.T) {
	without, err := Generate(Options{Seed: 1, Scale: 0.02, World: NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	with, err := Generate(Options{Seed: 1, Scale: 0.02, World: WithAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	probability := func(w *World, c Covariates) float64 {
		t.Helper()
		p, err := w.DayCare().Probability(c)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for age := 1; age <= 5; age++ {
		for _, origin := range Origins {
			out := Covariates{Age: age, Origin: origin, ParentsStatus: "ONE_ACTIVE", FamilyType: "MOTHER_ALONE",
				IncomeGroup: "Q2"}
			in := out
			in.Area = "A001"
			if a, b := probability(without, out), probability(without, in); a != b || a < 0.5 || a >= 1 {
				t.Errorf("%+v: %g outside, %g in an area, without an effect", out, a, b)
			}
			want := 0.
			if age <= 2 {
				want = AreaEffect
			}
			if a, b := probability(with, out), probability(with, in); math.Abs(b-a-want) > 1e-9 ||
				a != probability(without, out) {
				t.Errorf("%+v: %g outside, %g in an area, planted is %g", out, a, b, want)
			}
		}
	}
	good := Covariates{Age: 1, Origin: "DANISH", ParentsStatus: "ONE_ACTIVE", FamilyType: "NEITHER", IncomeGroup: "Q2"}
	for _, spoil := range []func(*Covariates){
		func(c *Covariates) { c.Age = 6 }, func(c *Covariates) { c.Age = 0 }, func(c *Covariates) { c.Origin = "WESTERN" },
		func(c *Covariates) { c.ParentsStatus = "" }, func(c *Covariates) { c.FamilyType = "ALONE" }, func(c *Covariates) {
			c.IncomeGroup = "Q6"
		},
	} {
		bad := good
		spoil(&bad)
		if _, err := without.DayCare().Probability(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v gives %v", bad, err)
		}
	}
}

// The planted effects of activities are recovered when those who took part are compared with
// others of the same propensity (weights e / (1 - e), e known here), and not without adjustment.
func TestPlantedEffects(t *testing.T) {
	type planted struct{ activity, outcome string }
	var z, crude = map[planted][]float64{}, map[planted][]float64{}
	const seeds = 8
	var last []Effect
	for seed := range seeds {
		w, err := Generate(Options{Seed: uint64(seed), Scale: 0.15, World: NoAreaEffect})
		if err != nil {
			t.Fatal(err)
		}
		last = w.Effects()
		for _, e := range last {
			o := slices.Index(OutcomeNames, e.Outcome)
			// each calls do with the outcome, side (0: took part) and weight of all with the outcome.
			each := func(do func(y float64, side int, weight float64)) {
				for _, p := range w.w.participants {
					t := &activityTypes[p.kind]
					y := [outcomes]int32{int32(p.leisureJob), int32(p.education), int32(p.chargedAfter), p.absenceAfter}[o]
					if t.code != e.Activity || y == NullCode || y == NullInt {
						continue
					}
					if p.treated {
						do(float64(y), 0, 1)
					} else {
						odds := float64(logistic(t.takesPart.of(&p))) / million
						do(float64(y), 1, odds/(1-odds))
					}
				}
			}
			var sum, weight, squares, plain, count [2]float64
			each(func(y float64, side int, wt float64) {
				sum[side] += wt * y
				weight[side] += wt
				plain[side] += y
				count[side]++
			})
			each(func(y float64, side int, wt float64) {
				residual := wt * (y - sum[side]/weight[side])
				squares[side] += residual * residual
			})
			se := math.Sqrt(squares[0]/weight[0]/weight[0] + squares[1]/weight[1]/weight[1])
			if !(se > 0) {
				continue
			}
			key := planted{e.Activity, e.Outcome}
			z[key] = append(z[key], (sum[0]/weight[0]-sum[1]/weight[1]-e.OnParticipants)/se)
			crude[key] = append(crude[key], (plain[0]/count[0]-plain[1]/count[1]-e.OnParticipants)/se)
		}
	}
	average := func(list []float64) (mean, worst float64) {
		for _, x := range list {
			mean += x / float64(len(list))
			worst = max(worst, math.Abs(x))
		}
		return
	}
	for key, list := range z {
		if mean, worst := average(list); math.Abs(mean) > 3.5/math.Sqrt(seeds) || worst > 4.5 {
			t.Errorf("%v: adjusted is off by %.2f standard errors on average, by %.2f at worst", key, mean, worst)
		}
	}
	for _, key := range []planted{{"LEISURE_JOB", "in_leisure_job"}, {"FIRE_CADET", "charged"},
		{"PROJECT_OR_EVENT", "in_education"}} {
		mean, _ := average(crude[key])
		t.Logf("%v: unadjusted is off by %.1f standard errors", key, mean)
		if math.Abs(mean) < 1.2 {
			t.Errorf("%v: unadjusted is off by %.2f standard errors only", key, mean)
		}
	}
	for _, e := range last {
		switch (planted{e.Activity, e.Outcome}) {
		case planted{"LEISURE_JOB", "in_leisure_job"}:
			if e.Ratio < 2.6 || e.Ratio > 3.4 {
				t.Errorf("leisure jobs make a job %.2f times as likely, want about three", e.Ratio)
			}
			t.Logf("leisure jobs: %+v", e)
		case planted{"FIRE_CADET", "charged"}:
			if e.OnParticipants != 0 {
				t.Errorf("fire cadets: %+v, want no effect", e)
			}
		case planted{"PROJECT_OR_EVENT", "in_education"}:
			if e.OnParticipants > -0.03 {
				t.Errorf("projects: %+v, want a negative effect", e)
			}
		}
	}
}

// Generating uses no map's order and no clock: the same world on one thread and on many.
func TestSameWorldOnAnyThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, err := Generate(Options{Seed: 2, Scale: 0.02, World: NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(5)
	five, err := Generate(Options{Seed: 2, Scale: 0.02, World: NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range one.TableNames() {
		a, b := slices.Collect(one.Batches(table)), slices.Collect(five.Batches(table))
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if string(x) != string(y) {
			t.Errorf("table %s differs", table)
		}
		rows := 0
		for _, batch := range a {
			rows += batch.Rows
			for _, c := range batch.Columns {
				if n := len(c.Code) + len(c.Int) + len(c.Text) + len(c.Texts) + len(c.Decimal) + len(c.Date); n != batch.Rows {
					t.Errorf("%s.%s has %d values in %d rows", table, c.Name, n, batch.Rows)
				}
			}
		}
		if rows != one.Rows(table) {
			t.Errorf("%s has %d rows, said are %d", table, rows, one.Rows(table))
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		if _, err := Generate(Options{Seed: 1, Scale: 1, World: NoAreaEffect}); err != nil {
			b.Fatal(err)
		}
	}
}
