package stats

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// clusterNumbers numbers the names of clusters in their order.
func clusterNumbers(rows []map[string]string, column string) (number map[string]int) {
	number = map[string]int{}
	var names []string
	for _, row := range rows {
		if _, seen := number[row[column]]; !seen {
			number[row[column]] = 0
			names = append(names, row[column])
		}
	}
	slices.Sort(names)
	for i, name := range names {
		number[name] = i
	}
	return number
}

// clusteredRows are the rows of a case for the terms that it expects, clusters told by a column.
func clusteredRows(c *publishedCase, terms []string, column string) []Pattern {
	rows := c.rows()
	number := clusterNumbers(rows, column)
	var out []Pattern
	for _, row := range rows {
		y := c.number(row["y"])
		p := Pattern{X: make([]float64, len(terms)), Cluster: number[row[column]], N: c.number(row["n"]), Sum: y, SumSq: y}
		for j, term := range terms {
			switch value, isColumn := row[term]; {
			case term == "(Intercept)":
				p.X[j] = 1
			case isColumn:
				p.X[j] = c.number(value)
			default:
				for name, value := range row {
					if term == name+value {
						p.X[j] = 1
					}
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// clusteredCase compares a regression with what a case expects of it at path.
func clusteredCase(c *publishedCase, column string, n float64, decidedByOne string, path ...any) *Regression {
	c.t.Helper()
	at := func(more ...any) []any { return append(slices.Clone(path), more...) }
	terms := []string{"(Intercept)"}
	for term := range c.at(at("coef")...).(map[string]any) {
		if term != "(Intercept)" {
			terms = append(terms, term)
		}
	}
	slices.Sort(terms[1:])
	fit, err := Fit(FreeDesign(terms[1:]...), clusteredRows(c, terms, column), FitOptions{Covariance: Clustered})
	if err != nil {
		c.t.Fatal(err)
	}
	g, p := float64(fit.Clusters), float64(len(terms))
	c.check(g, at("G")...)
	near(c.t, "observations", fit.Observations, n, 0)
	m := fit.scores()
	powers := map[string]symmetric{"CR0": fit.linked.covariance(m, 0), "CR3": fit.linked.covariance(m, -1)}
	expected := c.at(at()...).(map[string]any)
	for j, term := range terms {
		e := fit.Coefficient(j, .95)
		c.check(e.Value, at("coef", term)...)
		plain := powers["CR0"].at(j, j)
		for name, factor := range map[string]float64{"CR0": 1, "CR1": g / (g - 1), "CR1S": g * (n - 1) / (g - 1) / (n - p)} {
			c.check(math.Sqrt(factor*plain), at(name, "se", term)...)
		}
		if _, there := expected["CR3"]; there {
			c.check(math.Sqrt(powers["CR3"].at(j, j)), at("CR3", "se", term)...)
		}
		if term == decidedByOne {
			c.refuses(e.SE, at("CR2", "se", term)...)
			if !math.IsNaN(e.Lower) || !strings.Contains(strings.Join(e.Warnings, " "), "one cluster alone decides it") {
				c.t.Errorf("%s: %+v", term, e)
			}
		} else {
			c.check(e.SE, at("CR2", "se", term)...)
			c.check(e.Design.DF, at("CR2", "df", term)...)
			c.check(e.Value/e.SE, at("CR2", "t", term)...)
			c.check(twoSided(e.Value/e.SE, e.Design.DF), at("CR2", "p", term)...)
			c.check(e.Lower, at("CR2", "ci_lo", term)...)
			c.check(e.Upper, at("CR2", "ci_hi", term)...)
		}
		if _, there := expected["CR2"].(map[string]any)["vcov"]; there {
			for i, other := range terms {
				c.check(fit.CoefficientCovariance(i, j), at("CR2", "vcov", other, term)...)
			}
		}
		if _, there := expected["not_to_be_reproduced"]; there {
			c.differs(e.SE, at("not_to_be_reproduced", "se_a", term)...)
			c.differs(e.SE, at("not_to_be_reproduced", "se_b", term)...)
		}
	}
	return fit
}

func TestCR2Cases(t *testing.T) {
	for _, c := range []*publishedCase{openCase(t, "cr2_lpm_awards2001"), openCase(t, "cr2_lpm_sim_small5"),
		openCase(t, "cr2_lpm_sim_small10"), openCase(t, "cr2_lpm_sim_small40")} {
		n := c.at("N").(float64)
		c.check(n, "N")
		clusteredCase(c, "cluster", n, "")
	}
	levels := openCase(t, "cr2_lpm_cluster_levels_project")
	for _, level := range []string{"municipality", "place", "family"} {
		n := levels.at("N").(float64)
		levels.check(n, "N")
		clusteredCase(levels, level, n, "", level)
	}
}

// A cluster that is the whole of a group decides its coefficient alone; the others stay as they are.
func TestCR2OfOneClusterCase(t *testing.T) {
	c := openCase(t, "cr2_lpm_one_cluster")
	n := c.at("N").(float64)
	c.check(n, "N")
	fit := clusteredCase(c, "cluster", n, c.at("which", "coefficient").(string))
	c.compared["which/coefficient"] = true
	for cluster, g := range clusterNumbers(c.rows(), "cluster") {
		largest := slices.Max(fit.linked.leverages[g].values)
		c.check(largest, "max_leverage_eigenvalue", cluster)
		if cluster == "c001" {
			c.check(largest, "which", "singular_direction_leverage")
		}
	}
}

// Fixed effects of clusters leave nothing of a cluster's own level, and yet other coefficients are right.
func TestCR2OfPanelCase(t *testing.T) {
	c := openCase(t, "cr2_panel_mortality_published")
	terms := []string{"(Intercept)", "legal", "beertaxa"}
	seen := map[string]bool{"cluster1": true, "year1970": true}
	rows := c.rows()
	for _, column := range []string{"cluster", "year"} {
		for _, row := range rows {
			if term := column + row[column]; !seen[term] {
				seen[term] = true
				terms = append(terms, term)
			}
		}
	}
	patterns := clusteredRows(c, terms, "cluster")
	for i := range patterns {
		patterns[i].SumSq = patterns[i].Sum * patterns[i].Sum // one year of one state
	}
	fit, err := Fit(FreeDesign(terms[1:]...), patterns, FitOptions{Covariance: Clustered})
	if err != nil {
		t.Fatal(err)
	}
	plain := fit.linked.covariance(fit.scores(), 0)
	g := float64(fit.Clusters)
	printed := func(got float64, digits int, path ...any) {
		t.Helper()
		unit := math.Pow10(-digits)
		c.check(math.Round(got/unit)*unit, path...)
	}
	for j, term := range terms[1:3] {
		e := fit.Coefficient(j+1, .95)
		cr1 := math.Sqrt(plain.at(j+1, j+1) * g / (g - 1))
		p := twoSided(e.Value/e.SE, e.Design.DF)
		for _, name := range []string{"CR1", "CR2"} {
			c.check(e.Value, name, "coef", term)
		}
		c.check(cr1, "CR1", "se", term)
		c.check(e.SE, "CR2", "se", term)
		c.check(e.Design.DF, "CR2", "df_satt", term)
		c.check(p, "CR2", "p_satt", term)
		printed(cr1, 2, "published", "CR1", "se", term)
		printed(e.Value, 2, "published", "CR2", "coef", term)
		printed(e.SE, 2, "published", "CR2", "se", term)
		printed(e.Design.DF, 2, "published", "CR2", "df", term)
		printed(p, 5, "published", "CR2", "p", term)
	}
}

// sidesOfCase are the cells of a case by its column group, 1 first.
func sidesOfCase(c *publishedCase, dimensions ...string) (a, b []Cell) {
	rows := c.rows()
	number := clusterNumbers(rows, "cluster")
	codes := map[string]map[string]int{}
	for _, d := range dimensions {
		codes[d] = clusterNumbers(rows, d)
	}
	for _, row := range rows {
		y := c.number(row["y"])
		cell := Cell{Cluster: number[row["cluster"]], N: c.number(row["n"]), Sum: y, SumSq: y}
		for _, d := range dimensions {
			cell.Key = append(cell.Key, codes[d][row[d]])
		}
		if row["group"] == "1" {
			a = append(a, cell)
		} else {
			b = append(b, cell)
		}
	}
	return a, b
}

// regressionOn is the regression on the side, whose group is term 1.
func regressionOn(t *testing.T, a, b []Cell) *Regression {
	t.Helper()
	var rows []Pattern
	for side, cells := range [][]Cell{b, a} {
		for _, c := range cells {
			rows = append(rows, Pattern{X: []float64{1, float64(side)}, Cluster: c.Cluster, N: c.N, Sum: c.Sum, SumSq: c.SumSq})
		}
	}
	fit, err := Fit(FreeDesign("group"), rows, FitOptions{Covariance: Clustered})
	if err != nil {
		t.Fatal(err)
	}
	return fit
}

func TestClusteredGapCases(t *testing.T) {
	for _, c := range []*publishedCase{openCase(t, "clustered_gap_awards_separate"),
		openCase(t, "clustered_gap_nhanes_bothsides"), openCase(t, "clustered_gap_sim_mixed")} {
		a, b := sidesOfCase(c)
		s := sidesOf(a, b)
		e := ClusteredGap(a, b, nil, .95)
		c.check(s.totalA.mean(), "p1")
		c.check(s.totalB.mean(), "p0")
		c.check(e.Value, "gap")
		c.check(s.totalA.n+s.totalB.n, "N")
		g := float64(len(s.a))
		c.check(g, "G")
		c.check(float64(e.Design.ClustersA), "G1")
		c.check(float64(e.Design.ClustersB), "G0")
		c.check(e.SE, "se_CR2")

		fit := regressionOn(t, a, b)
		m := fit.scores()
		n := fit.Observations
		plain := fit.linked.covariance(m, 0).at(1, 1)
		c.check(math.Sqrt(plain), "se_CR0")
		c.check(math.Sqrt(plain*g/(g-1)), "se_CR1")
		c.check(math.Sqrt(plain*g/(g-1)), "survey_se")
		c.check(math.Sqrt(plain*g*(n-1)/(g-1)/(n-2)), "se_CR1S")
		c.check(math.Sqrt(fit.linked.covariance(m, -1).at(1, 1)), "se_CR3")
		near(t, "by regression", fit.Coefficient(1, .95).SE, e.SE, 1e-12)

		df := s.freedom(1/s.totalA.n, 1/s.totalB.n)
		near(t, "df by regression", fit.Coefficient(1, .95).Design.DF, df, 1e-8)
		q := studentQuantile(.95, df)
		c.check(df, "CR2", "df")
		c.check(e.Value/e.SE, "CR2", "t")
		c.check(twoSided(e.Value/e.SE, df), "CR2", "p")
		c.check(e.Value-q*e.SE, "CR2", "ci", 0)
		c.check(e.Value+q*e.SE, "CR2", "ci", 1)
		throughA, throughB := s.means(1, 0), s.means(0, 1)
		c.check(math.Sqrt(sumOfSquares(throughA)), "CR2_side_se", "p1")
		c.check(math.Sqrt(sumOfSquares(throughB)), "CR2_side_se", "p0")
		c.check(dot(throughA, throughB), "CR2_side_cov")
		c.check(s.freedom(1, 0), "CR2_side_df", "p1")
		c.check(s.freedom(0, 1), "CR2_side_df", "p0")
	}
}

func TestClusteredProportionCases(t *testing.T) {
	for _, c := range []*publishedCase{openCase(t, "clustered_proportion_cbpp"),
		openCase(t, "clustered_proportion_rare_sim")} {
		_, cells := sidesOfCase(c)
		s := sidesOf(cells, nil)
		e := ClusteredMean(cells, .95)
		c.check(e.Value, "p")
		c.check(e.Denominator, "N")
		g := float64(e.Design.ClustersA)
		c.check(g, "G")
		c.check(e.SE, "se_CR2")
		c.check(e.Design.DF, "CR2_df")
		near(t, "df", s.freedom(1, 0), e.Design.DF, 1e-12)
		q := studentQuantile(.95, e.Design.DF)
		c.check(e.Value-q*e.SE, "CR2_t_interval", 0)
		c.check(e.Value+q*e.SE, "CR2_t_interval", 1)

		var rows []Pattern
		for _, cell := range cells {
			rows = append(rows, Pattern{X: []float64{1}, Cluster: cell.Cluster, N: cell.N, Sum: cell.Sum, SumSq: cell.SumSq})
		}
		fit, err := Fit(FreeDesign(), rows, FitOptions{Covariance: Clustered})
		if err != nil {
			t.Fatal(err)
		}
		m := fit.scores()
		plain := fit.linked.covariance(m, 0).at(0, 0)
		cr1 := math.Sqrt(plain * g / (g - 1))
		c.check(math.Sqrt(plain), "se_CR0")
		c.check(cr1, "se_CR1")
		c.check(cr1, "survey_se")
		c.check(math.Sqrt(fit.linked.covariance(m, -1).at(0, 0)), "se_CR3")

		logit := e
		logit.insideUnit(studentQuantile(.95, g-1) * cr1)
		c.check(logit.Lower, "svyciprop", "xlogit", 0)
		c.check(logit.Upper, "svyciprop", "xlogit", 1)
	}
}

// averageInGroup is the average marginal effect of term 1 over those who have it.
func averageInGroup(r *Regression) float64 {
	var sum, n float64
	for _, p := range slices.Concat(r.rows, r.settled) {
		if p.X[1] == 0 {
			continue
		}
		x := slices.Clone(p.X)
		with, _ := r.probability(x)
		x[1] = 0
		without, _ := r.probability(x)
		sum, n = sum+p.N*(with-without), n+p.N
	}
	return sum / n
}

func TestJackknifeCases(t *testing.T) {
	for _, c := range []*publishedCase{openCase(t, "jackknife_cv3_sim"), openCase(t, "jackknife_cv3_sim_bothsides")} {
		a, b := sidesOfCase(c, "edu", "origin")
		rows := c.rows()
		edu, origin := clusterNumbers(rows, "edu"), clusterNumbers(rows, "origin")
		var standard []Cell
		for _, row := range c.read("standard.csv") {
			standard = append(standard, Cell{Key: []int{edu[row["edu"]], origin[row["origin"]]}, N: c.number(row["weight"])})
		}
		logit := func(a, b []Cell) *Regression {
			g, err := Adjust(a, b, AdjustOptions{Level: .95, Model: Logit, Covariance: Classical})
			if err != nil {
				t.Fatal(err)
			}
			return g.Fit
		}
		all, err := Jackknife(a, b, func(a, b []Cell) (map[string]Estimate, error) {
			kitagawa, err := Kitagawa(a, b, KitagawaOptions{Level: .95, TotalsOnly: true})
			if err != nil {
				return nil, err
			}
			direct := func(cells []Cell) Estimate {
				r, err := Direct(cells, standard, DirectOptions{Level: .95, Multiplier: 1})
				if err != nil {
					t.Fatal(err)
				}
				return r.Standardised
			}
			own, err := Standardise(a, b, StandardiseOptions{Level: .95, RandomStandard: true})
			if err != nil {
				return nil, err
			}
			fit := logit(a, b)
			return map[string]Estimate{
				"kitagawa_rate": kitagawa.Rate, "kitagawa_composition": kitagawa.Composition, "gap": kitagawa.Gap,
				"dsr1_fixed_std": direct(a), "dsr0_fixed_std": direct(b),
				"dsr_diff_fixed_std": {Value: direct(a).Value - direct(b).Value, Level: .95, SE: .01}, "dsr1_group0_std": own.A,
				"ame_all": fit.MarginalEffect(1, .95), "ame_logit_coef": fit.Coefficient(1, .95),
				"ame_group1": {Value: averageInGroup(fit), Level: .95, SE: .01},
			}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		number := clusterNumbers(rows, "cluster")
		c.check(float64(len(number)), "G")
		q := studentQuantile(.95, float64(len(number)-1))
		for name, e := range all {
			c.check(e.Value, "estimate", name)
			c.check(e.SE, "se_cv3", name)
			c.differs(e.SE, "se_cv3_centred_at_jackknife_mean", name)
			c.check(e.Value-q*e.SE, "ci_lo", name)
			c.check(e.Value+q*e.SE, "ci_hi", name)
		}
		// What the estimators themselves do with clusters.
		kitagawa, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Clustered: true})
		if err != nil {
			t.Fatal(err)
		}
		own, err := Standardise(a, b, StandardiseOptions{Level: .95, RandomStandard: true, Clustered: true})
		if err != nil {
			t.Fatal(err)
		}
		adjusted, err := Adjust(a, b, AdjustOptions{Level: .95, Model: Logit, Covariance: Clustered, Draws: 99})
		if err != nil {
			t.Fatal(err)
		}
		c.check(kitagawa.Composition.SE, "se_cv3", "kitagawa_composition")
		c.check(kitagawa.Rate.SE, "se_cv3", "kitagawa_rate")
		c.check(own.A.SE, "se_cv3", "dsr1_group0_std")
		c.check(adjusted.Adjusted.SE, "se_cv3", "ame_all")
		c.check(adjusted.Coefficients[1].Estimate.SE, "se_cv3", "ame_logit_coef")
		for name, g := range number {
			keep := func(cells []Cell) []Cell {
				return slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Cluster == g })
			}
			d, err := Kitagawa(keep(a), keep(b), KitagawaOptions{Level: .95, TotalsOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			effect, _ := adjusted.Fit.deleted[g].marginalEffect(1)
			c.check(d.Composition.Value, "replicates", name, 0)
			c.check(effect, "replicates", name, 1)
		}
	}
}

func TestSettledMarginalEffectCases(t *testing.T) {
	for c, dimension := range map[*publishedCase]string{openCase(t, "logit_ame_settled_small"): "cat",
		openCase(t, "logit_ame_settled_titanic"): "class_age"} {
		a, b := sidesOfCase(c, dimension)
		g, err := Adjust(a, b, AdjustOptions{Level: .95, Model: Logit, Covariance: Classical})
		if err != nil {
			t.Fatal(err)
		}
		group := g.Coefficients[1].Estimate
		c.check(group.Value, "coef_group")
		c.check(group.SE, "se_coef_group_model")
		c.check(g.Observations, "N_all")
		c.check(g.Fit.Observations, "N_unsettled")
		c.check(g.Fit.Settled, "N_settled")
		c.check(g.Adjusted.Value, "ame_all")
		c.check(g.Adjusted.SE, "ame_all_se_delta")
		c.check(averageInGroup(g.Fit), "ame_group1")
		c.check(g.Crude.Value, "crude_gap")
		c.differs(g.Adjusted.Value, "wrong_ame_settled_rows_dropped")
	}
}
