package stats

import (
	"fmt"
	"math/bits"
	"slices"
)

// LikertGroup is one group of a table of answers: a category per dimension, and the answers.
type LikertGroup struct {
	Key     []int
	Answers []Answer
}

// LikertTable summarises groups that differ in their keys, and hides those from which few
// respondents could be recognised. First, as SummariseLikert does, groups in which fewer than the
// minimum have a valid answer. Then (Secondary), the smallest first, further groups, so that no
// single subtraction finds one that is hidden: wherever a total of the groups over some of the
// dimensions is shown, the hidden ones in it are none, or at least two that have the minimum of
// respondents together; and where such a total is hidden, one of its groups is. Which totals are
// shown follows from the same rule for the table of the totals, so that a table and the tables over
// fewer of its dimensions hide the same, asked together or one after the other.
//
// The dimensions must always come in the same order, since it settles which of two equally small
// groups is hidden. It does not guard against solving several subtractions together, nor against
// tables of other answers.
func LikertTable(groups []LikertGroup, opts LikertOptions) (_ []*LikertScale, err error) {
	defer opts.Stop.end(&err)
	if err := opts.check(); err != nil {
		return nil, err
	}
	out := make([]*LikertScale, len(groups))
	for i, g := range groups {
		if err := opts.Stop.why(); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = SummariseLikert(g.Answers, opts); err != nil {
			return nil, err
		}
	}
	if len(groups) == 0 {
		return out, nil
	}
	tables := map[int]*protected{}
	all := 1<<len(groups[0].Key) - 1
	for size := 0; size <= bits.OnesCount(uint(all)); size++ {
		for kept := 0; kept <= all; kept++ {
			if bits.OnesCount(uint(kept)) == size && !opts.Stop.now() {
				tables[kept] = protect(groups, kept, tables, opts)
			}
		}
	}
	if opts.Stop.now() {
		return nil, opts.Stop.why()
	}
	for i, g := range groups {
		if finest := tables[all]; finest.hidden[finest.place(g.Key)] && !out[i].Suppressed {
			out[i].suppress(opts)
			out[i].Secondary = true
			out[i].because(fmt.Sprintf("hidden so that a group with fewer than %d respondents cannot be found by subtraction",
				opts.Minimum))
		}
	}
	return out, nil
}

// protected is a table over the kept dimensions (a bit each) with what is hidden in it.
type protected struct {
	kept   int
	keys   [][]int // in order
	valid  [][]Answer
	n      []int // respondents with a valid answer
	hidden []bool
}

// reduced is the key over the kept dimensions.
func reduced(key []int, kept int) []int {
	out := []int{}
	for d, k := range key {
		if kept&(1<<d) != 0 {
			out = append(out, k)
		}
	}
	return out
}

// place returns the place of the group that a key falls into.
func (t *protected) place(key []int) int {
	i, _ := slices.BinarySearchFunc(t.keys, reduced(key, t.kept), slices.Compare[[]int])
	return i
}

// protect makes the table over the kept dimensions; coarser holds those over fewer.
func protect(groups []LikertGroup, kept int, coarser map[int]*protected, opts LikertOptions) *protected {
	t := &protected{kept: kept}
	whole := map[int][]int{} // by place: a key over all dimensions that falls into it
	for _, g := range groups {
		t.keys = append(t.keys, reduced(g.Key, kept))
	}
	slices.SortFunc(t.keys, slices.Compare[[]int])
	t.keys = slices.CompactFunc(t.keys, slices.Equal[[]int])
	t.valid, t.n, t.hidden = make([][]Answer, len(t.keys)), make([]int, len(t.keys)), make([]bool, len(t.keys))
	for _, g := range groups {
		i := t.place(g.Key)
		whole[i] = g.Key
		for _, a := range g.Answers {
			if a.N > 0 && a.Code >= 1 && a.Code <= opts.Levels {
				t.valid[i] = append(t.valid[i], a)
			}
		}
	}
	for i := range t.keys {
		t.n[i] = len(byRespondent(t.valid[i]))
		t.hidden[i] = t.n[i] < opts.Minimum
	}
	// The totals that the groups add up to: which groups, and whether the total is shown.
	type total struct {
		parts []int
		shown bool
	}
	var totals []total
	alone := make([]bool, len(t.keys)) // the group is a total that is shown: hiding it hides nothing
	for over := range kept {
		if over&^kept != 0 {
			continue
		}
		c := coarser[over]
		parts := make([][]int, len(c.keys))
		for i := range t.keys {
			p := c.place(whole[i])
			parts[p] = append(parts[p], i)
		}
		for p, list := range parts {
			totals = append(totals, total{list, !c.hidden[p]})
			if len(list) == 1 && !c.hidden[p] {
				alone[list[0]] = true
			}
		}
	}
	for changed := true; changed && !opts.Stop.now(); {
		changed = false
		for _, total := range totals {
			var hidden []Answer
			n, smallest := 0, -1
			for _, i := range total.parts {
				switch {
				case t.hidden[i]:
					n++
					hidden = append(hidden, t.valid[i]...)
				case smallest < 0, alone[smallest] && !alone[i], alone[smallest] == alone[i] && t.n[i] < t.n[smallest]:
					smallest = i
				}
			}
			safe := n == 0 || n >= 2 && len(byRespondent(hidden)) >= opts.Minimum
			if !total.shown {
				safe = n > 0
			}
			if !safe && smallest >= 0 {
				t.hidden[smallest] = true
				changed = true
			}
		}
	}
	return t
}

// because puts one reason in place of all warnings of a hidden scale.
func (s *LikertScale) because(reason string) {
	s.Warnings = []string{reason}
	for _, e := range []*Estimate{&s.Positive, &s.Negative, &s.Net, &s.Mean, &s.DontKnow, &s.NoAnswer} {
		e.Warnings = s.Warnings
	}
	for l := range s.Levels {
		s.Levels[l].Share.Warnings = s.Warnings
	}
}
