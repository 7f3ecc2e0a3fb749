package synth

import (
	"cmp"
	"slices"
)

// Poverty comes first, from the family's work, education and kind, in exactly the published
// numbers of 2016. Income is then drawn on the right side of the line, and its upper half is
// stretched so that the median is exactly twice the line: the definition of poverty, applied to
// the rows, gives the same families back. Wealth decides who of them is poor by the line of
// Statistics Denmark too.

const (
	incomeMargin = 20 // DKK between the line and any income, so that ties in the median do not matter
	poorCells    = 4  // in areas or not, non-Western or not
)

func (f *family) poorCell(y int) int {
	c := 0
	if f.area[y] >= 0 {
		c = 2
	}
	if f.origin == nonWestern {
		c++
	}
	return c
}

func (w *world) povertyEta(f *family, y int) int {
	e := povertyTrend[y] + povertyEducation*max(step(f.motherEducation), step(f.fatherEducation))
	switch f.parentsStatus[y] {
	case noneActive:
		e += povertyNoneActive
	case oneActive, unknownParents:
		e += povertyOneIdle
	}
	if f.kind[y] == motherAlone || f.kind[y] == fatherAlone {
		e += povertyLone
	}
	if a := f.area[y]; a >= 0 {
		e += w.shift.poverty[a]
	}
	return e + when(f.mobile && f.origin == danish, povertyMobileDanish) + when(f.student[y], povertyStudent)
}

// poorTargets are the poor children of 2016 per cell: the published counts, and a third of
// those of non-Western origin in the areas and outside.
func (w *world) poorTargets(children [poorCells]int) (target [poorCells]int) {
	inAreas := min(w.scaled(PoorChildrenInAreas2016), children[2]+children[3])
	rest := w.scaled(PoorChildren2016) - inAreas
	third := func(n int) int {
		return (n*poorNonWesternNumerator + poorNonWesternDenominator/2) / poorNonWesternDenominator
	}
	target[3] = min(third(children[3]), inAreas)
	target[2] = inAreas - target[3]
	target[1] = third(children[1])
	target[0] = rest - target[1]
	return target
}

func (w *world) choosePoor() {
	w.draw("poor", poorRenewalPPM)
	const y = calibrated
	var cells [poorCells][]int32
	var children [poorCells]int
	for i := range w.families {
		if f := &w.families[i]; f.children[y] > 0 {
			children[f.poorCell(y)] += int(f.children[y])
			cells[f.poorCell(y)] = append(cells[f.poorCell(y)], int32(i))
		}
	}
	poorAt := func(i int32, y, c int) bool {
		return int(w.draws[int(i)*years+y]) < logistic(c+w.povertyEta(&w.families[i], y))
	}
	var cut [poorCells]int
	for cell, target := range w.poorTargets(children) {
		cut[cell] = largestCut(-logitBound, logitBound, target, func(c int) int {
			n := 0
			for _, i := range cells[cell] {
				if poorAt(i, y, c) {
					n += int(w.families[i].children[y])
				}
			}
			return n
		})
		rest := target
		for _, i := range cells[cell] {
			if f := &w.families[i]; poorAt(i, y, cut[cell]) {
				f.poor[y] = true
				rest -= int(f.children[y])
			}
		}
		// The next families in line, until the number is exact.
		for c := cut[cell] + 1; rest > 0 && c <= logitBound; c++ {
			for _, i := range cells[cell] {
				if f := &w.families[i]; !f.poor[y] && int(f.children[y]) <= rest && poorAt(i, y, c) {
					f.poor[y] = true
					rest -= int(f.children[y])
				}
			}
		}
	}
	inBlocks(len(w.families), func(_, from, to int) {
		for i := from; i < to; i++ {
			f := &w.families[i]
			for t := range years {
				if t != y && f.children[t] > 0 {
					f.poor[t] = poorAt(int32(i), t, cut[f.poorCell(t)])
				}
			}
		}
	})
}

// poorSDG is whether the family is poor by the line of Statistics Denmark: income and wealth are both
// below half the median income, and its main earner does not study.
func (f *family) poorSDG(y int) bool {
	return f.poor[y] && !f.student[y] && int(f.wealth[y]) < povertyLine[y]
}

func (w *world) incomes() {
	w.choosePoor()
	w.draw("income", incomeRenewalPPM)
	inBlocks(len(w.families), func(block, from, to int) {
		s := w.stream("income shocks", block)
		for i := from; i < to; i++ {
			f := &w.families[i]
			lasting := s.normal() * incomeDeviation / 1000
			savings := s.normal()
			for y := range years {
				if f.children[y] > 0 {
					w.earn(f, y, lasting, savings, int(w.draws[i*years+y]), s)
				}
			}
		}
	})
	parallel(years, w.setMedians)
}

// setMedians stretches the incomes of a year to their median among its children, and puts the
// children into fifths of income.
func (w *world) setMedians(y int) {
	type home struct{ income, children int32 }
	var list []home
	total := 0
	for i := range w.families {
		if f := &w.families[i]; f.children[y] > 0 {
			list = append(list, home{f.income[y], int32(f.children[y])})
			total += int(f.children[y])
		}
	}
	slices.SortFunc(list, func(a, b home) int { return cmp.Compare(a.income, b.income) })
	// quantile returns the income of the k-th child from below.
	quantile := func(k int) int {
		for _, f := range list {
			if k -= int(f.children); k < 0 {
				return int(f.income)
			}
		}
		panic("synth: no such child")
	}
	income := stretch{povertyLine[y], quantile((total - 1) / 2)}
	var fifths [4]int32
	for k := range fifths {
		fifths[k] = int32(income.apply(quantile((total*(k+1)+4)/5 - 1)))
	}
	for i := range w.families {
		f := &w.families[i]
		if f.children[y] == 0 {
			continue
		}
		f.income[y] = int32(income.apply(int(f.income[y])))
		for _, limit := range fifths {
			if f.income[y] > limit {
				f.incomeGroup[y]++
			}
		}
	}
}

// A stretch maps values above the line so that the median becomes twice the line; it keeps the
// order of values, and those below the line as they are.
type stretch struct{ line, median int }

func (t stretch) apply(v int) int {
	if v <= t.line || t.median <= t.line {
		return v
	}
	return max(t.line+incomeMargin, t.line+(v-t.line)*t.line/(t.median-t.line))
}

// earn draws a family's equivalised income and wealth before the median is set.
func (w *world) earn(f *family, y, lasting, savings, draw int, s *stream) {
	line := povertyLine[y]
	x := lasting + s.normal()*incomeShock/1000 + incomeOfEducation(f, y)
	spread, drift := s.below(1000), s.normal()/8
	switch f.parentsStatus[y] {
	case oneActive, unknownParents:
		x -= 230
	case noneActive:
		x -= 480
	}
	if f.kind[y] == motherAlone || f.kind[y] == fatherAlone {
		x -= 130
	}
	income := 2 * line * exponential(x) / million
	income += income * spread / million // between the thousandths of the exponent
	z := savings + drift + x
	wealth := wealthMedian[y] + wealthMedian[y]*z/700
	if z > 800 {
		wealth += wealthMedian[y] * (z - 800) / 200
	}
	low := line*(350+spread*645/1000)/1000 - incomeMargin
	high := max(income, line+line*spread/4000+incomeMargin)
	switch {
	case f.poor[y]:
		income = low
		if draw >= million-poorWithWealthPPM[f.origin] {
			wealth = max(wealth, line+line*spread/200+incomeMargin)
		} else if wealth >= line {
			wealth = line*spread/1000 - incomeMargin
		}
	default:
		income = high
	}
	f.income[y], f.wealth[y] = int32(income), int32(wealth)
}

// incomeOfEducation is the mean over the parents at home, in thousandths of log income.
func incomeOfEducation(f *family, y int) int {
	effect := [6]int{-130, 0, -20, 100, 260, -60}
	switch {
	case f.motherPresent(y) && f.fatherPresent(y):
		return (effect[f.motherEducation] + effect[f.fatherEducation]) / 2
	case f.motherPresent(y):
		return effect[f.motherEducation]
	case f.fatherPresent(y):
		return effect[f.fatherEducation]
	}
	return 0
}
