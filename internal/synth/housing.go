package synth

// Social housing outside the areas. Families live in it, stay or move, as their work, poverty, kind and
// education make likely; nothing else of them depends on it. So those in other social housing lie between
// the areas and the rest of the population, and all other figures are as they would be without it.

// houseFamilies says which families outside the areas live in social housing. The intercepts for
// non-Western origin and for the others are solved so that the published shares of 2015 come out: a
// quarter of the children of other social housing are of non-Western origin, and 5 % of those outside it.
func (w *world) houseFamilies() {
	const y = published2015
	w.draw("social housing", socialHousingRenewalPPM)
	type member struct{ draw, eta, children int32 }
	var members [2][]member // by whether of non-Western origin
	var children [2]int
	for i := range w.families {
		f := &w.families[i]
		if f.children[y] == 0 || f.area[y] >= 0 {
			continue
		}
		n := f.children[y]
		o := bit(f.origin == nonWestern)
		members[o] = append(members[o], member{w.draws[i*years+y], int32(f.socialHousingEta(y)), int32(n)})
		children[o] += int(n)
	}
	var cut [2]int
	for o, want := range inSocialHousing(children[0], children[1]) {
		cut[o] = largestCut(-logitBound, logitBound, want, func(x int) int {
			n := 0
			for _, m := range members[o] {
				if int(m.draw) < logistic(x+int(m.eta)) {
					n += int(m.children)
				}
			}
			return n
		})
	}
	inBlocks(len(w.families), func(_, from, to int) {
		for i := from; i < to; i++ {
			f := &w.families[i]
			for y := range years {
				if f.children[y] > 0 && f.area[y] < 0 {
					f.socialHousing[y] = int(w.draws[i*years+y]) < logistic(cut[bit(f.origin == nonWestern)]+f.socialHousingEta(y))
				}
			}
		}
	})
}

// inSocialHousing is how many of the others and of those of non-Western origin outside the areas live in
// social housing, if a quarter of the people there are of non-Western origin and 5 % of those elsewhere:
// of s in social housing, s/4 + (all - s)/20 are all of non-Western origin.
func inSocialHousing(others, nonWestern int) [2]int {
	all := others + nonWestern
	const inside, outside = nonWesternInSocialHousingPercent, nonWesternOutsideSocialHousingPercent
	social := (100*nonWestern - outside*all) / (inside - outside)
	social = max(0, min(social, all))
	return [2]int{min(others, social-social*inside/100), min(nonWestern, social*inside/100)}
}

func (f *family) socialHousingEta(y int) int {
	e := socialHousingEducation * max(step(f.motherEducation), step(f.fatherEducation))
	switch f.parentsStatus[y] {
	case noneActive:
		e += socialHousingNoneActive
	case oneActive, unknownParents:
		e += socialHousingOneIdle
	}
	lone := f.kind[y] == motherAlone || f.kind[y] == fatherAlone
	either := f.mother[y] | f.father[y]
	e += when(lone, socialHousingLone) + when(f.poor[y], socialHousingPoor) +
		when(either&convicted != 0, socialHousingConvicted) +
		when(either&(alcohol|drugs|psychiatric) != 0, socialHousingIllness)
	if f.origin == nonWestern {
		e = e * socialHousingNonWesternPercent / 100
	}
	return e + when(f.mobile, socialHousingMobile) + when(municipalities[f.municipality[y]].areas > 0, socialHousingUrban)
}

// socialHousingPPM is the share of the residents of 7 and over outside the areas who live in social
// housing, by age group and registered origin, before the total of the country is met. To the age of 17
// the published shares of those of non-Western origin make it; above, it is assumed.
func socialHousingPPM(group int) (share [5]int) {
	if group >= group18 {
		for o := range share {
			share[o] = socialHousingAdults[group-group18] * socialHousingOfOrigin[o] / 1000
		}
		return share
	}
	weights := restOrigin[group-1]
	nonWestern := weights[3] + weights[4]
	others := weights[0] + weights[1] + weights[2]
	in := inSocialHousing(others*1000, nonWestern*1000)
	for o := range share {
		share[o] = in[0] * 1000 / others
		if o >= 3 {
			share[o] = in[1] * 1000 / nonWestern
		}
	}
	return share
}
