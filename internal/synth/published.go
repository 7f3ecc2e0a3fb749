package synth

// First and Last are the years of the register, both included.
const (
	First = 2010
	Last  = 2017
	years = Last - First + 1
)

// The figures marked V (published) in the study and beside it that the tables can express. At
// scale 1 the default world reproduces counts exactly and percentages to the digit printed.
const (
	// PoorChildren2016 and PoorChildrenInAreas2016 are children aged 0-6 in poverty in 2016, in
	// all Denmark and in the supported areas. V: VIVE, presentation of the study (2018).
	PoorChildren2016        = 34_657
	PoorChildrenInAreas2016 = 5_860

	// ResidentsInAreas2016, Plans and Divisions describe the plans paid from the 2011-14 funds.
	// V: Landsbyggefonden.
	ResidentsInAreas2016 = 215_300
	Plans                = 89
	Divisions            = 395

	// SocialHousing2017 is the residents of all social housing on 1 January 2017, those of the supported
	// areas included. V: Landsbyggefonden, Beboerstatistik 2017.
	SocialHousing2017 = 979_770
	// Percent of the young of non-Western origin in 2015 in other social housing than that under a plan, and
	// outside social housing. V: BL, 2019. The age up to which one is young was not found; here it is 17.
	// The same source has "nearly 2/3" in areas with a plan, which the areas' children are not calibrated to.
	nonWesternInSocialHousingPercent      = 25
	nonWesternOutsideSocialHousingPercent = 5
	published2015                         = 2015 - First

	// Percent of children in day care in October 2014, nationally.
	// V: Ministry of Integration, 16 September 2016.
	DayCareDanish1To2Percent     = 86
	DayCareNonWestern1To2Percent = 76 // descendants
	DayCareDanish3To4Percent     = 90
	DayCareNonWestern3To4Percent = 91 // descendants

	// Percent of children's fathers in the supported areas, among children whose father lives
	// with them. V: VIVE, press release: "every fifth", "every tenth", 6 % and 2 %.
	FatherConvictedDanishPercent     = 20
	FatherConvictedNonWesternPercent = 10
	FatherDrugsDanishPercent         = 6
	FatherDrugsNonWesternPercent     = 2
)

// A published fraction: children of non-Western origin who are poor, in the supported areas and
// in the rest of the country alike. V: VIVE, press release: "every third".
const (
	poorNonWesternNumerator   = 1
	poorNonWesternDenominator = 3
)

// children06, children12 and children35 are the children aged 0-6, 1-2 and 3-5 of each year.
// V: Danmarks Statistik, population by single year of age.
var (
	children06 = [years]int{457_637, 454_282, 448_136, 441_228, 433_292, 426_989, 424_821, 423_542}
	children12 = [years]int{131_245, 129_501, 126_154, 121_083, 117_349, 115_389, 115_289, 119_528}
	children35 = [years]int{196_837, 197_526, 197_609, 196_728, 193_303, 187_833, 183_140, 178_023}
)

// residents is the population of Denmark in each year. V: same.
var residents = [years]int{5_543_819, 5_566_856, 5_587_085, 5_608_784, 5_639_719, 5_678_348, 5_724_456, 5_760_694}

// Young people, of all Denmark but where areas are named. Figures of other kinds of area than those under a
// 2011-14 plan (the ministry's lists, large social-housing areas, areas under any plan) are not calibrated to.

// suspicionsNationally are per 10,000 aged 10-14, 2011 and 2017. V: VIVE, press release, September 2019.
const suspicionsNationally = 40

// Suspicions per 10,000 aged 10-14 in the supported areas. V: VIVE, press release, September 2019: 15 per
// 1,000 in 2011 and 11 in 2017; they rose from 2011 to 2013 and then fell. The years between are A.
var suspicionRate = [years]int{143, 150, 157, 163, 148, 133, 121, 110}

// Mean age at first offence of the young "of other ethnic background", in hundredths of a year. V: Politiken,
// September 2019: 16.5 in 2011 and 17 in 2017; whether in the areas or everywhere is not said, and it is
// taken to be of non-Western origin in the areas. Landsbyggefonden: rising in both. The years between are A.
var firstOffenceAge = [years]int{1_645, 1_650, 1_658, 1_667, 1_675, 1_683, 1_692, 1_700}

// Of 13-17, those with a leisure job at the end of November, per 10,000. D: Statistics Denmark, 32.8 % in 2018
// and 1.4 points less in 2014. V: 38.2 % in 2008, 32.8 % in 2018. The other years follow, A.
var leisureJobPerTenThousand = [years]int{3_590, 3_440, 3_310, 3_210, 3_140, 3_160, 3_200, 3_240}

// Of 16-24, those neither in education nor in work at the end of November, per 10,000. V: Statistics Denmark,
// 10.5 % in 2015 and 10.2 % in 2016. The other years are A.
var neetPerTenThousand = [years]int{1_140, 1_130, 1_120, 1_100, 1_070, 1_050, 1_020, 1_000}

// Ninth grade. Those who took all examinations, per 10,000: every tenth did not in 2019 (V: Ministry of
// Education). Of them, at least 02 in Danish and mathematics: 8.6 % below, mean of 2016-19 (D: AE). Mean mark
// of boys and girls in tenths: 7.0 and 7.7 in 2017/18 (V: Ministry of Education). The register ends in 2017:
// that they held then, and how they came to it, is A.
var (
	examsPerTenThousand = [years]int{8_800, 8_820, 8_850, 8_880, 8_910, 8_940, 8_970, 9_000}
	markTenths          = [years][2]int{{64, 71}, {65, 72}, {66, 73}, {67, 74}, {68, 75}, {69, 76}, {69, 76}, {70, 77}}
)

const passedPerTenThousand = 9_140
