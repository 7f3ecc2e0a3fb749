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
