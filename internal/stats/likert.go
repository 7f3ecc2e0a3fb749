package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Answer is some answers to an item of a survey, or to several items that are taken together.
type Answer struct {
	Code       int // 1 to LikertOptions.Levels, DontKnow, or 0 for no answer
	Respondent int // answers of a respondent are alike; e.g. the serial number
	N          float64
	Weight     float64 // sum of the survey weights of the N answers; equal to N without weights
}

// LikertOptions says how to read the answers. All of it has to be said: nothing is taken for granted
// of a scale.
type LikertOptions struct {
	Level    float64 // confidence level, above 0 and below 1
	Levels   int     // answers are 1 to Levels
	DontKnow int     // its code, neither a level nor 0, which is no answer
	// Positive is the number of highest levels that count as positive.
	Positive int
	// Minimum is the number of respondents with a valid answer below which nothing is shown; 1 shows all.
	Minimum int
	Stop    Stop
}

// LikertScale is a summary of ordered answers. Shares are of valid answers: those missing and those
// who do not know are outside the denominator, and counted.
type LikertScale struct {
	Suppressed bool // fewer than the minimum have answered: counts are 0, estimates NaN
	Secondary  bool // Suppressed for the sake of another group; see LikertTable
	Levels     []LikertLevel
	Positive   Estimate // share of the highest levels
	Negative   Estimate // share of as many lowest levels
	Net        Estimate // Positive - Negative
	// Mean of the codes takes the steps between levels as equally long, which nobody knows: it is
	// ordinal, for ranking, and says so in its warnings. SD is over valid answers (n-1).
	Mean Estimate
	SD   float64
	// DontKnow and NoAnswer are shares of all asked.
	DontKnow, NoAnswer Estimate

	Valid, DontKnowCount, NoAnswerCount float64 // answers, unweighted
	Respondents                         float64 // with a valid answer
	Warnings                            []string
}

// LikertLevel is one level of the scale.
type LikertLevel struct {
	Code  int
	N     float64  // answers, unweighted
	Share Estimate // weighted, of valid answers
}

func (o LikertOptions) check() error {
	if err := CheckLevel(o.Level); err != nil {
		return err
	}
	switch {
	case o.Levels < 2:
		return fault.Invalidf("a scale of %d levels has no order; 5 are usual", o.Levels)
	case o.DontKnow >= 1 && o.DontKnow <= o.Levels:
		return fault.Invalidf("%d is a level of the scale 1 to %d, so it cannot be the code for don't know", o.DontKnow,
			o.Levels)
	case o.DontKnow == 0:
		return fault.Invalidf("0 is no answer, so it cannot be the code for don't know; 9 is usual")
	case o.Positive < 1 || 2*o.Positive > o.Levels:
		return fault.Invalidf("%d of %d levels cannot be positive: at most half can", o.Positive, o.Levels)
	case o.Minimum < 1:
		return fault.Invalidf("a minimum of %d respondents is not possible; 1 shows all", o.Minimum)
	}
	return nil
}

// SummariseLikert summarises answers. Where every respondent has one answer and all weights are
// equal, a share has Wilson's interval. Else the interval is Wilson's with as many observations as give
// the linearised variance of the weighted share,
//
//	V = G/(G-1) Σ_g (Σ w (x - p))² / (Σ w)²  over respondents g,
//
// not more than there are answers, and Student's quantile. A share of 0 or 1 tells no variance: it
// takes Kish's (Σw)²/Σw² over respondents. A code that is no level, a negative weight, or a
// weight that is not finite is an error.
func SummariseLikert(answers []Answer, opts LikertOptions) (*LikertScale, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	out := &LikertScale{SD: math.NaN()}
	var valid, asked []Answer
	heaviest := 0.0
	for _, a := range answers {
		if !(a.N >= 0 && a.Weight >= 0) || math.IsInf(a.N, 0) || math.IsInf(a.Weight, 0) {
			return nil, fault.Invalidf("an answer has n = %g and weight %g; both must be finite and at least 0", a.N, a.Weight)
		}
		heaviest = math.Max(heaviest, a.Weight)
	}
	for _, a := range answers {
		if a.N == 0 {
			continue
		}
		if heaviest > 0 {
			a.Weight /= heaviest // their unit means nothing; squares must not overflow
		}
		switch {
		case a.Code >= 1 && a.Code <= opts.Levels:
			valid = append(valid, a)
			out.Valid += a.N
		case a.Code == opts.DontKnow:
			out.DontKnowCount += a.N
		case a.Code == 0:
			out.NoAnswerCount += a.N
		default:
			return nil, fault.Invalidf("%d is no answer on a scale of 1 to %d; %d is don't know, 0 no answer", a.Code,
				opts.Levels, opts.DontKnow)
		}
		asked = append(asked, a)
	}
	out.Levels = make([]LikertLevel, opts.Levels)
	out.Respondents = float64(len(byRespondent(valid)))
	if out.Respondents < float64(opts.Minimum) {
		out.suppress(opts)
		return out, nil
	}
	share := func(of []Answer, has func(code int) bool) Estimate { return weightedShare(of, has, opts.Level) }
	for l := range out.Levels {
		out.Levels[l] = LikertLevel{Code: l + 1, Share: share(valid, func(code int) bool { return code == l+1 })}
		for _, a := range valid {
			if a.Code == l+1 {
				out.Levels[l].N += a.N
			}
		}
	}
	out.Positive = share(valid, func(code int) bool { return code > opts.Levels-opts.Positive })
	out.Negative = share(valid, func(code int) bool { return code <= opts.Positive })
	out.DontKnow = share(asked, func(code int) bool { return code == opts.DontKnow })
	out.NoAnswer = share(asked, func(code int) bool { return code == 0 })
	score := func(code int) float64 {
		switch {
		case code > opts.Levels-opts.Positive:
			return 1
		case code <= opts.Positive:
			return -1
		}
		return 0
	}
	out.Net, _ = weightedMean(valid, score, opts.Level)
	out.Net.Method = "positive minus negative, " + out.Net.Method
	out.Mean, out.SD = weightedMean(valid, func(code int) float64 { return float64(code) }, opts.Level)
	out.Mean.warnf("ordinal: the mean takes the steps between answers as equally long")
	if unknown := out.DontKnowCount + out.NoAnswerCount; unknown > out.Valid {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s of %s answers are missing or don't know", formatCount(unknown),
			formatCount(unknown+out.Valid)))
	}
	return out, nil
}

func (s *LikertScale) suppress(opts LikertOptions) {
	reason := fmt.Sprintf("fewer than %d respondents have answered", opts.Minimum)
	hidden := undefined("suppressed", opts.Level, "%s", reason)
	for l := range s.Levels {
		s.Levels[l] = LikertLevel{Code: l + 1, Share: hidden}
	}
	s.Suppressed = true
	s.Positive, s.Negative, s.Net, s.Mean, s.DontKnow, s.NoAnswer = hidden, hidden, hidden, hidden, hidden, hidden
	s.Valid, s.DontKnowCount, s.NoAnswerCount, s.Respondents = 0, 0, 0, 0
	s.Warnings = []string{reason}
}

// LikertDifference estimates the share of positive answers of one group minus that of another with
// Newcombe's hybrid interval from the bounds of both (see Difference). The groups must be of
// different respondents. A suppressed group gives NaN.
func LikertDifference(a, b *LikertScale) Estimate {
	const method = "Newcombe hybrid score"
	if a.Suppressed || b.Suppressed {
		return undefined(method, a.Positive.Level, "a group with too few respondents cannot be compared")
	}
	p, q := a.Positive, b.Positive
	if p.Level != q.Level {
		return undefined(method, p.Level, "intervals of level %g and %g cannot be compared", p.Level, q.Level)
	}
	return Estimate{
		Value: p.Value - q.Value, SE: math.Hypot(p.SE, q.SE), Level: p.Level,
		Lower:     p.Value - q.Value - math.Hypot(p.Value-p.Lower, q.Upper-q.Value),
		Upper:     p.Value - q.Value + math.Hypot(p.Upper-p.Value, q.Value-q.Lower),
		Numerator: p.Numerator, Denominator: p.Denominator, Method: method, Warnings: pairWarnings(p, q),
	}
}

// byRespondent orders answers by respondent and cuts them into one slice for each.
func byRespondent(answers []Answer) (respondents [][]Answer) {
	sorted := slices.Clone(answers)
	slices.SortStableFunc(sorted, func(a, b Answer) int { return cmp.Compare(a.Respondent, b.Respondent) })
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to].Respondent == sorted[from].Respondent {
			to++
		}
		respondents = append(respondents, sorted[from:to])
		from = to
	}
	return respondents
}

// spread is what the answers tell about a weighted mean of scores.
type spread struct {
	n, weight   float64 // answers and their weight
	mean        float64
	squares     float64 // Σ w (x - mean)²
	variance    float64 // of the mean, linearised; NaN for one respondent
	kish        float64 // (Σw)²/Σw² over respondents
	respondents float64
	simple      bool // one answer each, of equal weight
}

func spreadOf(answers []Answer, score func(code int) float64) (s spread) {
	for _, a := range answers {
		s.n += a.N
		s.weight += a.Weight
		s.mean += a.Weight * score(a.Code)
	}
	s.mean /= s.weight
	var moved, squares float64
	s.simple = true
	for _, all := range byRespondent(answers) {
		var d, w, n float64
		for _, a := range all {
			deviation := score(a.Code) - s.mean
			d += a.Weight * deviation
			s.squares += a.Weight * deviation * deviation
			w += a.Weight
			n += a.N
		}
		s.respondents++
		moved += d * d
		squares += w * w
		s.simple = s.simple && n == 1 && w == answers[0].Weight/answers[0].N
	}
	s.kish = s.weight * s.weight / squares
	s.variance = moved / s.weight / s.weight * s.respondents / (s.respondents - 1)
	return s
}

// unweighted is what cannot be given of n answers without weight.
func unweighted(method string, n, level float64) Estimate {
	e := undefined(method, level, "no answers, or all of weight 0")
	e.Denominator = n
	return e
}

func weightedShare(answers []Answer, has func(code int) bool, level float64) Estimate {
	var count float64
	for _, a := range answers {
		if has(a.Code) {
			count += a.N
		}
	}
	s := spreadOf(answers, func(code int) float64 {
		if has(code) {
			return 1
		}
		return 0
	})
	if s.weight == 0 {
		return unweighted("Wilson score", s.n, level)
	}
	if s.simple {
		return Wilson(count, s.n, level)
	}
	p := clip01(s.mean)
	e := Estimate{Value: p, SE: math.NaN(), Level: level, Numerator: count, Denominator: s.n,
		Method: "Wilson score, by respondent"}
	n, q := s.kish, normalQuantile(level)
	if independent := p * (1 - p); independent > 1e-12 && s.variance > 0 {
		n, q = math.Min(s.n, independent/s.variance), studentQuantile(level, s.respondents-1)
		e.SE = math.Sqrt(independent / n)
	} else if s.respondents > 1 {
		e.warnf("nothing varies between respondents: the interval counts each once")
	} else {
		e.warnf("one respondent tells nothing about the others")
	}
	if s.n < fewObservations {
		e.warnf("fewer than %d observations", fewObservations)
	}
	e.Lower, e.Upper = wilsonBounds(p*n, n, q)
	if p == 0 {
		e.Lower = 0
	}
	return e
}

// weightedMean returns the mean of scores and the standard deviation, (n-1)-corrected.
func weightedMean(answers []Answer, score func(code int) float64, level float64) (Estimate, float64) {
	s := spreadOf(answers, score)
	if s.weight == 0 {
		return unweighted("weighted mean", s.n, level), math.NaN()
	}
	sd := math.Sqrt(s.squares / s.weight * s.n / (s.n - 1))
	if s.n <= 1 {
		sd = math.NaN()
	}
	e := scaledEstimate("mean, Student t", s.mean, s.variance, studentQuantile(level, s.respondents-1), level)
	if !s.simple {
		e.Method = "weighted mean by respondent, Student t"
	}
	e.Denominator = s.n
	if s.respondents < 2 {
		e.Lower, e.Upper, e.SE = math.NaN(), math.NaN(), math.NaN()
		e.Warnings = []string{"one respondent tells nothing about the others"}
	}
	return e, sd
}
