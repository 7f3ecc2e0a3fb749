package stats

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Segregation is how unevenly two groups are spread over units, such as areas.
type Segregation struct {
	Units int // with anybody in them
	// Dissimilarity is D = ½ Σ |a/A - b/B|: the share of either group that would have to move for both to
	// be spread alike.
	Dissimilarity Estimate
	// ExpectedDissimilarity is the mean of D if persons were placed at random in units of the sizes
	// they have; small units inflate it. Excess is (D - expected)/(1 - expected), 0 for random.
	ExpectedDissimilarity, ExcessDissimilarity float64
	// CorrectedDissimilarity is D with each unit's difference brought down by what its own chance adds to its
	// size: σ times the θ that makes |difference|/σ most likely (Allen, Burgess, Davidson, Windmeijer
	// 2015, Econometrics J. 18:40). It takes most of the bias of small units away, not all.
	CorrectedDissimilarity float64
	// Σ (a/A)(a/t): share of own group in the unit of a typical member of a
	Isolation   Estimate
	Interaction Estimate // Σ (a/A)(b/t): share of the other group there; 1 - isolation
	// (isolation - P)/(1 - P): isolation beyond that of random placement
	EtaSquared float64
	Gini       float64
	Theil      float64 // information theory index H
	Atkinson   float64 // with shape 0.5
	Share      float64 // P = A/(A+B)
	Warnings   []string
}

// Segregate measures the segregation of a from b over the units that the keys of their cells name
// (Massey, Denton 1988, Social Forces 67:281). N are persons; Sum and SumSq are not read. The
// groups must not share persons: pass those that they do as shared, and they are taken out of b,
// so that a group against "the population" becomes the group against the rest; out of a where a
// contains b. The same persons on both sides are an error. Units without anybody count nothing.
//
// Intervals are the delta method's for both groups as samples over units. D is biased upwards: with
// small units its interval lies too high and covers far less than its level, and a warning says
// so. The mean of D under random placement is exact: a is then hypergeometric in each unit, with
// mean absolute deviation 2 m (B - t + m)/T·P(a = m), m the first count above its mean.
func Segregate(a, b, shared []Cell, level float64) (*Segregation, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	s := &Segregation{}
	var err error
	switch n := Total(shared).N; {
	case n == 0:
	case n == Total(b).N && n == Total(a).N:
		return nil, fault.Invalidf("the two cohorts are the same %s observations: there is nothing to compare",
			formatCount(n))
	case n == Total(b).N:
		if a, err = subtractCounts(a, shared); err != nil {
			return nil, err
		}
		s.Warnings = append(s.Warnings,
			formatCount(n)+" persons are in both groups, all of the second; the rest of the first is compared with it")
	default:
		if b, err = subtractCounts(b, shared); err != nil {
			return nil, err
		}
		s.Warnings = append(s.Warnings,
			formatCount(n)+" persons are in both groups; the first is compared with the rest of the second")
	}
	t, err := crossTabulate(a, b, nil, nil, false)
	if err != nil {
		return nil, err
	}
	A, B := t.nA, t.nB
	T := A + B
	s.Share = A / T
	s.Units = t.strata()
	p := s.Share
	entropy := func(p float64) float64 { return -xlogx(p) - xlogx(1-p) }
	type unit struct{ share, size float64 }
	units := make([]unit, s.Units)
	var signA, signB, isolation, h, atkinson float64
	var onA, onB, onBSquare, onASquare float64 // moments of the influence on isolation
	for i := range t.a {
		x, y := t.a[i].n, t.b[i].n
		total := x + y
		q := x / total
		units[i] = unit{q, total}
		if sign := x/A - y/B; sign > 0 {
			signA += x / A
			signB += y / B
		}
		s.ExpectedDissimilarity += randomDeviation(A, B, total)
		s.CorrectedDissimilarity += densityCorrected(x/A, y/B, A, B) / 2
		isolation += x / A * q
		onA += x / A * q * (2 - q)
		onASquare += x / A * q * (2 - q) * q * (2 - q)
		onB += y / B * q * q
		onBSquare += y / B * q * q * q * q
		h += total * (entropy(p) - entropy(q))
		atkinson += math.Sqrt(x * y)
	}
	// D is the share of a less that of b in the units where a is over-represented. Sums of shares that are
	// 0 or 1 but for rounding are that.
	for _, share := range []*float64{&signA, &signB} {
		if whole := math.Round(*share); math.Abs(*share-whole) < rounding {
			*share = whole
		}
	}
	s.Dissimilarity = normalEstimate("delta method", signA-signB, signA*(1-signA)/A+signB*(1-signB)/B, level)
	d := &s.Dissimilarity
	d.Lower, d.Upper, d.Denominator = clip01(d.Lower), clip01(d.Upper), T
	s.ExpectedDissimilarity *= T / (A * B) / 2
	s.ExcessDissimilarity = (d.Value - s.ExpectedDissimilarity) / (1 - s.ExpectedDissimilarity)
	variance := leftOf(onASquare-onA*onA, onASquare)/A + B/(A*A)*leftOf(onBSquare-onB*onB, onBSquare)
	s.Isolation = normalEstimate("delta method", isolation, variance, level)
	s.Isolation.Denominator = A
	s.Interaction = s.Isolation.scale(-1)
	s.Interaction.Value++
	s.Interaction.Lower++
	s.Interaction.Upper++
	for _, e := range []*Estimate{&s.Isolation, &s.Interaction} {
		e.Lower, e.Upper = clip01(e.Lower), clip01(e.Upper)
	}
	s.EtaSquared = (isolation - p) / (1 - p)
	s.Theil = h / (T * entropy(p))
	s.Atkinson = 1 - atkinson*atkinson/(A*B)

	// Gini: mean absolute difference of shares over pairs of persons, over its maximum.
	slices.SortStableFunc(units, func(a, b unit) int {
		switch {
		case a.share < b.share:
			return -1
		case a.share > b.share:
			return 1
		}
		return 0
	})
	var below, ofBelow float64
	for _, u := range units {
		s.Gini += u.size * (u.share*below - ofBelow)
		below += u.size
		ofBelow += u.size * u.share
	}
	s.Gini /= T * T * p * (1 - p)

	if s.Units < 2 {
		s.Warnings = append(s.Warnings, "one unit: there is nothing to be spread over")
	}
	if s.ExpectedDissimilarity > 0.1*d.Value {
		d.warnf("random placement alone would give %.3g in units of this size: compare with that, the interval does not "+
			"know it", s.ExpectedDissimilarity)
	}
	return s, nil
}

// densityCorrected is |a - b| of the shares that a unit has of groups of A and B, less what chance adds to it: θσ
// with θ the mode of the folded normal, where θ = t·tanh(tθ) for t = |a - b|/σ, which is 0 up to t = 1.
func densityCorrected(a, b, A, B float64) float64 {
	sigma := math.Sqrt(a*(1-a)/A + b*(1-b)/B)
	if sigma == 0 {
		return math.Abs(a - b)
	}
	t := math.Abs(a-b) / sigma
	if t <= 1 {
		return 0
	}
	theta := t
	for range 200 {
		next := t * math.Tanh(t*theta)
		if theta-next <= 1e-14*t {
			break
		}
		theta = next
	}
	return theta * sigma
}

// subtractCounts is Subtract for N alone.
func subtractCounts(cells, shared []Cell) ([]Cell, error) {
	strip := func(cells []Cell) []Cell {
		out := make([]Cell, len(cells))
		for i, c := range cells {
			out[i] = Cell{Key: c.Key, N: c.N}
		}
		return out
	}
	return Subtract(strip(cells), strip(shared))
}

func xlogx(p float64) float64 {
	if p <= 0 {
		return 0
	}
	return p * math.Log(p)
}

// randomDeviation is the mean of |x - tA/T| for x of A among t drawn without return from A + B.
func randomDeviation(A, B, t float64) float64 {
	T := A + B
	m := math.Floor(t*A/T) + 1
	if m > math.Min(t, A) || t-m > B {
		return 0
	}
	logChoose := func(n, k float64) float64 {
		a, _ := math.Lgamma(n + 1)
		b, _ := math.Lgamma(k + 1)
		c, _ := math.Lgamma(n - k + 1)
		return a - b - c
	}
	return 2 * m * (B - t + m) / T * math.Exp(logChoose(A, m)+logChoose(B, t-m)-logChoose(T, t))
}

// MultigroupSegregation is how unevenly several groups are spread over units.
type MultigroupSegregation struct {
	Units int
	// Information is the mutual information M of group and unit, in nats: how much knowing the unit
	// tells of the group. Between and Within split it over larger units (Mora, Ruiz-Castillo 2011).
	Information, Between, Within float64
	// Theil is H = M over the entropy of the groups, with its parts between and within.
	Theil, TheilBetween, TheilWithin float64
	Dissimilarity                    float64 // multigroup D (Sakoda 1981)
	// Local is, by group, how much knowing that a person is in the group tells of the unit; M is their
	// mean weighted by Shares.
	Local, Shares []float64
	// ExpectedInformation is about what random placement gives: (units - 1)(groups - 1)/(2N).
	ExpectedInformation float64
	Warnings            []string
}

// SegregateGroups measures the segregation of several groups over the units that the keys of their
// cells name. The first larger dimensions of the keys name the larger units (such as
// municipalities, with areas within); larger = 0 means one unit that holds all, so that all
// segregation is within. Logarithms are natural. A group that is empty is an error.
func SegregateGroups(groups [][]Cell, larger int) (*MultigroupSegregation, error) {
	if len(groups) < 2 {
		return nil, fault.Invalidf("%d group; segregation is between at least two", len(groups))
	}
	dims, err := checkCells(groups...)
	if err != nil {
		return nil, err
	}
	if dims == 0 || larger < 0 || larger > dims {
		return nil, fault.Invalidf("%d dimensions name the unit, of which %d are to name the larger unit", dims, larger)
	}
	s := &MultigroupSegregation{}
	fine := countTable(groups, dims)
	coarse := countTable(groups, larger)
	var total float64
	for g, cells := range groups {
		n := Total(cells).N
		if n == 0 {
			return nil, fault.Invalidf("group %d has no observations: leave it out", g+1)
		}
		s.Shares = append(s.Shares, n)
		total += n
	}
	var entropy float64
	for g := range s.Shares {
		s.Shares[g] /= total
		entropy -= xlogx(s.Shares[g])
	}
	s.Units = len(fine)
	s.Information, s.Local = information(fine, s.Shares, total)
	s.Between, _ = information(coarse, s.Shares, total)
	s.Within = s.Information - s.Between
	s.Theil, s.TheilBetween, s.TheilWithin = s.Information/entropy, s.Between/entropy, s.Within/entropy
	var spread float64
	for _, p := range s.Shares {
		spread += p * (1 - p)
	}
	for _, unit := range fine {
		var n float64
		for _, v := range unit {
			n += v
		}
		for g, v := range unit {
			s.Dissimilarity += math.Abs(v-n*s.Shares[g]) / (2 * total * spread)
		}
	}
	s.ExpectedInformation = float64((s.Units-1)*(len(groups)-1)) / (2 * total)
	if s.ExpectedInformation > 0.1*s.Information {
		s.Warnings = append(s.Warnings,
			"random placement alone gives a good part of the mutual information in units so small")
	}
	return s, nil
}

// countTable adds up N by the first dims of the key and by group, in ascending order of key.
func countTable(groups [][]Cell, dims int) (table [][]float64) {
	type entry struct {
		key   []int
		group int
		n     float64
	}
	var entries []entry
	for g, cells := range groups {
		for _, c := range cells {
			if c.N > 0 {
				entries = append(entries, entry{c.Key[:dims], g, c.N})
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return slices.Compare(a.key, b.key) })
	for i, e := range entries {
		if i == 0 || !slices.Equal(e.key, entries[i-1].key) {
			table = append(table, make([]float64, len(groups)))
		}
		table[len(table)-1][e.group] += e.n
	}
	return table
}

// information is the mutual information of a table, and what each group adds over its share.
func information(table [][]float64, shares []float64, total float64) (m float64, local []float64) {
	local = make([]float64, len(shares))
	for _, unit := range table {
		var n float64
		for _, v := range unit {
			n += v
		}
		for g, v := range unit {
			if v > 0 {
				local[g] += v / (shares[g] * total) * math.Log(v/(n*shares[g]))
			}
		}
	}
	for g, l := range local {
		m += shares[g] * l
	}
	return m, local
}
