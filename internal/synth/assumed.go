package synth

// Everything in this file is assumed (A): nothing published was found, and each figure was
// chosen so that the published ones come out and the rest is plausible for Denmark. Shares are
// per million unless the name says otherwise, effects are in thousandths of a logit.

// AreaEffect is the planted effect of the area-effect world: what living in a supported area
// adds to the probability of day care at ages 1-2, other things equal. Ages 3-5 have none, and
// the other worlds have no average effect at any age.
const AreaEffect = -0.05

const areaEffectPPM = -50_000

// DayCareDeviation and PovertyDeviation are by how much areas differ in the area-variation world: the
// standard deviation, between areas and around 0, of what an area adds to the probability of day care at
// ages 1-2, and to the log odds of poverty of its families.
const (
	DayCareDeviation = 0.04
	PovertyDeviation = 0.3

	dayCareDeviationPPM = 40_000
	povertyDeviation    = 300
)

// planOnIdlePPM is the planted effect of the plans, in every world: what is added to the probability of an
// area's residents aged 18-64 to be outside work and education, per million, by years since the start of
// its first plan; the last holds from then on. On convictions plans have none.
var planOnIdlePPM = [...]int{-10_000, -15_000, -20_000, -25_000, -30_000}

// singleYears are the children of each year by age 0 to 6. Only their sums over ages 0-6, 1-2
// and 3-5 are published; the split within them is smoothed, so that each cohort grows by a few
// hundred a year as it does in life (net immigration).
var singleYears = [years][7]int{
	{63756, 65321, 65924, 65615, 65572, 65650, 65799},
	{61470, 64034, 65467, 66070, 65749, 65707, 65785},
	{58595, 61820, 64334, 65631, 66162, 65816, 65778},
	{57501, 58957, 62126, 64595, 65837, 66296, 65916},
	{56254, 57994, 59355, 62493, 64814, 65996, 66386},
	{57562, 56792, 58597, 59840, 62909, 65084, 66205},
	{60865, 58010, 57279, 59179, 60468, 63493, 65527},
	{62142, 61172, 58356, 57658, 59527, 60838, 63849},
}

// socialHousing is the residents of all social housing in each year: 2017 is published, the other years
// follow a slow growth.
var socialHousing = [years]int{951_000, 955_000, 959_000, 963_000, 967_000, 971_500, 976_000, SocialHousing2017}

// What adds to the logit of living in social housing, of a family outside the areas. That people there
// fare worse than the rest of the population, and those in the areas worse still, is published (V: the
// study's cover text), by how much is not.
const (
	// a year, so families stay for eight years on average, but where work or poverty change
	socialHousingRenewalPPM = 120_000

	socialHousingEducation  = -220 // per step of the better educated parent
	socialHousingOneIdle    = 500
	socialHousingNoneActive = 1_000
	socialHousingLone       = 1_000
	socialHousingPoor       = 600
	socialHousingMobile     = 900 // of the families who live in supported areas at times
	socialHousingConvicted  = 500
	socialHousingIllness    = 400
	socialHousingUrban      = 500 // municipalities with supported areas

	// socialHousingNonWesternPercent of the effects of work, kind, education and the rest hold for families
	// of non-Western origin: of them every third is poor wherever they live (V: VIVE).
	socialHousingNonWesternPercent = 5
)

var (
	// socialHousingAdults of the residents outside the areas live in social housing, per million by age
	// group from 18-24 on, scaled to the total; socialHousingOfOrigin multiplies it, per mille by
	// registered origin.
	socialHousingAdults   = [5]int{134_000, 122_000, 79_000, 88_000, 232_000}
	socialHousingOfOrigin = [5]int{900, 1_000, 1_000, 3_000, 3_000}
	// socialHousingHardship shifts work, schooling and convictions of those in social housing outside the
	// areas, and of those outside it, in thousandths of a logit; socialHousingIncome is the income of like
	// persons, percent.
	socialHousingHardship = [2]int{-70, 450}
	socialHousingIncome   = [2]int{102, 88}
)

// residentsInAreas: 2016 is published, the other years follow a slow growth.
var residentsInAreas = [years]int{212_900, 213_200, 213_500, 213_900, 214_300, 214_800, ResidentsInAreas2016, 215_700}

const (
	// childrenInAreasPPM of all children aged 0-6 live in supported areas: with it, 5,860 poor
	// children in 2016 are every fourth.
	childrenInAreasPPM = 55_200

	areaSmallest           = 500 // residents, before scaling to the published total
	areaLargest            = 6_000
	areaNonWesternLow      = 300 // per mille of the children of an area
	areaNonWesternHigh     = 820
	areaChildrenNonWestern = 505 // per mille of all children in areas; DOMAIN.md gives 50-65 %
	areaHardshipDeviation  = 200 // of the shift in logits, beside
	areaHardshipByOrigin   = 500 // thousandths of a logit per 1,000 per mille above the mean share
	planFirstYear          = 2011

	residentsPerThousandDwellings = 2_150
)

// Births, arrivals and departures of families.
var (
	// familyOrigins weighs Danish, Western and non-Western among families that have their first
	// child in the register, and arrivalOrigins among families that arrive from abroad.
	familyOrigins  = []int{871_000, 37_000, 92_000}
	arrivalOrigins = []int{480_000, 230_000, 290_000}

	// departurePPM a year, by origin.
	departurePPM = [3]int{4_000, 60_000, 16_000}

	// mobilePPM of families, by origin, belong to those who live in supported areas or could:
	// at any time about half of them do. Who moves between an area and the rest of the country
	// is one of them, so moving does not change the make-up of either.
	mobilePPM = [3]int{52_000, 120_000, 600_000}

	// bornToAreaPPM of mobile families live in an area when their first child is born.
	bornToAreaPPM = 480_000

	// leaveAreaPPM a year, by origin.
	leaveAreaPPM = [3]int{150_000, 180_000, 110_000}

	// siblingPPM a year by the years since the youngest child, for a family with one child in
	// the register; with two or more it is multiplied by laterSiblingPercent.
	siblingPPM          = [8]int{0, 30_000, 200_000, 220_000, 130_000, 80_000, 40_000, 20_000}
	laterSiblingPercent = [3]int{22, 22, 45}

	// arrivalSiblingPPM of arriving children join a family that arrives with an older child.
	arrivalSiblingPPM = 450_000

	// foreignBornPPM of the Western and non-Western families of 2010 arrived after the birth of
	// their first child.
	foreignBornPPM = [3]int{0, 420_000, 160_000}

	// nonWesternUrbanFactor weighs municipalities with supported areas for the non-Western
	// families outside them.
	nonWesternUrbanFactor = 2
)

// kinds of family when the first child is born: both parents, mother and partner, mother alone,
// father and partner, father alone, neither; by mobile or not, and by origin.
var kindAtBirth = [2][3][]int{
	{
		{930, 4, 58, 1, 3, 4},
		{920, 5, 68, 1, 3, 3},
		{880, 3, 107, 1, 4, 5},
	},
	{
		{650, 22, 290, 3, 15, 20},
		{780, 12, 180, 3, 10, 15},
		{790, 6, 185, 1, 8, 10},
	},
}

// Yearly transitions between kinds of family, per million.
const (
	separationPPM       = 24_000
	mobileSeparationPPM = 50_000
	fatherKeepsPPM      = 100_000 // of separations
	newPartnerPPM       = 70_000
	partnerLeavesPPM    = 50_000
)

// education at the end of schooling: basic, upper secondary, vocational, short or medium, long,
// unknown; mothers then fathers, by mobile or not, and by origin.
var (
	motherEducation = [2][3][]int{
		{{130, 75, 290, 335, 160, 10}, {140, 110, 170, 250, 240, 90}, {330, 130, 190, 170, 80, 100}},
		{{430, 80, 320, 135, 25, 10}, {300, 120, 220, 180, 80, 100}, {450, 130, 180, 100, 30, 110}},
	}
	fatherEducation = [2][3][]int{
		{{160, 70, 390, 230, 140, 10}, {150, 110, 200, 210, 240, 90}, {320, 130, 230, 140, 80, 100}},
		{{450, 70, 370, 80, 20, 10}, {320, 110, 260, 140, 70, 100}, {460, 120, 210, 80, 30, 100}},
	}
	// sameEducationPPM of couples have their education from the same draw.
	sameEducationPPM = 350_000
)

// Shares of children aged 0-6 in 2016 with a parent who has the trait, per million of those who
// live with that parent: not mobile by origin, and mobile families in supported areas by origin.
// Fathers' convictions and drug treatment in the areas are published; mothers', and all outside
// the areas, are assumed. Danish parents in the areas fare worse on sentences, abuse and
// illness, non-Western parents on work and poverty.
var (
	motherDrugs = [2][3]int{{6_000, 4_000, 2_000}, {35_000, 15_000, 6_000}}
	fatherDrugs = [2][3]int{{9_000, 7_000, 8_000}, {FatherDrugsDanishPercent * 10_000, 30_000,
		FatherDrugsNonWesternPercent * 10_000}}
	motherAlcohol     = [2][3]int{{8_000, 5_000, 1_500}, {36_000, 15_000, 4_000}}
	fatherAlcohol     = [2][3]int{{13_000, 9_000, 4_000}, {52_000, 24_000, 8_000}}
	motherPsychiatric = [2][3]int{{60_000, 40_000, 62_000}, {190_000, 100_000, 100_000}}
	fatherPsychiatric = [2][3]int{{35_000, 27_000, 55_000}, {125_000, 75_000, 85_000}}
	motherConvicted   = [2][3]int{{9_000, 7_000, 8_000}, {62_000, 30_000, 20_000}}
	fatherConvicted   = [2][3]int{{45_000, 38_000, 72_000}, {FatherConvictedDanishPercent * 10_000, 110_000,
		FatherConvictedNonWesternPercent * 10_000}}

	// Neither employed nor in education, and in education.
	motherIdle    = [2][3]int{{85_000, 170_000, 370_000}, {370_000, 380_000, 510_000}}
	fatherIdle    = [2][3]int{{40_000, 80_000, 210_000}, {240_000, 230_000, 330_000}}
	motherStudies = [2][3]int{{55_000, 60_000, 95_000}, {105_000, 80_000, 100_000}}
	fatherStudies = [2][3]int{{18_000, 30_000, 45_000}, {35_000, 40_000, 50_000}}
)

// How traits hang together: what each adds to the logit of another.
const (
	educationStep     = -260 // convictions, abuse: per step from basic towards long
	drugsOnAlcohol    = 1_800
	drugsOnConviction = 1_900
	alcoholOnConvict  = 900
	illnessOnAbuse    = 1_000
	illnessOnConvict  = 500
	illnessOnWork     = 1_100
	abuseOnWork       = 1_400
	educationOnWork   = -380
	infantOnMother    = 250 // a child under three at home

	// A latent propensity is drawn anew with this chance a year, else it stays: so traits,
	// work, income and poverty last, and their shares do not drift.
	traitRenewalPPM  = 110_000
	workRenewalPPM   = 200_000
	poorRenewalPPM   = 180_000
	incomeRenewalPPM = 150_000

	statusUnknownPPM        = 4_000
	statusUnknownArrivalPPM = 150_000 // in the year of arrival
)

// povertyTrend shifts the logit of poverty in each year, from 2016 = 0: poverty rose.
var povertyTrend = [years]int{-210, -180, -150, -120, -80, -40, 0, 15}

// What adds to the logit of poverty.
const (
	povertyOneIdle      = 900
	povertyNoneActive   = 2_100
	povertyLone         = 450
	povertyEducation    = -170 // per step of the better educated parent
	povertyMobileDanish = 350
	povertyStudent      = 2_600 // the main earner studies
)

// povertyLine is half the median equivalised disposable income of children's families, in DKK.
// 2016: Statistics Denmark's line was about 117,000 (V); the years before and after follow the
// growth of incomes. wealthMedian is about the median wealth without pension.
var (
	povertyLine  = [years]int{106_000, 107_700, 109_300, 111_000, 112_800, 114_900, 117_000, 119_200}
	wealthMedian = [years]int{98_000, 96_000, 97_000, 100_000, 106_000, 114_000, 122_000, 130_000}
)

// poorWithWealthPPM of the families below the line of income have wealth above it, by origin; they and
// those whose main earner studies are not poor by the line of Statistics Denmark. That has 52,500 poor of
// 0-17 in 2016, 4.5 % (D: AE, 64,500 in 2017 less 12,000, of 1,167,028), and at ages 0-6 nothing was
// found: here too it is 4.5 %.
var poorWithWealthPPM = [3]int{465_000, 415_000, 260_000}

const (
	// incomeDeviation is the lasting and incomeShock the yearly spread of log income between
	// families alike in work and education, in thousandths.
	incomeDeviation = 240
	incomeShock     = 90
)

// What adds to the logit of day care, at ages 1-2 and 3-5. The area is not among them.
var (
	dayCareAge          = [2][3]int{{-420, 420, 0}, {-150, 80, 150}}            // ages 1, 2 and 3, 4, 5
	dayCareStatus       = [2][4]int{{0, -80, -180, -100}, {0, -20, -60, -20}}   // both, one, none active, unknown
	dayCareKind         = [2][6]int{{0, 0, 30, 0, 0, 60}, {0, 0, -10, 0, 0, 0}} // by kind of family
	dayCareIncome       = [2][5]int{{-60, -20, 0, 20, 40}, {-30, 0, 0, 10, 10}}
	dayCareOrigin       = [2][5]int{{0, -350, -200, -200, 0}, {0, -250, -100, -250, 0}} // beside the published two
	dayCareRenewalPPM   = 150_000
	childminderPerMille = [2]int{180, 520} // of ages 1-2: municipalities with areas, without
	integratedPerMille  = 550              // of institutions
)

// Residents of supported areas aged 7 and over, by age group from 7-9 on.
var (
	areaAgeShares = []int{45, 42, 27, 42, 115, 90, 370, 45, 115}
	// ageFrom and ageTo bound the groups; nobody moves in older than 89.
	ageFrom = [...]int{0, 7, 10, 13, 15, 18, 25, 30, 60, 65}
	ageTo   = [...]int{6, 9, 12, 14, 17, 24, 29, 59, 64, 89}
	// moveOutPPM a year by age group, deaths among the oldest included: 12-18 % of all.
	moveOutPPM = [...]int{0, 110_000, 105_000, 100_000, 110_000, 270_000, 220_000, 120_000, 75_000, 85_000}

	// nonWesternByAge scales an area's share of non-Western children to each age group, percent.
	nonWesternByAge = [...]int{100, 100, 100, 100, 98, 92, 90, 84, 55, 32}
	// westernPerMille of those in areas who are not of non-Western origin.
	westernPerMille = 85
	// descendantPercent by age group, non-Western and Western.
	descendantPercent = [2][10]int{{88, 84, 82, 80, 74, 58, 40, 6, 1, 1}, {45, 40, 38, 36, 32, 14, 8, 5, 4, 4}}
)

// Work, schooling, convictions and income of residents aged 7 and over. Where two columns stand
// side by side, the first is for supported areas and the second for the rest of the country.
var (
	// residentIdle is the logit of neither work nor study, by age group from 18-24 to 60-64.
	residentIdle = [2][4]int{{-1_250, -900, -830, -150}, {-1_800, -1_900, -2_050, -900}}
	// residentStudies of that age group are in education, per million.
	residentStudies = [2][4]int{{300_000, 130_000, 26_000, 2_000}, {420_000, 190_000, 18_000, 1_000}}
	// idleOfOrigin adds to the logit, by registered origin.
	idleOfOrigin = [5]int{0, 150, 0, 700, 250}
	// residentBasic is the logit of basic schooling only at 30-59, basicOfOrigin adds to it.
	residentBasic = [2]int{-350, -1_750}
	basicOfOrigin = [5]int{0, 100, 0, 500, 100}
	// residentConvicted is the logit of a conviction in the year for a man, by age group from 18-24.
	residentConvicted = [2][5]int{{-2_900, -3_150, -3_850, -5_200, -6_600}, {-3_550, -3_800, -4_700, -5_900, -7_200}}
	convictedOfOrigin = [5]int{0, -100, 200, 150, 700}
	convictedWoman    = -1_600
	convictedIdle     = 700

	schoolingUnknownPPM = [5]int{5_000, 90_000, 10_000, 70_000, 10_000}
	basicOnIdle         = 500

	residentRenewalPPM  = 170_000
	convictionStaysPPM  = 450_000         // of latent draws: the same persons are convicted again
	residentIncomeShare = [2]int{79, 100} // percent of the income of like persons elsewhere
)

// grossIncome is the yearly gross income in DKK of 2016: employed at 18-24, 25-29, 30-59, 60-64;
// then in education, neither, unknown, 15-17 and 65 and over.
var grossIncome = struct {
	employed                               [4]int
	inEducation, idle, unknown, young, old int
	deviation                              int // of log income, thousandths
}{[4]int{205_000, 300_000, 395_000, 385_000}, 105_000, 178_000, 150_000, 14_000, 215_000, 330}

// incomeIndex is the level of incomes by year, per mille of 2016; regionIncome by region.
var (
	incomeIndex  = [years]int{905, 918, 935, 949, 963, 985, 1_000, 1_019}
	regionIncome = [regions]int{1_090, 985, 950, 965, 930}
)

// The rest of the country: age groups from 7-9 on, per mille, and what the oldest gain and those
// of 30-59 lose a year; urban municipalities have more of 18-29.
var (
	restAgeShares   = []int{36, 36, 25, 38, 90, 61, 405, 61, 178}
	restAgeingShare = 4
	restUrbanYouth  = 1_250 // per mille
	// restOrigin is by age group from 7-9 on: Danish, then the rest of the codes, per mille.
	restOrigin = [9][]int{
		{886, 12, 14, 10, 78}, {890, 12, 11, 12, 75}, {892, 12, 10, 16, 70}, {890, 13, 9, 20, 68}, {852, 42, 6, 56, 44},
		{810, 76, 5, 86, 23}, {882, 42, 3, 68, 5}, {938, 24, 2, 35, 1}, {962, 19, 1, 17, 1},
	}
	womenPerMille = [10]int{487, 487, 487, 487, 487, 489, 493, 499, 503, 545}
)

// Activities: whom they are for, how many areas offer them, who takes part and what they do to
// the year after. The effect of leisure jobs on having a job is planted so that participants are
// about three times as likely to have one (V: Landsbyggefonden 2021, "about three times the
// chance"); fire cadets have none on charges, and projects and events lower the share in
// education. All other effects and every selection are A.
var activityTypes = [...]activityType{
	{code: "POCKET_MONEY_JOB", theme: "CRIME_PREVENTION", name: "Lommepengejob", ageMin: 13, ageMax: 16,
		offeredPPM: 450_000,
		takesPart: logit{base: -1_900, age: -150, female: -200, nonWestern: 300, lone: 200, active: -150, charged: 500,
			job: -400, absence: 20},
		effect: [outcomes]int{inLeisureJob: 500}},
	{code: "LEISURE_JOB", theme: "EMPLOYMENT", name: "Fritidsjob", ageMin: 13, ageMax: 17, offeredPPM: 600_000,
		takesPart: logit{base: -1_200, age: 60, female: -150, nonWestern: 550, lone: 350, active: -400, charged: 600,
			job: -1_400, absence: 30},
		effect: [outcomes]int{inLeisureJob: 1_620, charged: -300}},
	{code: "MENTOR", theme: "EDUCATION", name: "Mentor", ageMin: 13, ageMax: 17, offeredPPM: 350_000,
		takesPart: logit{base: -2_300, female: -100, lone: 300, active: -200, charged: 900, absence: 45},
		effect:    [outcomes]int{inEducationNext: 400, absence: -2_500}},
	{code: "FIRE_CADET", theme: "CRIME_PREVENTION", name: "Brandkadetter", ageMin: 13, ageMax: 17, offeredPPM: 300_000,
		takesPart: logit{base: -2_200, female: -1_100, nonWestern: 200, lone: 400, charged: 1_900, absence: 25}},
	{code: "PROJECT_OR_EVENT", theme: "EDUCATION", name: "Projekt", ageMin: 13, ageMax: 17, offeredPPM: 500_000,
		takesPart: logit{base: -1_200, female: 350, lone: -200, active: 500, charged: -1_000, job: 300, absence: -80},
		effect:    [outcomes]int{inEducationNext: -450}},
	{code: "CREATIVE_LEARNING", theme: "EDUCATION", name: "Kreativ læring", ageMin: 7, ageMax: 14, offeredPPM: 300_000,
		takesPart: logit{base: -1_500, female: 150, nonWestern: 250, lone: 200, active: -200, absence: 15},
		effect:    [outcomes]int{absence: -1_500}},
	{code: "NETWORK_MOTHERS", theme: "SMALL_CHILDREN", name: "Bydelsmødre", ageMin: 20, ageMax: 45, womenOnly: true,
		offeredPPM: 400_000,
		takesPart:  logit{base: -2_700, nonWestern: 800, lone: -200, active: -300, job: -700}},
	{code: "PARENT_PROGRAMME", theme: "SMALL_CHILDREN", name: "Forældreprogram", ageMin: 20, ageMax: 40,
		offeredPPM: 350_000,
		takesPart:  logit{base: -2_900, female: 900, nonWestern: 200, lone: 300, active: -200, job: -200}},
}

// What the year after depends on besides the activity, and from what age it is recorded.
var (
	outcomeFrom  = [...]int{13, 15, 10}
	outcomeLogit = [...]logit{
		{base: -2_150, age: 100, female: 50, nonWestern: -450, lone: -200, active: 300, charged: -350, job: 1_900,
			absence: -25},
		{base: 2_000, age: -80, female: 250, lone: -300, active: 350, charged: -1_200, job: 150, absence: -80},
		{base: -3_000, age: 50, female: -900, lone: 350, active: -150, charged: 2_000, job: -100, absence: 25},
	}
)

const (
	approachedPPM = 700_000 // of the residents of the ages, in each year of an activity
	comparedPPM   = 500_000 // of those approached who do not take part

	loneParentPPM          = 380_000
	parentActiveLogit      = 500
	parentActiveNonWestern = -500
	chargedBefore          = -1_800 // a boy of 15 with two parents at home
	chargedBeforeAge       = 150
	chargedBeforeFemale    = -1_200
	chargedBeforeLone      = 500
	jobBefore              = -450
	jobBeforeAge           = 250
	jobBeforeNonWestern    = -500
	jobBeforeActive        = 250

	// School absence in percent: the least, and what is added up to.
	absenceLeast   = 2
	absenceSpread  = 16
	absenceCharged = 6
	absenceLone    = 2
	// and the year after, in thousandths of a percentage point.
	absenceKept        = 500
	absenceNext        = 5_500
	absenceNextCharged = 2_500
	absenceNextLone    = 1_000
	absenceNextActive  = -700
	absenceNoise       = 3_000
)

// The questionnaire: 125 actors answered (V: VIVE); who they are and what they answer is A.
const (
	respondents      = 125
	noAnswerPPM      = 60_000
	doNotKnowPPM     = 90_000
	respondentSpread = 500 // thousandths of a step of the answer between respondents
)

var (
	actorTypes = []string{"Boligsocial medarbejder", "Kommunal medarbejder", "Skole eller dagtilbud",
		"Boligorganisation", "Frivillig", "Politi"}
	actorWeights = []int{45, 30, 20, 12, 12, 6}
	themeCodes   = []string{"SMALL_CHILDREN", "EDUCATION", "EMPLOYMENT", "CRIME_PREVENTION"}
	aspectCodes  = []string{"TARGET_GROUP", "ORGANISATION", "PROFESSIONALISM"}
	surveyItems  = [3][]string{
		{"Aktiviteten når dem, den er tænkt for", "Deltagerne bliver til forløbet er slut",
			"Aktiviteten gør en forskel for deltagerne"},
		{"Samarbejdet med kommunen virker", "Ansvaret er klart fordelt", "Aktiviteten er forankret ud over planen"},
		{"Medarbejderne har de rette kompetencer", "Metoden er beskrevet og bliver fulgt", "Erfaringer bliver delt"},
	}
	// surveyMean is the mean answer in thousandths, by theme and aspect.
	surveyMean = [4][3]int{{3_900, 3_500, 3_800}, {3_700, 3_300, 3_600}, {3_800, 3_600, 3_500}, {3_500, 3_700, 3_400}}
)

// Households of persons aged 7 and over in social housing.
var (
	// leaveHomePPM of the children at home a year, at 18 to 24; leaveNearPPM of them to a home in the same place.
	leaveHomePPM = [7]int{150_000, 230_000, 280_000, 320_000, 340_000, 350_000, 350_000}
	leaveNearPPM = 350_000

	// couplePPM of those who move in at 18-24, 25-29, 30-59, 60-64 and 65 and over come with a partner.
	couplePPM = [5]int{120_000, 260_000, 280_000, 360_000, 320_000}

	// newcomerParents weighs both parents, a mother and a father, of children who move in at 7-17.
	newcomerParents    = []int{440, 510, 50}
	newcomerSiblingPPM = 550_000

	// sentencedAgain adds to the logit of a conviction in the year, of a parent with a sentence.
	sentencedAgain = 1_400

	// supportPPM of those employed, in education, neither and unknown have a public benefit as their main income.
	supportPPM = [4]int{55_000, 40_000, 860_000, 250_000}

	jobRenewalPPM = 350_000
)

// backgrounds are the parents' status and schooling of those whose parents are not in the register, weighed in
// the areas and in other social housing, and outside social housing for others and for non-Western origin.
var (
	backgrounds = [...]struct{ status, schooling uint8 }{
		{bothActive, moreSchooling}, {oneActive, moreSchooling}, {noneActive, moreSchooling}, {bothActive, basicOnly},
		{oneActive, basicOnly}, {noneActive, basicOnly}, {unknownParents, unknownSchooling},
	}
	formerHomes    = [2][]int{{330, 130, 130, 90, 60, 220, 40}, {460, 110, 110, 90, 40, 150, 40}}
	elsewhereHomes = [2][]int{{795, 90, 25, 40, 12, 13, 25}, {480, 150, 110, 70, 50, 90, 50}}
)

// Upper secondary: what adds to the logit of basic schooling only at 25 and over.
const (
	lateBasic        = 400 // parents with basic schooling only
	lateNoneActive   = 250
	completedTrend   = 40 // a year, at 18-24
	idleOnLate       = 900
	youngBasicOnIdle = 350
)

var (
	notCompleted = [7]int{3_900, 1_900, 1_150, 850, 650, 500, 420} // at 18 to 24
	notBegun     = [5]int{950, -300, -700, -900, -1_050}           // at 16 to 20 and over
)

// Talent, in thousandths of its standard deviation, from which one takes a general upper secondary, a higher
// and a long higher education.
const (
	generalTalent = 550
	higherTalent  = 850
	longTalent    = 1_500
)

// School. Where two columns stand side by side, the first is for supported areas, the second for elsewhere.
var (
	absenceOfPlace = [2]int{230, 60}
	examsOfPlace   = [2]int{2_050, 2_250}
	markOfPlace    = [2]int{58, 62}
)

const (
	absenceMedian        = 38 // tenths of a percent
	absenceTeen          = 95 // per year of age above 12
	absenceNoneActive    = 200
	absenceBasic         = 120
	absenceTalent        = 250
	absenceDeviation     = 620
	absenceElsewhere     = -60
	absenceMeanPercent   = 125 // the mean of those alike over their median
	absenceSpreadPercent = 75

	examsTalent     = 700
	examsBasic      = 650
	examsNoneActive = 450

	markDeviation  = 23
	markGirl       = 7
	markNonWestern = -4
	markBasic      = 8
	markNoneActive = 5
	markNoise      = 6
	markPassed     = 36
	passedTalent   = 2_500
)

// Work of the young.
var (
	leisureJobAge     = [5]int{-2_000, -1_400, -720, -290, 330} // at 13 to 17
	leisureJobTrend   = [years]int{200, 140, 80, 35, 0, 10, 28, 46}
	leisureJobOfPlace = [2]int{-350, -150}
)

const (
	leisureJobGirl        = 120
	leisureJobNonWestern  = -500
	leisureJobNoneActive  = -350
	youngIdle             = -3_000 // at 16-17
	youngIdleNoneActive   = 500
	youngIdleTalent       = 500
	youngEmployedPPM      = 35_000
	youngIdleElsewherePPM = 28_000
)

// Crime of the young. chargeRate is charges per 10,000 aged 15-20 in the areas: a smaller fall than at 10-14
// is published in words.
var chargeRate = [years]int{990, 990, 985, 975, 960, 945, 930, 915}

const (
	chargesNationally    = 330 // per 10,000 aged 15-20
	againInYearPPM       = 290_000
	offencesPerTen       = 14
	offendingDeviation   = 900
	offendingTalent      = 250
	offendingGirl        = -1_250
	offendingNonWestern  = 250
	offendingNoneActive  = 350
	offendingBasic       = 200
	offendedRecently     = 1_700
	offendedTrend        = 130 // a year less: relapse falls in the areas, which is published in words
	socialOffence        = -550
	offenceElsewhere     = -4_000
	offenceElsewhereAge  = 60
	steepest             = 600
	relapseElsewherePPM  = 330_000
	firstOffenceFallsPPM = 60_000
)

// offendedBeforePPM per year of age above 10 have offended before they move in, boys and girls.
var offendedBeforePPM = [2]int{28_000, 8_000}

// Outside social housing.
const (
	youthPerRow  = 60  // persons that a row of youth_year stands for, at most
	adultsPerRow = 250 // the same of adult_year, before it is split by education and support
)

// elsewhereEducation weighs the codes of education by age group from 18-24 to 60-64.
var elsewhereEducation = [4][6]int{
	{0, 330, 150, 30, 2, 12}, {145, 215, 290, 220, 110, 20}, {150, 60, 390, 260, 125, 15}, {210, 40, 420, 230, 80, 20},
}
