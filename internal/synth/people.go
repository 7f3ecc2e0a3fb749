package synth

// singly calls do for the persons of those ages who are drawn singly in a year: those of the areas, then
// those of other social housing.
func (w *world) singly(y, from, to int, do func(*person)) {
	for _, list := range [2][]person{w.persons[y], w.social[y]} {
		for i := range list {
			if age := First + y - int(list[i].birth); from <= age && age <= to {
				do(&list[i])
			}
		}
	}
}

// whose are the columns that say of whom a row of youth_year or adult_year is.
type whose struct {
	id, n, key, year, family                []int32
	sex, origin, area, social, municipality []uint8
}

func (w *world) newWhose(n int) whose {
	ints, codes := make([]int32, 5*n), make([]uint8, 5*n)
	i := func(k int) []int32 { return ints[k*n : k*n : (k+1)*n] }
	c := func(k int) []uint8 { return codes[k*n : k*n : (k+1)*n] }
	return whose{i(0), i(1), i(2), i(3), i(4), c(0), c(1), c(2), c(3), c(4)}
}

func (c *whose) add(id, n, key int32, y int, family int32, sex, origin, area, social, municipality uint8) {
	c.id, c.n, c.key, c.year = append(c.id, id), append(c.n, n), append(c.key, key), append(c.year, int32(First+y))
	c.family, c.sex, c.origin = append(c.family, family), append(c.sex, sex), append(c.origin, origin)
	c.area, c.social, c.municipality = append(c.area, area), append(c.social, social), append(c.municipality, municipality)
}

// person adds one who is drawn singly.
func (c *whose) person(w *world, p *person, y int) {
	social := uint8(1)
	if p.area != NullCode {
		social = NullCode
	}
	c.add(w.persons0+p.id, 1, int32(p.key), y, w.family0+p.family, p.sex, p.origin, p.area, social, p.municipality)
}

func (c *whose) columns(w *world) []Column {
	return []Column{
		{Name: "person_id", Int: c.id}, {Name: "n", Int: c.n}, {Name: "record_key", Int: c.key}, {Name: "year", Int: c.year},
		{Name: "family_id", Int: c.family}, {Name: "sex", Code: c.sex, Codes: Sexes},
		{Name: "origin", Code: c.origin, Codes: Origins},
		{Name: "area_id", Code: c.area, Codes: w.areaIDs()}, {Name: "social_housing", Code: c.social, Codes: Bools},
		{Name: "municipality", Code: c.municipality, Codes: Municipalities},
	}
}

// youthYearTable holds the persons of 7-24 in social housing, then the groups of the others.
func (w *world) youthYearTable(y int) *Batch {
	n := len(w.youths[y])
	w.singly(y, 7, 24, func(*person) { n++ })
	who := w.newWhose(n)
	ints := func() []int32 { return make([]int32, 0, n) }
	codes := func() []uint8 { return make([]uint8, 0, n) }
	ages, absence, absenceSD, mark, markSD, suspicions, charges := ints(), ints(), ints(), ints(), ints(), ints(), ints()
	status, schooling, exams, passed, begun, completed := codes(), codes(), codes(), codes(), codes(), codes()
	job, work, offence, first, relapsed := codes(), codes(), codes(), codes(), codes()
	short := func(x int16) int32 {
		if x == nullShort {
			return NullInt
		}
		return int32(x)
	}
	count := func(x uint8) int32 {
		if x == NullCode {
			return NullInt
		}
		return int32(x)
	}
	add := func(r *young, age int32, absenceDeviation, markDeviation int16) {
		ages = append(ages, age)
		absence, absenceSD = append(absence, short(r.absence)), append(absenceSD, short(absenceDeviation))
		mark, markSD = append(mark, short(r.mark)), append(markSD, short(markDeviation))
		suspicions, charges = append(suspicions, count(r.suspicions)), append(charges, count(r.charges))
		status, schooling = append(status, r.parentsStatus), append(schooling, r.parentsSchooling)
		exams, passed = append(exams, r.exams), append(passed, r.passed)
		begun, completed = append(begun, r.begun), append(completed, r.completed)
		job, work = append(job, r.leisureJob), append(work, r.status)
		offence, first, relapsed = append(offence, r.offence), append(first, r.firstOffence), append(relapsed, r.relapsed)
	}
	w.singly(y, 7, 24, func(p *person) {
		who.person(w, p, y)
		add(&p.young, int32(First+y-int(p.birth)), nullShort, nullShort)
	})
	for i := range w.youths[y] {
		r := &w.youths[y][i]
		who.add(NullInt, r.n, NullInt, y, NullInt, r.sex, r.origin, NullCode, 0, r.municipality)
		add(&r.young, int32(r.age), r.absenceDeviation, r.markDeviation)
	}
	return &Batch{"youth_year", n, append(who.columns(w),
		Column{Name: "age", Int: ages},
		Column{Name: "parents_status", Code: status, Codes: ParentsStatuses},
		Column{Name: "parents_schooling", Code: schooling, Codes: Schoolings},
		Column{Name: "absence", Int: absence}, Column{Name: "absence_sd", Int: absenceSD},
		Column{Name: "exams_taken", Code: exams, Codes: Bools},
		Column{Name: "mean_mark", Int: mark}, Column{Name: "mean_mark_sd", Int: markSD},
		Column{Name: "passed", Code: passed, Codes: Bools},
		Column{Name: "upper_secondary_begun", Code: begun, Codes: Bools},
		Column{Name: "upper_secondary_completed", Code: completed, Codes: Bools},
		Column{Name: "leisure_job", Code: job, Codes: Bools},
		Column{Name: "work_status", Code: work, Codes: WorkStatuses},
		Column{Name: "suspicions", Int: suspicions}, Column{Name: "charges", Int: charges},
		Column{Name: "offence", Code: offence, Codes: Bools}, Column{Name: "first_offence", Code: first, Codes: Bools},
		Column{Name: "relapsed", Code: relapsed, Codes: Bools})}
}

// adultYearTable holds the persons of 18-64 in social housing, then the groups of the others.
func (w *world) adultYearTable(y int) *Batch {
	n := len(w.adults[y])
	w.singly(y, 18, 64, func(*person) { n++ })
	who := w.newWhose(n)
	ints := func() []int32 { return make([]int32, 0, n) }
	codes := func() []uint8 { return make([]uint8, 0, n) }
	age, income, deviation := ints(), ints(), ints()
	group, work, education, support, convicted := codes(), codes(), codes(), codes(), codes()
	add := func(t *traits, ages int32, g, e, s uint8, mean, sd int32) {
		age, group, work = append(age, ages), append(group, g), append(work, t.work)
		education, support, convicted = append(education, e), append(support, s), append(convicted, t.convicted)
		income, deviation = append(income, mean), append(deviation, sd)
	}
	w.singly(y, 18, 64, func(p *person) {
		who.person(w, p, y)
		add(&p.traits, int32(First+y-int(p.birth)), p.group, p.education, p.support, p.income, NullInt)
	})
	for i := range w.adults[y] {
		r := &w.adults[y][i]
		who.add(NullInt, r.n, NullInt, y, NullInt, r.sex, r.origin, NullCode, 0, r.municipality)
		add(&r.traits, NullInt, r.group, r.education, r.support, r.income, r.deviation)
	}
	return &Batch{"adult_year", n, append(who.columns(w),
		Column{Name: "age", Int: age}, Column{Name: "age_group", Code: group, Codes: AgeGroups},
		Column{Name: "work_status", Code: work, Codes: WorkStatuses},
		Column{Name: "education", Code: education, Codes: Educations},
		Column{Name: "public_support", Code: support, Codes: Bools},
		Column{Name: "convicted", Code: convicted, Codes: Bools},
		Column{Name: "gross_income", Int: income}, Column{Name: "gross_income_sd", Int: deviation})}
}
