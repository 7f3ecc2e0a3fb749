package synth

import "slices"

// Households. Persons aged 7 and over who live in social housing are drawn singly: in the supported
// areas all of them, in the rest of social housing those under 65. They live in households that stay
// and move together. The households of families with children aged 0-6 are those of the register of
// children: they live where the family lives, children stay with them when they turn seven, and the
// parents at home are adults with the work and education that the children's rows tell.

// A place is a supported area, or the rest of the social housing of a municipality.
type place struct {
	area         int // -1 outside the areas
	municipality int
	hardship     int
	s            *stream
	here         []*household // but those of families with children aged 0-6
	families     [years][]int32
	target       [years]int                  // persons aged 7 and over
	lacks        [years][len(ageFrom)][5]int // outside the areas: the same by age group and registered origin
	rows         [years][]person
	members      []*member // of the rows of the year at hand
	offenders    []offender

	young, over, carried   int   // of 7-17; of non-Western origin more than aimed at; to be made up for
	newcomers, newFamilies int32 // numbers given, as -1, -2, …
}

// A household is heads, at most two, and their children aged 7 and over who live at home.
type household struct {
	family  int32 // index into families, or a negative number of one that has none aged 0-6
	members []*member
}

// Roles of members. A head who is no parent of the register is a mother or a father by sex.
const (
	mother = iota
	father
	offspring
)

// A member is what a person keeps between years.
type member struct {
	id     int32 // as person has it
	birth  int16
	key    uint16
	sex    uint8
	origin uint8
	role   uint8

	work, conviction, support, job int32 // draws that last
	talent, earning, offending     int16 // deviations that last, in thousandths of the standard one

	parentsStatus, parentsSchooling uint8 // as last at home; NullCode if not known
	offences                        uint8 // a bit a year
	offendedBefore                  bool  // before the first year in which the person is drawn
	seen                            int8  // last year drawn, from First
}

func (m *member) age(y int) int { return First + y - int(m.birth) }

// places are the areas, then the social housing of the municipalities.
func (w *world) places(outside [years][]alike) []place {
	places := make([]place, areas+len(municipalities))
	for i := range places {
		p := &places[i]
		p.area, p.s = -1, w.stream("households", i)
		if i < areas {
			p.area, p.municipality, p.hardship = i, w.areas[i].municipality, w.areas[i].hardship
		} else {
			p.municipality, p.hardship = i-areas, socialHousingHardship[1]
		}
	}
	for i := range w.families {
		f := &w.families[i]
		for y := range years {
			switch {
			case f.children[y] == 0:
			case f.area[y] >= 0:
				p := &places[f.area[y]]
				p.families[y] = append(p.families[y], int32(i))
			case f.socialHousing[y]:
				p := &places[areas+int(f.municipality[y])]
				p.families[y] = append(p.families[y], int32(i))
			}
		}
	}
	for y := range years {
		for a := range areas {
			children := 0
			for _, f := range places[a].families[y] {
				children += int(w.families[f].children[y])
			}
			places[a].target[y] = max(0, w.areas[a].residents[y]-children)
		}
		for _, g := range outside[y] {
			if g.group < group65 {
				p := &places[areas+g.municipality]
				p.target[y] += g.social
				p.lacks[y][g.group][g.origin] += g.social
			}
		}
	}
	return places
}

// advance takes a place into a year: who stays, who comes, and a row for each.
func (w *world) advance(p *place, homes []*household, y int) {
	s := p.s
	var here []*household
	for _, h := range p.here {
		if w.stays(p, h, y) {
			here = w.leaveHome(p, h, here, y)
		}
	}
	if y > 0 {
		for _, i := range p.families[y-1] {
			if f := &w.families[i]; f.children[y] == 0 && !f.gone && homes[i] != nil {
				w.turnSeven(f, homes[i], y)
				if w.stays(p, homes[i], y) {
					here = append(here, homes[i])
				}
			}
		}
	}
	n := 0
	for _, i := range p.families[y] {
		if homes[i] == nil {
			homes[i] = w.home(p, i)
		}
		w.turnSeven(&w.families[i], homes[i], y)
		n += w.count(p, homes[i], y)
	}
	for _, h := range here {
		n += w.count(p, h, y)
	}
	for n > p.target[y] && len(here) > 0 {
		i := s.below(len(here))
		n -= w.count(p, here[i], y)
		here[i] = here[len(here)-1]
		here = here[:len(here)-1]
	}
	p.here = w.moveIn(p, here, homes, n, y)
	p.members = p.members[:0]
	p.rows[y] = make([]person, 0, max(n, p.target[y]))
	for _, i := range p.families[y] {
		w.rowsOf(p, homes[i], y)
	}
	for _, h := range p.here {
		w.rowsOf(p, h, y)
	}
}

// home is the household of a family of the register.
func (w *world) home(p *place, i int32) *household {
	s := p.s
	f := &w.families[i]
	eldest := int(w.children[f.eldest].birth)
	h := &household{family: i}
	origin := uint8(0)
	if f.origin != danish {
		origin = 2*f.origin - 1
		if s.below(100) < descendantPercent[nonWestern-int(f.origin)][group30] {
			origin++
		}
	}
	age := 19 + s.below(8) + s.below(9)
	for role := range uint8(2) {
		m := w.newMember(s, int32(len(w.children))+2*i+int32(role)+1, eldest-age, 1-role, origin)
		m.role = role
		m.parentsStatus, m.parentsSchooling = formerHome(s, p)
		h.members = append(h.members, m)
		age += s.below(7) - 1
	}
	return h
}

// turnSeven takes the children of the family who are 7 or over into the household. One who left the
// country before stays away.
func (w *world) turnSeven(f *family, h *household, y int) {
	for k := f.eldest; k < f.eldest+int32(f.count); k++ {
		c := &w.children[k]
		if First+y-int(c.birth) < 7 || First+int(c.last) < int(c.birth)+6 ||
			slices.ContainsFunc(h.members, func(m *member) bool { return m.id == k+1 }) {
			continue
		}
		m := w.newMember(w.stream("child", int(k)), k+1, int(c.birth), c.sex, uint8(f.registeredOrigin(c.birth)))
		m.role, m.key = offspring, c.key
		h.members = append(h.members, m)
	}
}

// present reports whether a member lives in the household, and in a place where the age is drawn.
func (w *world) present(p *place, h *household, m *member, y int) bool {
	if p.area < 0 && m.age(y) >= ageFrom[group65] {
		return false
	}
	switch {
	case h.family < 0 || m.role == offspring:
		return true
	case m.role == mother:
		return w.families[h.family].motherPresent(y)
	}
	return w.families[h.family].fatherPresent(y)
}

func (w *world) count(p *place, h *household, y int) (n int) {
	for _, m := range h.members {
		if w.present(p, h, m, y) {
			n++
		}
	}
	return n
}

// stays reports whether the household is still there in year y.
func (w *world) stays(p *place, h *household, y int) bool {
	for _, m := range h.members {
		if w.present(p, h, m, y) {
			return !p.s.chance(moveOutPPM[groupOf(m.age(y))])
		}
	}
	return false
}

// leaveHome adds the household to the list, and the grown children who leave it for a home of their own
// near by; others leave for elsewhere.
func (w *world) leaveHome(p *place, h *household, list []*household, y int) []*household {
	kept := h.members[:0]
	var own []*household
	for _, m := range h.members {
		if m.role != offspring || m.age(y) < 18 || !p.s.chance(leaveHomePPM[min(m.age(y), 24)-18]) {
			kept = append(kept, m)
			continue
		}
		if p.s.chance(leaveNearPPM) {
			m.role = 1 - m.sex // a mother is a woman
			own = append(own, p.newHousehold(m))
		}
	}
	h.members = kept
	if w.count(p, h, y) > 0 {
		list = append(list, h)
	}
	return append(list, own...)
}

func (p *place) newHousehold(members ...*member) *household {
	p.newFamilies++
	return &household{family: -p.newFamilies, members: members}
}

// moveIn adds households until the place has the persons aimed at, of the ages that it lacks, and outside
// the areas of the origins that it lacks.
func (w *world) moveIn(p *place, here []*household, homes []*household, n, y int) []*household {
	var have [len(ageFrom)][5]int
	tell := func(h *household) {
		for _, m := range h.members {
			if w.present(p, h, m, y) {
				have[groupOf(m.age(y))][m.origin]++
			}
		}
	}
	for _, i := range p.families[y] {
		tell(homes[i])
	}
	for _, h := range here {
		tell(h)
	}
	// By age group in the areas; outside them by age group and origin.
	const origins = 5
	lack := make([]int, len(ageFrom)*origins)
	at := func(group int, origin uint8) int {
		if p.area >= 0 {
			origin = 0
		}
		return group*origins + int(origin)
	}
	if p.area >= 0 {
		for g, k := range apportion(p.target[y], areaAgeShares) {
			all := 0
			for _, k := range have[g+1] {
				all += k
			}
			lack[at(g+1, 0)] = max(0, k-all)*100 + 1
		}
	} else {
		for g := group7; g < group65; g++ {
			for o := range have[g] {
				lack[at(g, uint8(o))] = max(0, p.lacks[y][g][o]-have[g][o])*100 + when(p.lacks[y][g][o] > 0, 1)
			}
		}
		lack[at(group30, 0)]++
	}
	settled := len(here)
	for n < p.target[y] {
		k := p.s.pick(lack)
		h := w.newcomers(p, k/origins, k%origins, p.target[y]-n, y)
		for _, m := range h.members {
			i := at(int(groupOf(m.age(y))), m.origin)
			lack[i] = max(lack[i]-100, min(lack[i], 1))
		}
		n += len(h.members)
		here = append(here, h)
		tell(h)
	}
	if p.area < 0 {
		p.balanceOrigins(here[settled:], &have, y)
	}
	return here
}

// balanceOrigins makes families with children of 7-17 who just moved in of another origin, so that as large
// a share of those ages is of non-Western origin as was aimed at. What other places could not reach the years
// before is made up for here.
func (p *place) balanceOrigins(fresh []*household, have *[len(ageFrom)][5]int, y int) {
	count := func(cells *[len(ageFrom)][5]int) (nonWestern, all int) {
		for g := group7; g <= group15; g++ {
			for o, n := range cells[g] {
				all += n
				if o >= 3 {
					nonWestern += n
				}
			}
		}
		return nonWestern, all
	}
	are, young := count(have)
	should, of := count(&p.lacks[y])
	p.young, p.over = young, 0
	if of == 0 {
		return
	}
	over := are - (young*should+of/2)/of
	p.over = over
	over += p.carried
	for _, h := range fresh {
		children := 0
		for _, m := range h.members {
			if m.role == offspring && m.age(y) < 18 {
				children++
			}
		}
		switch origin := h.members[len(h.members)-1].origin; {
		case children == 0:
		case origin >= 3 && 2*over > children:
			for _, m := range h.members {
				m.origin = 0
			}
			over, p.over = over-children, p.over-children
		case origin == 0 && -2*over > children:
			for _, m := range h.members {
				m.origin = 3 + bit(m.role == offspring) // the children are born here
			}
			over, p.over = over+children, p.over+children
		}
	}
}

// carryOrigins spreads what the places were off the years before.
func carryOrigins(places []place) {
	over, weights := 0, make([]int, len(places))
	for i := range places {
		over += places[i].over + places[i].carried
		weights[i] = places[i].young
	}
	parts := apportion(max(over, -over), append(weights, 1))
	for i := range places {
		places[i].carried = parts[i]
		if over < 0 {
			places[i].carried = -parts[i]
		}
	}
}

// newcomers are a household that moves in, of at most room persons, the first of an age group and, outside
// the areas, an origin. A child comes with parents.
func (w *world) newcomers(p *place, group, origin, room, y int) *household {
	s := p.s
	if group <= group15 && room < 2 {
		group = group30
	}
	age := ageFrom[group] + s.below(ageTo[group]-ageFrom[group]+1)
	if group == group65 {
		age = min(age, ageFrom[group]+s.below(ageTo[group]-ageFrom[group]+1))
	}
	if group > group15 {
		head := w.newcomer(p, group, origin, age, y)
		h := p.newHousehold(head)
		if room > 1 && s.chance(couplePPM[group-group18]) {
			other := min(max(age+s.below(7)-3, ageFrom[group]), ageTo[group])
			partner := w.newcomer(p, group, origin, other, y)
			partner.sex, partner.role, partner.origin = 1-head.sex, 1-head.role, head.origin
			h.members = append(h.members, partner)
		}
		return h
	}
	child := w.newcomer(p, group, origin, age, y)
	kind := s.pick(newcomerParents)
	h := p.newHousehold()
	older := 20 + s.below(8) + s.below(8)
	for role := range uint8(2) {
		if kind != 0 && kind != 1+int(role) || len(h.members) > 0 && room < 3 {
			continue
		}
		parent := w.newcomer(p, int(groupOf(age+older)), origin, age+older, y)
		parent.sex, parent.role, parent.origin = 1-role, role, child.origin
		bornHere := descendantPercent[bit(child.origin < 3)][group30]
		if child.origin != 0 && child.origin%2 == 0 && s.below(100) >= bornHere {
			parent.origin-- // the child of immigrants
		}
		h.members = append(h.members, parent)
		older += s.below(5)
	}
	child.role = offspring
	h.members = append(h.members, child)
	for gap := 1 + s.below(4); age-gap >= 7 && len(h.members) < room; gap += 1 + s.below(4) {
		if !s.chance(newcomerSiblingPPM) {
			break
		}
		sibling := w.newcomer(p, int(groupOf(age-gap)), origin, age-gap, y)
		sibling.role, sibling.origin = offspring, child.origin
		h.members = append(h.members, sibling)
	}
	return h
}

// newcomer is a person who moves into a place in a year; outside the areas of the registered origin.
func (w *world) newcomer(p *place, group, registered, age, y int) *member {
	s := p.s
	p.newcomers++
	sex := bit(s.below(1000) < womenPerMille[group])
	origin := uint8(registered)
	if p.area >= 0 {
		origin = w.areas[p.area].origin(s, group)
	}
	m := w.newMember(s, -p.newcomers, First+y-age, sex, origin)
	m.role = 1 - sex
	if age > 10 {
		m.offendedBefore = s.chance(min(age-10, 8) * offendedBeforePPM[sex])
	}
	if age >= 18 && age < 25 {
		m.parentsStatus, m.parentsSchooling = formerHome(s, p)
	}
	return m
}

// origin draws the registered origin of one of an age group who moves into the area.
func (a *area) origin(s *stream, group int) uint8 {
	family := danish
	switch {
	case s.below(1000) < a.nonWestern*nonWesternByAge[group]/100:
		family = nonWestern
	case s.below(1000) < westernPerMille:
		family = western
	}
	if family == danish {
		return 0
	}
	if s.below(100) < descendantPercent[nonWestern-family][group] {
		return uint8(2 * family)
	}
	return uint8(2*family - 1)
}

// formerHome draws the parents of a young person who came from elsewhere.
func formerHome(s *stream, p *place) (status, schooling uint8) {
	k := s.pick(formerHomes[bit(p.area < 0)])
	return backgrounds[k].status, backgrounds[k].schooling
}

func (w *world) newMember(s *stream, id int32, birth int, sex, origin uint8) *member {
	u := s.Uint64()
	return &member{id: id, birth: int16(birth), sex: sex, origin: origin, key: uint16(u & 0xfff), seen: -1,
		work: int32(s.below(million)), conviction: int32(s.below(million)), support: int32(s.below(million)),
		job: int32(s.below(million)), talent: int16(s.normal()), earning: int16(s.normal()), offending: int16(s.normal()),
		parentsStatus: NullCode, parentsSchooling: NullCode}
}

// rowsOf makes the household's rows of a year: first of the heads, whose work and education are the
// background of their children.
func (w *world) rowsOf(p *place, h *household, y int) {
	var f *family
	if h.family >= 0 {
		f = &w.families[h.family]
	}
	at, active, unknownWork, more, basic := 0, 0, 0, 0, 0
	for _, m := range h.members {
		if m.role == offspring || !w.present(p, h, m, y) {
			continue
		}
		row := w.thisYear(p, h, f, m, y)
		at++
		switch row.work {
		case employed, inEducation:
			active++
		case unknownStatus:
			unknownWork++
		}
		switch row.education {
		case unknownEducation, NullCode:
		case basicEducation:
			basic++
		default:
			more++
		}
		p.add(row, m, y)
	}
	status, schooling := uint8(noneActive), uint8(unknownSchooling)
	switch {
	case at == 0 || unknownWork > 0:
		status = unknownParents
	case active == at:
		status = bothActive
	case active > 0:
		status = oneActive
	}
	switch {
	case more > 0:
		schooling = moreSchooling
	case basic > 0 && basic == at:
		schooling = basicOnly
	}
	for _, m := range h.members {
		if m.role == offspring {
			m.parentsStatus, m.parentsSchooling = status, schooling
			p.add(w.thisYear(p, h, f, m, y), m, y)
		}
	}
}

func (p *place) add(row person, m *member, y int) {
	m.seen = int8(y)
	p.rows[y] = append(p.rows[y], row)
	p.members = append(p.members, m)
}

// thisYear is a member's row in a year; it renews what does not last. f is the family of the register
// that the household is of, or nil.
func (w *world) thisYear(p *place, h *household, f *family, m *member, y int) person {
	s := p.s
	if s.chance(residentRenewalPPM) {
		m.work, m.support = int32(s.below(million)), int32(s.below(million))
	}
	if !s.chance(convictionStaysPPM) {
		m.conviction = int32(s.below(million))
	}
	if s.chance(jobRenewalPPM) {
		m.job = int32(s.below(million))
	}
	shock := s.normal()
	age := m.age(y)
	number := h.family
	if f != nil {
		number++
	}
	row := person{id: m.id, family: number, key: m.key, birth: m.birth, sex: m.sex, origin: m.origin, area: NullCode,
		municipality: uint8(p.municipality), group: groupOf(age), traits: noTraits, income: NullInt,
		education: NullCode, support: NullCode}
	model := residentModel{place: 1, group: int(row.group), sex: int(m.sex), origin: int(m.origin), hardship: p.hardship,
		social: 1}
	if p.area >= 0 {
		model.place, model.social, row.area = 0, 0, uint8(p.area)
	}
	isParent := f != nil && m.role != offspring
	if age >= 18 {
		row.education = m.education(model, y)
		if isParent {
			row.education = f.motherEducation
			if m.role == father {
				row.education = f.fatherEducation
			}
		}
	}
	if row.group == group30 {
		row.schooling = schoolingOf(row.education)
	}
	idleWithout := false
	if row.group >= group18 && row.group <= group60 {
		if isParent {
			row.work, idleWithout = f.motherStatus[y], f.idleWithout[mother]>>y&1 == 1
			if m.role == father {
				row.work, idleWithout = f.fatherStatus[y], f.idleWithout[father]>>y&1 == 1
			}
		} else {
			plan := 0
			if p.area >= 0 {
				plan = w.areas[p.area].planEffect(y)
			}
			row.work, idleWithout = m.workOf(model, row.education, plan)
		}
		row.support = bit(int(m.support) < supportPPM[row.work])
	}
	if row.group >= group18 {
		shift := 0
		if isParent {
			bits := f.mother[y]
			if m.role == father {
				bits = f.father[y]
			}
			shift = when(bits&convicted != 0, sentencedAgain)
		}
		// Plans have no effect on convictions, and so none through work.
		row.convicted = bit(int(m.conviction) < logistic(model.convictedEta(idleWithout)+shift))
	}
	if row.group >= group15 {
		mean := model.meanIncome(row.work, y, municipalities[p.municipality].region)
		const variance = 5 // sixteenths: of three quarters of what lasts and a quarter of the year's own
		log := (int(m.earning)*3+shock)*grossIncome.deviation/4_000 -
			grossIncome.deviation*grossIncome.deviation*variance/16_000
		row.income = int32(mean * exponential(log) / million)
	}
	row.young = noYouth
	if age <= 24 {
		row.young = m.youth(s, model, age, y, row.work, row.education)
	}
	return row
}

// childrenOf are the rows of the children aged 0-6 of an area, in order of their families.
func (w *world) childrenOf(p *place, y int) (rows []person) {
	for _, i := range p.families[y] {
		f := &w.families[i]
		for k := f.eldest; k < f.eldest+int32(f.count); k++ {
			if c := &w.children[k]; int(c.first) <= y && int(c.last) >= y {
				rows = append(rows, person{id: k + 1, family: i + 1, key: c.key, birth: c.birth, sex: c.sex,
					origin: uint8(f.registeredOrigin(c.birth)), area: uint8(p.area), municipality: uint8(p.municipality),
					traits: noTraits, income: NullInt, education: NullCode, support: NullCode, young: noYouth})
			}
		}
	}
	return rows
}

// populate fills w.persons, w.social, w.crosstabs and the groups of young people and adults outside social
// housing, and the areas' key figures.
func (w *world) populate() {
	var outside [years][]alike
	var streams [years]*stream
	parallel(years, func(y int) { outside[y], streams[y] = w.outside(y) })
	places := w.places(outside)
	homes := make([]*household, len(w.families))
	for y := range years {
		carryOrigins(places)
		parallel(len(places), func(i int) { w.advance(&places[i], homes, y) })
		w.offend(places, y)
	}
	w.relapse(places)
	w.number(places)
	w.gather(places)
	parallel(years, func(y int) {
		w.tabulateRest(y, outside[y], streams[y])
		w.groupRest(y)
		w.measureAreas(y)
	})
}

// number gives persons who never were children or parents of the register the numbers after those, place
// by place, and their families the numbers after those of the register.
func (w *world) number(places []place) {
	person, family := int32(len(w.children)+2*len(w.families)), int32(len(w.families))
	for i := range places {
		p := &places[i]
		for y := range years {
			for k := range p.rows[y] {
				row := &p.rows[y][k]
				if row.id < 0 {
					row.id = person - row.id
				}
				if row.family < 0 {
					row.family = family - row.family
				}
			}
		}
		person, family = person+p.newcomers, family+p.newFamilies
	}
	w.sum.persons += int(person)
	w.sum.families += int(family)
}

// gather puts the rows of the places into those of the years.
func (w *world) gather(places []place) {
	for y := range years {
		var children [areas][]person
		inAreas, inSocial := 0, 0
		for i := range places {
			if i < areas {
				children[i] = w.childrenOf(&places[i], y)
				inAreas += len(children[i]) + len(places[i].rows[y])
			} else {
				inSocial += len(places[i].rows[y])
			}
		}
		w.persons[y], w.social[y] = make([]person, 0, inAreas), make([]person, 0, inSocial)
		for i := range places {
			p := &places[i]
			if i < areas {
				w.persons[y] = append(append(w.persons[y], children[i]...), p.rows[y]...)
				w.areas[i].residents[y] = len(children[i]) + len(p.rows[y])
			} else {
				w.social[y] = append(w.social[y], p.rows[y]...)
			}
			p.rows[y] = nil // so that memory holds them once
		}
	}
}
