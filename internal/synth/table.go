package synth

import (
	"iter"
	"math"
	"slices"
)

// Nulls of the columns of a batch.
const (
	NullCode = math.MaxUint8
	NullInt  = math.MinInt32
	NullText = "\x00"
)

// A Column holds one value per row in the one slice that is not nil.
type Column struct {
	Name string

	Code    []uint8  // index into Codes, or NullCode; a bool is an index into Bools
	Codes   []string // of Code
	Int     []int32  // or NullInt
	Text    []string // or NullText
	Texts   [][]string
	Decimal []int32 // ten-thousandths, or NullInt
	Date    []int32 // days since 1970-01-01, or NullInt
}

// Bools are the codes of a bool column.
var Bools = []string{"false", "true"}

// A Batch is some rows of a table of the contract, column by column. Columns of the contract
// that are not in it are null.
type Batch struct {
	Table   string
	Rows    int
	Columns []Column
}

// perPart are the tables that every part has rows of; those of the others come with the last part.
var perPart = []string{"child_year", "resident_year", "youth_year", "adult_year", "participant"}

// TableNames are the tables that a world has, or a part of one: the last has all.
func (w *World) TableNames() []string {
	if w.w != nil && w.w.more {
		return perPart
	}
	return []string{"plan", "area", "area_year", "child_year", "resident_year", "youth_year", "adult_year",
		"activity", "participant", "actor_survey"}
}

// Columns returns the columns that a table of any world has.
func Columns(table string) (names []string) {
	for b := range (&World{w: &world{}}).Batches(table) {
		for _, c := range b.Columns {
			names = append(names, c.Name)
		}
		break
	}
	return names
}

// Rows is the number of rows of a table in this part; it is 0 for a table that there is not.
func (w *World) Rows(table string) int {
	switch table {
	case "plan":
		return Plans
	case "area":
		return areas
	case "area_year":
		return areas * years
	case "child_year":
		n := 0
		for _, c := range w.w.children {
			n += max(0, int(c.last-c.first)+1)
		}
		return n
	case "resident_year":
		n := 0
		for y := range years {
			n += len(w.w.persons[y]) + len(w.w.crosstabs[y])
		}
		return n
	case "youth_year":
		n := 0
		for y := range years {
			w.w.singly(y, 7, 24, func(*person) { n++ })
			n += len(w.w.youths[y])
		}
		return n
	case "adult_year":
		n := 0
		for y := range years {
			w.w.singly(y, 18, 64, func(*person) { n++ })
			n += len(w.w.adults[y])
		}
		return n
	case "activity":
		return len(w.w.activities)
	case "participant":
		return len(w.w.participants)
	case "actor_survey":
		return len(w.w.answers)
	}
	return 0
}

// Batches yields a table's rows in this part in order of year and place; a batch of a large table is
// one year.
func (w *World) Batches(table string) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		switch table {
		case "plan":
			yield(w.w.planTable())
		case "area":
			yield(w.w.areaTable())
		case "area_year":
			yield(w.w.areaYearTable())
		case "activity":
			yield(w.w.activityTable())
		case "participant":
			yield(w.w.participantTable())
		case "actor_survey":
			yield(w.w.surveyTable())
		case "child_year":
			for y := range years {
				if !yield(w.w.childYearTable(y)) {
					return
				}
			}
		case "resident_year":
			for y := range years {
				if !yield(w.w.residentYearTable(y)) {
					return
				}
			}
		case "youth_year":
			for y := range years {
				if !yield(w.w.youthYearTable(y)) {
					return
				}
			}
		case "adult_year":
			for y := range years {
				if !yield(w.w.adultYearTable(y)) {
					return
				}
			}
		}
	}
}

func (w *world) planTable() *Batch {
	var id, name []string
	var start, end []int32
	for _, p := range w.plans {
		id, name = append(id, p.id), append(name, p.name)
		start, end = append(start, int32(p.start)), append(end, int32(p.end))
	}
	return &Batch{"plan", len(id), []Column{
		{Name: "plan_id", Text: id}, {Name: "name", Text: name}, {Name: "start", Date: start}, {Name: "end", Date: end},
	}}
}

const sourceText = "Synthetic, drawn by Kvarter"

func (w *world) areaTable() *Batch {
	var id, name, source []string
	var planIDs [][]string
	var municipality, supported []uint8
	var divisions, dwellings []int32
	for i, a := range w.areas {
		id, name, source = append(id, a.id), append(name, a.name), append(source, sourceText)
		municipality, supported = append(municipality, uint8(a.municipality)), append(supported, 1)
		divisions, dwellings = append(divisions, int32(a.divisions)), append(dwellings, int32(w.sum.dwellings[i]))
		var ids []string
		for _, p := range a.plans {
			ids = append(ids, w.plans[p].id)
		}
		planIDs = append(planIDs, ids)
	}
	return &Batch{"area", len(id), []Column{
		{Name: "area_id", Text: id}, {Name: "name", Text: name},
		{Name: "municipality", Code: municipality, Codes: Municipalities},
		{Name: "supported", Code: supported, Codes: Bools}, {Name: "plan_ids", Texts: planIDs},
		{Name: "divisions", Int: divisions}, {Name: "dwellings", Int: dwellings}, {Name: "source", Text: source},
	}}
}

// areaIDs are the codes of a column area_id.
func (w *world) areaIDs() (ids []string) {
	for _, a := range w.areas {
		ids = append(ids, a.id)
	}
	return ids
}

func (w *world) areaYearTable() *Batch {
	const n = areas * years
	var id []uint8
	var year, residents, children, nonWestern, outside, convicted, basic, income []int32
	var source []string
	for a := range w.areas {
		for y, k := range w.areas[a].figures {
			id, year = append(id, uint8(a)), append(year, int32(First+y))
			residents = append(residents, int32(w.sum.counts[y].places[a].all))
			children = append(children, int32(w.sum.children[a][y]))
			nonWestern, outside = append(nonWestern, k.nonWestern), append(outside, k.outside)
			convicted, basic = append(convicted, k.convicted), append(basic, k.basic)
			income = append(income, k.incomeRatio)
			source = append(source, sourceText)
		}
	}
	return &Batch{"area_year", n, []Column{
		{Name: "area_id", Code: id, Codes: w.areaIDs()}, {Name: "year", Int: year},
		{Name: "residents", Int: residents}, {Name: "children_0_6", Int: children},
		{Name: "percent_non_western", Decimal: nonWestern},
		{Name: "percent_outside_work_and_education", Decimal: outside},
		{Name: "percent_convicted", Decimal: convicted},
		{Name: "percent_basic_schooling_only", Decimal: basic},
		{Name: "income_ratio", Decimal: income}, {Name: "source", Text: source},
	}}
}

// residentYearTable holds the persons of the areas, then the cross-tabs of the rest.
func (w *world) residentYearTable(y int) *Batch {
	persons, rest := w.persons[y], w.crosstabs[y]
	n := len(persons) + len(rest)
	ints := func() []int32 { return make([]int32, 0, n) }
	codes := func() []uint8 { return make([]uint8, 0, n) }
	id, number, key, year, income, deviation := ints(), ints(), ints(), ints(), ints(), ints()
	group, sex, origin, areaID, municipality, work, schooling, convicted := codes(), codes(), codes(), codes(), codes(),
		codes(), codes(), codes()
	social := codes()
	for _, p := range persons {
		id, number, key, year = append(id, w.persons0+p.id), append(number, 1), append(key, int32(p.key)),
			append(year, int32(First+y))
		group, sex, origin = append(group, p.group), append(sex, p.sex), append(origin, p.origin)
		areaID, municipality = append(areaID, p.area), append(municipality, uint8(w.areas[p.area].municipality))
		social = append(social, NullCode)
		work, schooling, convicted = append(work, p.work), append(schooling, p.schooling), append(convicted, p.convicted)
		income, deviation = append(income, p.income), append(deviation, NullInt)
	}
	for _, c := range rest {
		id, number, key, year = append(id, NullInt), append(number, c.n), append(key, NullInt), append(year, int32(First+y))
		group, sex, origin = append(group, c.group), append(sex, c.sex), append(origin, c.origin)
		areaID, municipality = append(areaID, NullCode), append(municipality, c.municipality)
		social = append(social, c.socialHousing)
		work, schooling, convicted = append(work, c.work), append(schooling, c.schooling), append(convicted, c.convicted)
		income, deviation = append(income, c.income), append(deviation, c.deviation)
	}
	return &Batch{"resident_year", n, []Column{
		{Name: "person_id", Int: id}, {Name: "n", Int: number}, {Name: "record_key", Int: key}, {Name: "year", Int: year},
		{Name: "age_group", Code: group, Codes: AgeGroups}, {Name: "sex", Code: sex, Codes: Sexes},
		{Name: "origin", Code: origin, Codes: Origins}, {Name: "area_id", Code: areaID, Codes: w.areaIDs()},
		{Name: "social_housing", Code: social, Codes: Bools},
		{Name: "municipality", Code: municipality, Codes: Municipalities},
		{Name: "work_status", Code: work, Codes: WorkStatuses}, {Name: "schooling", Code: schooling, Codes: Schoolings},
		{Name: "convicted", Code: convicted, Codes: Bools},
		{Name: "gross_income", Int: income}, {Name: "gross_income_sd", Int: deviation},
	}}
}

func (w *world) childrenInAreas() (n [areas][years]int) {
	for i := range w.families {
		f := &w.families[i]
		for y := range years {
			if f.area[y] >= 0 {
				n[f.area[y]][y] += int(f.children[y])
			}
		}
	}
	return n
}

// inOrder lists the families with children in year y by area, those outside last, and municipality.
func (w *world) inOrder(y int) []int32 {
	var keys []uint64
	for i := range w.families {
		if f := &w.families[i]; f.children[y] > 0 {
			keys = append(keys, uint64(uint8(f.area[y]))<<40|uint64(f.municipality[y])<<32|uint64(i))
		}
	}
	slices.Sort(keys)
	order := make([]int32, len(keys))
	for i, k := range keys {
		order[i] = int32(uint32(k))
	}
	return order
}

// parentColumns are what the register holds of one parent; all null where the parent is absent.
type parentColumns struct {
	present, status, education, convicted, alcohol, drugs, psychiatric []uint8
}

func newParentColumns(n int) parentColumns {
	s := make([]uint8, 7*n)
	col := func(i int) []uint8 { return s[i*n : i*n : (i+1)*n] }
	return parentColumns{col(0), col(1), col(2), col(3), col(4), col(5), col(6)}
}

func (p *parentColumns) add(present bool, status, education, traits uint8) {
	here := uint8(0)
	bit := func(uint8) uint8 { return NullCode }
	if present {
		here = 1
		bit = func(b uint8) uint8 { return min(traits&b, 1) }
	} else {
		status, education = NullCode, NullCode
	}
	p.present = append(p.present, here)
	p.status, p.education = append(p.status, status), append(p.education, education)
	p.convicted, p.alcohol = append(p.convicted, bit(convicted)), append(p.alcohol, bit(alcohol))
	p.drugs, p.psychiatric = append(p.drugs, bit(drugs)), append(p.psychiatric, bit(psychiatric))
}

func (p *parentColumns) columns(parent string) []Column {
	return []Column{
		{Name: parent + "_present", Code: p.present, Codes: Bools},
		{Name: parent + "_status", Code: p.status, Codes: WorkStatuses},
		{Name: parent + "_education", Code: p.education, Codes: Educations},
		{Name: parent + "_convicted", Code: p.convicted, Codes: Bools},
		{Name: parent + "_alcohol", Code: p.alcohol, Codes: Bools},
		{Name: parent + "_drugs", Code: p.drugs, Codes: Bools},
		{Name: parent + "_psychiatric", Code: p.psychiatric, Codes: Bools},
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func (w *world) childYearTable(y int) *Batch {
	order := w.inOrder(y)
	n := 0
	for _, i := range order {
		n += int(w.families[i].children[y])
	}
	ints := func() []int32 { return make([]int32, 0, n) }
	codes := func() []uint8 { return make([]uint8, 0, n) }
	id, one, key, year, age, family, income, wealth := ints(), ints(), ints(), ints(), ints(), ints(), ints(), ints()
	sex, areaID, municipality, origin, kind := codes(), codes(), codes(), codes(), codes()
	student, group, poor, poorSDG, status, dayCare := codes(), codes(), codes(), codes(), codes(), codes()
	enrolled, social := codes(), codes()
	mother, father := newParentColumns(n), newParentColumns(n)
	for _, i := range order {
		f := &w.families[i]
		for k := f.eldest; k < f.eldest+int32(f.count); k++ {
			c := &w.children[k]
			if int(c.first) > y || int(c.last) < y {
				continue
			}
			a := First + y - int(c.birth)
			id, one, key = append(id, w.persons0+k+1), append(one, 1), append(key, int32(c.key))
			year, age = append(year, int32(First+y)), append(age, int32(a))
			sex, family = append(sex, c.sex), append(family, w.family0+i+1)
			areaID = append(areaID, uint8(f.area[y])) // -1 is NullCode
			if f.area[y] >= 0 {
				social = append(social, NullCode)
			} else {
				social = append(social, bit(f.socialHousing[y]))
			}
			municipality = append(municipality, f.municipality[y])
			origin = append(origin, uint8(f.registeredOrigin(c.birth)))
			kind = append(kind, f.kind[y])
			income, wealth = append(income, f.income[y]), append(wealth, f.wealth[y])
			student, poor = append(student, bit(f.student[y])), append(poor, bit(f.poor[y]))
			poorSDG = append(poorSDG, bit(f.poorSDG(y)))
			group = append(group, f.incomeGroup[y])
			mother.add(f.motherPresent(y), f.motherStatus[y], f.motherEducation, f.mother[y])
			father.add(f.fatherPresent(y), f.fatherStatus[y], f.fatherEducation, f.father[y])
			status = append(status, f.parentsStatus[y])
			switch {
			case a < 1 || a > 5:
				dayCare, enrolled = append(dayCare, NullCode), append(enrolled, NullCode)
			case c.enrolled>>y&1 == 0:
				dayCare, enrolled = append(dayCare, notEnrolled), append(enrolled, 0)
			default:
				dayCare = append(dayCare, uint8(c.dayCareType(a, int(f.municipality[y]))))
				enrolled = append(enrolled, 1)
			}
		}
	}
	columns := []Column{
		{Name: "child_id", Int: id}, {Name: "n", Int: one}, {Name: "record_key", Int: key},
		{Name: "year", Int: year}, {Name: "age", Int: age}, {Name: "sex", Code: sex, Codes: Sexes},
		{Name: "family_id", Int: family}, {Name: "area_id", Code: areaID, Codes: w.areaIDs()},
		{Name: "social_housing", Code: social, Codes: Bools},
		{Name: "municipality", Code: municipality, Codes: Municipalities},
		{Name: "origin", Code: origin, Codes: Origins}, {Name: "family_type", Code: kind, Codes: FamilyTypes},
		{Name: "equivalised_income", Int: income}, {Name: "wealth", Int: wealth},
		{Name: "student_main_earner", Code: student, Codes: Bools},
		{Name: "income_group", Code: group, Codes: IncomeGroups}, {Name: "poor", Code: poor, Codes: Bools},
		{Name: "poor_sdg", Code: poorSDG, Codes: Bools},
	}
	columns = append(columns, mother.columns("mother")...)
	columns = append(columns, father.columns("father")...)
	columns = append(columns,
		Column{Name: "parents_status", Code: status, Codes: ParentsStatuses},
		Column{Name: "day_care_type", Code: dayCare, Codes: DayCareTypes},
		Column{Name: "enrolled", Code: enrolled, Codes: Bools})
	return &Batch{"child_year", n, columns}
}

func (w *world) activityTable() *Batch {
	var id, name, planID, theme, kind []string
	var areaID []uint8
	var start, end, ageMin, ageMax, capacity []int32
	for _, a := range w.activities {
		t := &activityTypes[a.kind]
		id, name, planID = append(id, a.id), append(name, a.name), append(planID, w.plans[a.plan].id)
		areaID = append(areaID, uint8(a.area))
		theme, kind = append(theme, t.theme), append(kind, t.code)
		start, end = append(start, int32(a.start)), append(end, int32(a.end))
		ageMin, ageMax = append(ageMin, int32(a.ageMin)), append(ageMax, int32(a.ageMax))
		capacity = append(capacity, int32(a.room))
	}
	return &Batch{"activity", len(id), []Column{
		{Name: "activity_id", Text: id}, {Name: "name", Text: name}, {Name: "plan_id", Text: planID},
		{Name: "area_id", Code: areaID, Codes: w.areaIDs()}, {Name: "theme", Text: theme}, {Name: "type", Text: kind},
		{Name: "start", Date: start}, {Name: "end", Date: end},
		{Name: "age_min", Int: ageMin}, {Name: "age_max", Int: ageMax}, {Name: "capacity", Int: capacity},
	}}
}

// activityTypeCodes are the codes of a column type.
func activityTypeCodes() (codes []string) {
	for _, t := range activityTypes {
		codes = append(codes, t.code)
	}
	return codes
}

func (w *world) participantTable() *Batch {
	n := len(w.participants)
	ints := func() []int32 { return make([]int32, 0, n) }
	codes := func() []uint8 { return make([]uint8, 0, n) }
	id, start, end, age, active, absenceBefore, absenceAfter := ints(), ints(), ints(), ints(), ints(), ints(), ints()
	kind, treated, areaID, sex, origin, lone := codes(), codes(), codes(), codes(), codes(), codes()
	chargedBefore, jobBefore, job, education, chargedAfter := codes(), codes(), codes(), codes(), codes()
	activityID := make([]string, 0, n)
	for _, p := range w.participants {
		id, kind, treated = append(id, w.persons0+p.person), append(kind, p.kind), append(treated, bit(p.treated))
		if p.activity < 0 {
			activityID = append(activityID, NullText)
		} else {
			activityID = append(activityID, w.activities[p.activity].id)
		}
		areaID, start, end = append(areaID, p.area), append(start, p.startYear), append(end, p.endYear)
		age, sex, origin = append(age, int32(p.age)), append(sex, p.sex), append(origin, p.origin)
		lone, active = append(lone, bit(p.lone)), append(active, int32(p.active))
		chargedBefore, jobBefore = append(chargedBefore, bit(p.chargedBefore)), append(jobBefore, bit(p.jobBefore))
		absenceBefore = append(absenceBefore, int32(p.absenceBefore))
		job, education, chargedAfter = append(job, p.leisureJob), append(education, p.education), append(chargedAfter,
			p.chargedAfter)
		absenceAfter = append(absenceAfter, p.absenceAfter)
	}
	return &Batch{"participant", n, []Column{
		{Name: "person_id", Int: id}, {Name: "type", Code: kind, Codes: activityTypeCodes()},
		{Name: "treated", Code: treated, Codes: Bools}, {Name: "activity_id", Text: activityID},
		{Name: "area_id", Code: areaID, Codes: w.areaIDs()}, {Name: "start_year", Int: start}, {Name: "end_year", Int: end},
		{Name: "age", Int: age}, {Name: "sex", Code: sex, Codes: Sexes}, {Name: "origin", Code: origin, Codes: Origins},
		{Name: "lone_parent", Code: lone, Codes: Bools}, {Name: "parents_active", Int: active},
		{Name: "charged_before", Code: chargedBefore, Codes: Bools}, {Name: "job_before", Code: jobBefore, Codes: Bools},
		{Name: "absence_before", Int: absenceBefore},
		{Name: "in_leisure_job", Code: job, Codes: Bools}, {Name: "in_education", Code: education, Codes: Bools},
		{Name: "charged", Code: chargedAfter, Codes: Bools}, {Name: "absence", Int: absenceAfter},
	}}
}

func (w *world) surveyTable() *Batch {
	var respondent, value, weight []int32
	var actor, theme, aspect []uint8
	var item []string
	for _, a := range w.answers {
		respondent, value, weight = append(respondent, a.respondent), append(value, a.answer), append(weight,
			a.weightTenThousands)
		actor, theme, aspect, item = append(actor, a.actor), append(theme, a.theme), append(aspect, a.aspect), append(item,
			a.item)
	}
	return &Batch{"actor_survey", len(w.answers), []Column{
		{Name: "respondent_id", Int: respondent}, {Name: "actor_type", Code: actor, Codes: actorTypes},
		{Name: "theme", Code: theme, Codes: themeCodes}, {Name: "aspect", Code: aspect, Codes: aspectCodes},
		{Name: "item", Text: item}, {Name: "answer", Int: value}, {Name: "weight", Decimal: weight},
	}}
}
