package stats

import (
	"fmt"
	"math"
	"slices"
)

// AgeGroup is a number of persons whose ages are known to lie from From to To, in whole years,
// both included.
type AgeGroup struct {
	Label    string // how a warning names it
	From, To int
	Open     bool // the oldest group: To is no age that anybody has, so it cannot be spread over its ages
	N        float64
}

// ReachStratum is an area in a year: who lives there, the target ages of what is on offer, each from
// and to in whole years, both included, and the persons who took it up.
type ReachStratum struct {
	Groups       []AgeGroup
	Targets      [][2]int
	Participants float64
}

// Reach is how many of those that something is meant for took it up. It has no interval: Least and
// Most are bounds that hold whatever the ages within a group. NaN where undefined.
type Reach struct {
	Value, Least, Most float64
	Participants       float64
	// Residents of the target ages: of groups wholly within them, of every group that they touch,
	// and with cut groups taken as evenly spread over their ages.
	Residents, ResidentsLeast, ResidentsMost float64
	Warnings                                 []string
}

// SumReach sums persons who took part and residents of the target ages over the strata, and
// divides. A resident whose age suits several targets counts once a stratum.
func SumReach(strata []ReachStratum) Reach {
	var out Reach
	var cut []string
	open := ""
	for _, s := range strata {
		out.Participants += s.Participants
		for _, g := range s.Groups {
			within := 0
			for age := g.From; age <= g.To; age++ {
				if slices.ContainsFunc(s.Targets, func(t [2]int) bool { return t[0] <= age && age <= t[1] }) {
					within++
				}
			}
			ages := g.To - g.From + 1
			switch {
			case within == 0 || g.N == 0:
				continue
			case within == ages:
				out.ResidentsLeast += g.N
				out.Residents += g.N
			case g.Open:
				open = g.Label
			default:
				if !slices.Contains(cut, g.Label) {
					cut = append(cut, g.Label)
				}
				out.Residents += g.N * float64(within) / float64(ages)
			}
			out.ResidentsMost += g.N
		}
	}
	for _, label := range cut {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("ASSUMED: the target age cuts the recorded group %q, whose residents are taken as evenly spread over "+
				"its ages", label))
	}
	if open != "" {
		out.Residents = math.NaN()
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("the target age cuts the oldest recorded group %q, which has no end: only bounds can be given", open))
	}
	over := func(n float64) float64 {
		if n == 0 {
			return math.NaN()
		}
		return out.Participants / n
	}
	out.Value, out.Least, out.Most = over(out.Residents), over(out.ResidentsMost), over(out.ResidentsLeast)
	if out.Participants > out.ResidentsMost && out.ResidentsMost > 0 {
		out.Warnings = append(out.Warnings,
			"more took part than residents of the target age are recorded: some come from elsewhere or are of other ages")
	}
	return out
}
