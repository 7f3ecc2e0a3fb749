package synth_test

import (
	"math"
	"testing"

	"github.com/kvarter/kvarter/internal/synth"
)

// table reads columns of a table as numbers: of a code its place, of a bool 0 or 1, NaN where it is null.
func table(w *synth.World, name string, columns []string, row func(v []float64)) {
	for batch := range w.Batches(name) {
		of := map[string]synth.Column{}
		for _, c := range batch.Columns {
			of[c.Name] = c
		}
		v := make([]float64, len(columns))
		for i := range batch.Rows {
			for k, name := range columns {
				c := of[name]
				v[k] = math.NaN()
				switch {
				case c.Code != nil && c.Code[i] != synth.NullCode:
					v[k] = float64(c.Code[i])
				case c.Int != nil && c.Int[i] != synth.NullInt:
					v[k] = float64(c.Int[i])
				}
			}
			row(v)
		}
	}
}

// starts are the years in which the first plans of the areas start, in the order of the areas.
func starts(w *synth.World) []int {
	year := map[string]int{}
	for batch := range w.Batches("plan") {
		for i := range batch.Rows {
			year[batch.Columns[0].Text[i]] = 1970 + int(float64(batch.Columns[2].Date[i])/365.2425)
		}
	}
	var out []int
	for batch := range w.Batches("area") {
		for _, c := range batch.Columns {
			if c.Name != "plan_ids" {
				continue
			}
			for _, ids := range c.Texts {
				first := math.MaxInt
				for _, id := range ids {
					first = min(first, year[id])
				}
				out = append(out, first)
			}
		}
	}
	return out
}

// tally counts those with a trait among those of whom it is known.
type tally struct{ n, with float64 }

func (t *tally) add(n float64, with bool) {
	t.n += n
	if with {
		t.with += n
	}
}

func (t tally) share() float64 { return t.with / t.n }

// moments are of estimates from worlds drawn apart.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(x float64) { m.n, m.sum, m.squares = m.n+1, m.sum+x, m.squares+x*x }

func (m moments) mean() float64 { return m.sum / m.n }

func (m moments) se() float64 { return math.Sqrt((m.squares/m.n - m.mean()*m.mean()) / (m.n - 1)) }

// Areas whose plan starts in a year develop from then on, beside those whose plan starts later, as planted:
// fewer residents outside work and education, the more the longer, and as many convicted. This is so in
// every world. The estimate is that of Callaway and Sant'Anna (2021) with those not yet under a plan.
//
// Its error is measured by the worlds, drawn apart. With nine of them a mean leaves 5 standard errors
// once in 900.
func TestPlansHaveTheirPlantedEffect(t *testing.T) {
	if testing.Short() {
		t.Skip("generates worlds")
	}
	const first, last, most = 2010, 2013, 2 // in the last year areas are still to come under a plan
	kinds := []synth.Kind{synth.NoAreaEffect, synth.WithAreaEffect, synth.AreaVariation}
	var found [2][most + 1]moments
	for seed := range uint64(9) {
		w, err := synth.Generate(synth.Options{Seed: 300 + seed, Scale: 0.1, World: kinds[seed%3]})
		if err != nil {
			t.Fatal(err)
		}
		start := starts(w)
		var count [2][last + 1][last + 2]tally // by indicator, year and year of start
		table(w, "resident_year", []string{"year", "area_id", "work_status", "convicted", "n"}, func(v []float64) {
			year, area := int(v[0]), v[1]
			if math.IsNaN(area) || year > last {
				return
			}
			g := min(start[int(area)], last+1)
			if v[2] < 3 { // known
				count[0][year][g].add(v[4], v[2] == 2)
			}
			if !math.IsNaN(v[3]) {
				count[1][year][g].add(v[4], v[3] == 1)
			}
		})
		for k := range count {
			var effect, weight [most + 1]float64
			for g := first + 1; g <= last; g++ {
				for year := g; year <= last; year++ {
					var before, after tally
					for later := year + 1; later <= last+1; later++ {
						before.n, before.with = before.n+count[k][g-1][later].n, before.with+count[k][g-1][later].with
						after.n, after.with = after.n+count[k][year][later].n, after.with+count[k][year][later].with
					}
					own := count[k][year][g]
					change := own.share() - count[k][g-1][g].share() - (after.share() - before.share())
					effect[year-g] += own.n * change
					weight[year-g] += own.n
				}
			}
			for since := range effect {
				found[k][since].add(effect[since] / weight[since])
			}
		}
	}
	planted := map[string][]float64{}
	for _, p := range (synth.Options{Seed: 1, World: synth.NoAreaEffect}).Planted() {
		if p.Of == synth.OfPlans {
			planted[p.Indicator] = append(planted[p.Indicator], p.Size)
		}
	}
	for k, indicator := range []string{"OUTSIDE_WORK_AND_EDUCATION", "CONVICTED"} {
		for since, m := range found[k] {
			want := planted[indicator][since]
			t.Logf("%s, %d years since the start: %.4f (standard error %.4f), planted %.4f", indicator, since, m.mean(),
				m.se(), want)
			if math.Abs(m.mean()-want) > 5*m.se() {
				t.Errorf("%s, %d years since the start: %.4f is %.1f standard errors from %.4f", indicator, since, m.mean(),
					(m.mean()-want)/m.se(), want)
			}
			// two years on, one year of start is left, and its error is a third of the effect or more
			if k == 0 && since < most && m.mean() > -3*m.se() {
				t.Errorf("%s, %d years since the start: %.4f with a standard error of %.4f is hardly told from none", indicator,
					since, m.mean(), m.se())
			}
		}
	}
}

// In the world in which areas differ, each adds to day care at ages 1-2 and to poverty what is planted, and on
// average none adds anything; at ages 3-5, and in the default world, no area does.
func TestAreasDifferAsPlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("generates worlds")
	}
	const areas = 100
	var slope, mean, older, none, poverty moments
	for seed := range uint64(6) {
		o := synth.Options{Seed: 500 + seed, Scale: 0.1, World: synth.AreaVariation}
		planted := map[string][]float64{}
		for _, p := range o.Planted() {
			if p.Of == synth.OfArea {
				planted[p.Indicator] = append(planted[p.Indicator], p.Size)
			}
		}
		for indicator, deviation := range map[string]float64{"IN_DAY_CARE": synth.DayCareDeviation,
			"POOR": synth.PovertyDeviation} {
			var m moments
			for _, x := range planted[indicator] {
				m.add(x)
			}
			// The standard deviation of 100 draws is off by more than a quarter once in 2,000 times.
			got := m.se() * math.Sqrt(m.n-1)
			if m.n != areas || math.Abs(got/deviation-1) > 0.25 || math.Abs(m.mean()) > deviation/2 {
				t.Errorf("seed %d: %s differs by %.3f around %.3f between %.0f areas, stated is %g around 0", o.Seed, indicator,
					got, m.mean(), m.n, deviation)
			}
		}
		var poor [2][areas]tally
		for i, kind := range []synth.Kind{synth.AreaVariation, synth.NoAreaEffect} {
			o.World = kind
			w, err := synth.Generate(o)
			if err != nil {
				t.Fatal(err)
			}
			// What children in areas are in day care more often than those alike outside are.
			var more [2][areas]tally
			total := 0
			table(w, "child_year", []string{"year", "area_id", "age", "origin", "parents_status", "family_type", "income_group",
				"enrolled", "poor"}, func(v []float64) {
				if v[0] == 2016 && v[8] == 1 {
					total++
				}
				if math.IsNaN(v[1]) {
					return
				}
				area := int(v[1])
				poor[i][area].add(1, v[8] == 1)
				if math.IsNaN(v[7]) {
					return
				}
				p, err := w.DayCare().Probability(synth.Covariates{Age: int(v[2]), Origin: synth.Origins[int(v[3])],
					ParentsStatus: synth.ParentsStatuses[int(v[4])], FamilyType: synth.FamilyTypes[int(v[5])],
					IncomeGroup: synth.IncomeGroups[int(v[6])]})
				if err != nil {
					t.Fatal(err)
				}
				band := 0
				if v[2] > 2 {
					band = 1
				}
				more[band][area].n++
				more[band][area].with += v[7] - p
			})
			if want := 3466; total != want { // of 34,657
				t.Errorf("seed %d, %s: %d poor children in 2016, want %d", o.Seed, kind, total, want)
			}
			for band := range more {
				var xy, xx, sum, n float64
				for a, m := range more[band] {
					x := planted["IN_DAY_CARE"][a]
					xy, xx, sum, n = xy+m.with*x, xx+m.n*x*x, sum+m.with, n+m.n
				}
				switch {
				case kind == synth.NoAreaEffect && band == 0:
					none.add(xy / xx)
				case kind == synth.AreaVariation && band == 0:
					slope.add(xy / xx)
					mean.add(sum / n)
				case kind == synth.AreaVariation:
					older.add(xy / xx)
				}
			}
		}
		var xy, xx float64
		for a, x := range planted["POOR"] {
			logit := func(k tally) float64 { return math.Log((k.with + .5) / (k.n - k.with + .5)) }
			n := poor[0][a].n
			xy, xx = xy+n*x*(logit(poor[0][a])-logit(poor[1][a])), xx+n*x*x
		}
		poverty.add(xy / xx)
	}
	// Of a marginal share the log odds change by less than those of each family, by some tenths.
	for _, test := range []struct {
		name             string
		m                moments
		want, within, se float64
	}{
		{"day care at ages 1-2, of what is planted", slope, 1, 0, 6},
		{"day care at ages 1-2, all areas", mean, 0, 0, 6},
		{"day care at ages 3-5, of what is planted at 1-2", older, 0, 0, 6},
		{"day care at ages 1-2 without variation", none, 0, 0, 6},
		{"log odds of poverty, of what is planted", poverty, 0.85, 0.15, 0},
	} {
		t.Logf("%s: %.3f (standard error %.3f)", test.name, test.m.mean(), test.m.se())
		if math.Abs(test.m.mean()-test.want) > test.within+test.se*test.m.se() {
			t.Errorf("%s: %.3f (standard error %.3f), want %g", test.name, test.m.mean(), test.m.se(), test.want)
		}
	}
	if slope.mean() < 6*slope.se() {
		t.Errorf("day care varies with what is planted by %.3f, which is hardly told from none", slope.mean())
	}
}
