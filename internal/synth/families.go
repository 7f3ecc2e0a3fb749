package synth

// Codes, in the order of the contract's lists.
const (
	danish = iota
	western
	nonWestern
)
const (
	bothParents = iota
	motherAndPartner
	motherAlone
	fatherAndPartner
	fatherAlone
	neitherParent
)
const (
	employed = iota
	inEducation
	idle
	unknownStatus
)
const (
	bothActive = iota
	oneActive
	noneActive
	unknownParents
)
const (
	convicted = 1 << iota
	alcohol
	drugs
	psychiatric
)

// A family is the home of its children in the register: they share its parents, income and area.
type family struct {
	origin     uint8
	mobile     bool // lives in a supported area, or is one of those who move in and out
	gone       bool // left the country
	bornToArea bool
	arrived    int16 // year of arrival in Denmark, 0 if before any child
	youngest   int16 // year of birth of the youngest child
	count      uint8 // children ever in the register
	eldest     int32 // index into children, where its younger siblings follow
	lastChild  int32 // while the register is settled

	motherEducation, fatherEducation uint8

	area           [years]int8 // -1 outside
	municipality   [years]uint8
	children       [years]uint8
	kind           [years]uint8
	mother, father [years]uint8 // bits of traits
	motherStatus   [years]uint8
	fatherStatus   [years]uint8
	idleWithout    [2]uint8     // of mother and father, a bit a year: neither work nor study if there were no plan
	income, wealth [years]int32 // equivalised, DKK
	student, poor  [years]bool
	socialHousing  [years]bool // outside the areas
	incomeGroup    [years]uint8
	parentsStatus  [years]uint8
}

// A child is in the register in the years from first to last, counted from First.
type child struct {
	family      int32
	birth       int16
	first, last int8
	sex         uint8
	key         uint16
	enrolled    uint8 // one bit a year
	place       uint8 // decides the type of day care
}

func (f *family) motherPresent(y int) bool { return f.kind[y] <= motherAlone }
func (f *family) fatherPresent(y int) bool {
	k := f.kind[y]
	return k == bothParents || k == fatherAndPartner || k == fatherAlone
}

func (w *world) settle() {
	d := &demography{world: w, s: w.stream("families", 0)}
	d.weighMunicipalities()
	for birth := First - 6; birth <= First; birth++ {
		d.bear(birth, w.scaled(singleYears[0][First-birth]), 0)
	}
	for y := 1; y < years; y++ {
		d.depart(y)
		d.balance(y)
		d.bear(First+y, w.scaled(singleYears[y][0]), y)
	}
	d.gatherSiblings()
	for y := range years {
		d.moveFamilies(y)
	}
}

// demography is the state of the register while it is settled.
type demography struct {
	*world
	s *stream

	next []int32 // by child: the younger sibling, -1 if none

	ordinary, urban, mobile []int // cumulative weights of municipalities
}

func (d *demography) weighMunicipalities() {
	n := len(municipalities)
	d.ordinary, d.urban, d.mobile = make([]int, n), make([]int, n), make([]int, n)
	for _, a := range d.areas {
		d.mobile[a.municipality] += a.children[2016-First]
	}
	for m, mun := range municipalities {
		// Mobile families are about half inside and half outside the areas.
		rest := max(mun.children*d.scale/million-2*d.mobile[m], mun.children*d.scale/million/10+1)
		d.ordinary[m], d.urban[m] = rest, rest
		if mun.areas > 0 {
			d.urban[m] *= nonWesternUrbanFactor
		}
	}
	for m := 1; m < n; m++ {
		d.ordinary[m] += d.ordinary[m-1]
		d.urban[m] += d.urban[m-1]
		d.mobile[m] += d.mobile[m-1]
	}
}

func (d *demography) place(cumulative []int) uint8 {
	k := d.s.below(cumulative[len(cumulative)-1])
	lo, hi := 0, len(cumulative)-1
	for lo < hi {
		if mid := (lo + hi) / 2; cumulative[mid] > k {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return uint8(lo)
}

// found makes a family whose first child was born in the given year, and takes its kind through
// the years from then on.
func (d *demography) found(origin, arrived, birth int) int32 {
	f := family{origin: uint8(origin), arrived: int16(arrived), eldest: -1, lastChild: -1}
	f.mobile = d.s.chance(mobilePPM[origin])
	m, where := 0, d.ordinary
	switch {
	case f.mobile:
		m, where = 1, d.mobile
		f.bornToArea = d.s.chance(bornToAreaPPM)
	case origin == nonWestern:
		where = d.urban
	}
	home := d.place(where)
	kind := d.s.pick(kindAtBirth[m][origin])
	for year := birth; year <= Last; year++ {
		if year > birth {
			kind = d.nextKind(kind, f.mobile)
		}
		if year >= First {
			f.kind[year-First] = uint8(kind)
		}
	}
	mother, father := d.s.below(1000), d.s.below(1000)
	if d.s.chance(sameEducationPPM) {
		father = mother
	}
	f.motherEducation = uint8(at(motherEducation[m][origin], mother))
	f.fatherEducation = uint8(at(fatherEducation[m][origin], father))
	for y := range years {
		f.area[y], f.municipality[y] = -1, home
	}
	d.families = append(d.families, f)
	return int32(len(d.families) - 1)
}

// at returns the index that k falls on when the weights are laid end to end.
func at(weights []int, k int) int {
	for i, w := range weights {
		if k -= w; k < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func (d *demography) nextKind(kind int, mobile bool) int {
	u := d.s.below(million)
	switch kind {
	case bothParents:
		separation := separationPPM
		if mobile {
			separation = mobileSeparationPPM
		}
		switch {
		case u < separation*fatherKeepsPPM/million:
			return fatherAlone
		case u < separation:
			return motherAlone
		}
	case motherAlone, fatherAlone:
		if u < newPartnerPPM {
			return kind - 1 // with a partner
		}
	case motherAndPartner, fatherAndPartner:
		if u < partnerLeavesPPM {
			return kind + 1 // alone
		}
	}
	return kind
}

func (d *demography) addChild(f int32, birth, first int) {
	u := d.s.Uint64()
	c := child{family: f, birth: int16(birth), first: int8(first)}
	c.last = int8(min(birth+6-First, years-1))
	c.sex = 1
	if u&0xffff < 33_620 { // 51.3 % are boys
		c.sex = 0
	}
	c.key = uint16(u >> 16 & 0xfff)
	c.place = uint8(u >> 32)
	i := int32(len(d.children))
	d.children = append(d.children, c)
	fam := &d.families[f]
	d.next = append(d.next, -1)
	if fam.eldest < 0 {
		fam.eldest = i
	} else {
		d.next[fam.lastChild] = i
	}
	fam.lastChild = i
	fam.youngest = int16(birth)
	fam.count++
}

// bear adds the n children born in a year: siblings first, then the first children of new families.
func (d *demography) bear(birth, n, y int) {
	for i := range d.families {
		f := &d.families[i]
		gap := birth - int(f.youngest)
		if n == 0 {
			break
		}
		if f.gone || gap >= len(siblingPPM) {
			continue
		}
		p := siblingPPM[gap]
		if f.count > 1 {
			p = p * laterSiblingPercent[f.origin] / 100
		}
		if d.s.chance(p) {
			d.addChild(int32(i), birth, y)
			n--
		}
	}
	for ; n > 0; n-- {
		origin := d.s.pick(familyOrigins)
		arrived := 0
		if birth < First && d.s.chance(foreignBornPPM[origin]) {
			arrived = birth + 1 + d.s.below(First-birth)
		}
		d.addChild(d.found(origin, arrived, birth), birth, y)
	}
}

// depart takes families out of the country: they are last seen the year before y.
func (d *demography) depart(y int) {
	for i := range d.families {
		f := &d.families[i]
		if f.gone || First+y-1-int(f.youngest) > 6 {
			continue
		}
		if d.s.chance(departurePPM[f.origin]) {
			f.gone = true
			for c := f.eldest; c >= 0; c = d.next[c] {
				d.children[c].last = min(d.children[c].last, int8(y-1))
			}
		}
	}
}

// balance lets families arrive until every age above 0 has its published number of children. At
// small scales a cohort can be too large instead; then children drawn at random leave.
func (d *demography) balance(y int) {
	var ages [7][]int32
	for i := range d.children {
		if c := &d.children[i]; int(c.first) < y && int(c.last) >= y {
			ages[First+y-int(c.birth)] = append(ages[First+y-int(c.birth)], int32(i))
		}
	}
	var arrivals []int32
	used := 0 // arrivals before this index have their younger sibling
	for age := 6; age >= 1; age-- {
		here := ages[age]
		want := d.scaled(singleYears[y][age])
		for len(here) > want {
			i := d.s.below(len(here))
			d.children[here[i]].last = int8(y - 1)
			here[i] = here[len(here)-1]
			here = here[:len(here)-1]
		}
		older := len(arrivals)
		for range want - len(here) {
			if used < older && d.s.chance(arrivalSiblingPPM) {
				d.addChild(arrivals[used], First+y-age, y)
				used++
				continue
			}
			f := d.found(d.s.pick(arrivalOrigins), First+y, First+y-age)
			d.addChild(f, First+y-age, y)
			arrivals = append(arrivals, f)
		}
	}
}

// gatherSiblings puts the children in order of their families, and counts those of each year.
func (d *demography) gatherSiblings() {
	gathered := make([]child, 0, len(d.children))
	for i := range d.families {
		f := &d.families[i]
		first := int32(len(gathered))
		for k := f.eldest; k >= 0; k = d.next[k] {
			c := d.children[k]
			for y := c.first; y <= c.last; y++ {
				f.children[y]++
			}
			gathered = append(gathered, c)
		}
		f.eldest = first
	}
	d.children = gathered
}

// moveFamilies moves mobile families out of and into the areas, so that every area has about
// the children aimed at, and the aimed-at share of them of non-Western origin.
func (d *demography) moveFamilies(y int) {
	s := d.stream("moves", y)
	var here [areas][2]int // children by other and non-Western origin
	var first, rest [2][]int32
	for i := range d.families {
		f := &d.families[i]
		if !f.mobile || f.children[y] == 0 {
			continue
		}
		class := 0
		if f.origin == nonWestern {
			class = 1
		}
		if y > 0 && f.area[y-1] >= 0 && !s.chance(leaveAreaPPM[f.origin]) {
			f.area[y] = f.area[y-1]
			here[f.area[y]][class] += int(f.children[y])
			continue
		}
		if f.bornToArea && (y == 0 || f.children[y-1] == 0) {
			first[class] = append(first[class], int32(i))
		} else {
			rest[class] = append(rest[class], int32(i))
		}
	}
	for class := range 2 {
		s.shuffle(first[class])
		s.shuffle(rest[class])
		queue := append(first[class], rest[class]...)
		for {
			a := d.mostWanting(here[:], class, y)
			if a < 0 || len(queue) == 0 {
				break
			}
			f := &d.families[queue[0]]
			queue = queue[1:]
			f.area[y] = int8(a)
			for later := y; later < years; later++ {
				f.municipality[later] = uint8(d.areas[a].municipality)
			}
			here[a][class] += int(f.children[y])
		}
	}
}

// mostWanting returns the area that lacks the most children of the class, or -1 if none lacks any.
func (d *demography) mostWanting(here [][2]int, class, y int) int {
	best, most := -1, 0
	for i, a := range d.areas {
		want := a.children[y] * a.nonWestern / 1000
		if class == 0 {
			want = a.children[y] - want
		}
		if lack := want - here[i][class]; lack > most {
			best, most = i, lack
		}
	}
	return best
}
