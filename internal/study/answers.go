package study

import "github.com/kvarter/kvarter/internal/stats"

// A gap before and after adjustment. An adjusted gap of 0 does not prove that areas have no effect:
// families choose areas, and controls may carry an area's effect.
type AdjustedGap struct {
	// The model.
	Model RegressionModel
	// Share of this cohort minus share of the other, as they are.
	Crude *Estimate
	// The gap with the controls held equal, as a difference of shares.
	Adjusted *Estimate
	// The adjusted odds ratio; null for the linear model.
	OddsRatio *Estimate
	// p value of no adjusted gap, by the method of its interval.
	PValue *float64
	// Observations that the adjusted gap is the mean over; one that both cohorts contain counts once.
	Observations int
	// Number of clusters that the standard errors allow for; null without `clusterBy`.
	Clusters *int
	// Share of the observations in cells of the controls that both cohorts have; for the others the model extrapolates.
	Support *Estimate
	// The coefficients of the model; those of a dimension are relative to its first category with observations.
	Coefficients []*Coefficient
	// What a careful reader should know.
	Warnings []string

	gap *stats.AdjustedGap
}

// A set of areas in a year.
type AreaSet struct {
	// Areas of the set.
	Areas int
	// Those of them in which the cohort has observations that year.
	Observed int
	// The share, or the mean, over all observations of the set. Without observations `status` is NO_OBSERVATIONS.
	Estimate *Estimate
}

// The shortfall of an area.
type AreaShortfall struct {
	// The area.
	Area *Area
	// Its shortfall.
	Shortfall *Shortfall
}

// The variation between areas on the scale of log odds.
type AreaVariation struct {
	// Variance of the areas' effects.
	Variance *Estimate
	// Median odds ratio: between like persons of two areas, the one with the higher odds over the
	// other, at the median of pairs. 1 is no difference.
	MedianOddsRatio *Estimate
	// Share of the latent variation that lies between areas, 0 to 1.
	Share *float64
	// p value of no variation between areas.
	PValue *float64
	// The number of areas.
	Areas int
	// What a careful reader should know.
	Warnings []string
}

// An area's key figures in a year, as its source gives them; null where it gives none. Percentages are from 0 to 100.
type AreaYear struct {
	// The calendar year.
	Year int
	// Residents of every age.
	Residents *int
	// Children aged 0-6.
	Children *int
	// Percent of the residents who are immigrants or descendants from non-Western countries.
	NonWestern *float64
	// Percent of those aged 18-64 outside the labour market and education.
	OutsideWorkAndEducation *float64
	// Percent of those aged 18 and over convicted.
	Convicted *float64
	// Percent of those aged 30-59 with basic schooling at most.
	BasicSchoolingOnly *float64
	// Mean gross income of those aged 15-64 not in education, in percent of the region's.
	IncomeRatio *float64
	// Was the area on the ministry's list of that year? Null if not recorded.
	OnOfficialList *bool
	// Where the figures come from.
	Source string
}

// The variation between areas before and after adjustment for who lives there.
type BetweenAreas struct {
	// How it was estimated.
	Method string
	// Without controls.
	Before *AreaVariation
	// With the controls held equal.
	After *AreaVariation
	// Share of the variance that goes away with adjustment; negative if it grows. Null if there was none.
	Explained *float64
}

// One cell of a breakdown, a distribution or a trend.
type Cell struct {
	// Which cell it is.
	Key map[string]any
	// Its figure.
	Estimate *Estimate
}

// A coefficient of a regression.
type Coefficient struct {
	// What it belongs to, e.g. `ORIGIN: NON_WESTERN`.
	Term string
	// On the scale of the model: shares, or log odds.
	Estimate *Estimate
}

// What a dimension, or one of its categories, adds to the parts.
type Contribution struct {
	// The dimension.
	Dimension string
	// The category's code; null for the whole dimension.
	Code *string
	// Its part of composition; over the dimensions these sum to the composition part.
	Composition *Estimate
	// Its part of rate. With KITAGAWA it sums to the rate part over the categories of each dimension,
	// since no dimension owns it.
	Rate *Estimate
}

// A number of observations.
type Count struct {
	// Null when suppressed.
	Value *int
	// Whether the number is given as observed.
	Status Status
}

// The snapshot that every answer comes from.
type Dataset struct {
	// A short name, e.g. `default`.
	Name string
	// What it is called in full.
	Title string
	// True if no real person is in it. Figures from a synthetic data set say nothing about Denmark
	// that was not put into it.
	Synthetic bool
	// SHA-256 over the logical content: two data sets with the same fingerprint give the same answers.
	Fingerprint string
	// The years that any table has, in order.
	Years []int
	// The tables that are there, with their number of rows and their fingerprints.
	Rows []*TableRows
	// Where the data come from.
	Sources []*Source
	// How persons are protected in what is given out.
	Disclosure *DisclosurePolicy
	// What one request may cost.
	Limits *Limits
	// How to cite the data set.
	Citation string
	// The licence of the data set.
	Licence string
	// The effects of areas and plans that a synthetic register was drawn with, those promised to be none
	// included. Empty for other data sets.
	Planted []*PlantedEffect
}

// An effect that a synthetic register was drawn with.
type PlantedEffect struct {
	// The indicator that it is an effect on.
	Indicator string
	// What has the effect.
	Of PlantedOf
	// Among whom: ages, of those who live in a supported area.
	Among string
	// The id of the area; nil unless it is the effect of one.
	Area *string
	// Of plans: years since the start of the area's first plan; the last one listed holds from then on.
	YearsSinceStart *int
	// What the size is added to.
	Scale PlantedScale
	// The size: of a probability 0.01 is a percentage point.
	Size float64
	// Of one area: the standard deviation that the sizes of all areas were drawn with, around 0; else nil.
	Deviation *float64
}

// What one request may cost. A request over a limit is refused with its cost and the limit; nothing
// is cut short silently.
type Limits struct {
	// Largest complexity of a document: 1 for a field, more for lists by their length and for fields that ask the store.
	Complexity int
	// Largest depth of a document.
	Depth int
	// Largest number of cells of one breakdown.
	Cells int
	// Longest time of one request, in milliseconds.
	TimeoutMs int
	// Largest number of tokens of a document.
	Tokens int
	// Largest request body, in bytes.
	Bytes int
}

// How persons are protected in what is given out.
type DisclosurePolicy struct {
	// The method.
	Method DisclosureMethod
	// Counts from 1 to below this are not given out; 0: all are.
	MinimumCell int
	// Counts are rounded to this; null: they are not.
	RoundingBase *int
}

// A table of the data contract and its size.
type TableRows struct {
	// The table's name in the contract, e.g. `child_year`.
	Table string
	// Rows of the table; a row of a cross-tab counts once.
	Rows int
	// SHA-256 over the logical content of the table; null of a data set made before it was kept.
	Fingerprint *string
}

// A publication or register that figures come from.
type Source struct {
	// Its title.
	Title string
	// Who published it.
	Publisher string
	// Where it was found, if it is on the web.
	URL *string
	// When it was read there.
	Accessed *Date
	// Its licence, if stated.
	Licence *string
}

// A gap split into parts: gap = composition + rate + interaction (of three components) + outOfSupport.
type Decomposition struct {
	// The method.
	Method DecompositionMethod
	// Share of this cohort minus share of the other.
	Gap *Estimate
	// The part that is due to who lives there.
	Composition *Estimate
	// The part that remains when composition is held equal: the area, or what was not measured.
	Rate *Estimate
	// What composition and rate do together. Null with two components.
	Interaction *Estimate
	// What observations in cells or categories of one cohort only add to the gap; they are in no other part.
	OutOfSupport *Estimate
	// How the parts split over the dimensions (code null), and over the categories of each.
	Contributions []*Contribution
	// Share of both cohorts in cells that occur in both; the decomposition speaks for these alone.
	CommonSupport *Estimate
	// What a careful reader should know.
	Warnings []string
}

// What the criteria say of an area in a year. It is computed from the key figures;
// `AreaYear.onOfficialList` is what the ministry decided.
type Designation struct {
	// The area.
	Area *Area
	// The year whose figures are used.
	Year int
	// The rule set applied.
	RuleSet RuleSet
	// The lists it would be on; NONE alone if it is certainly on none. Empty where that depends on a
	// figure that is missing: see `undecided`.
	Kinds []DesignationKind
	// The lists of which it cannot be told, since a figure that would decide is missing.
	Undecided []DesignationKind
	// Each criterion with its figure and threshold.
	Criteria []*Criterion
	// What a careful reader should know, e.g. a figure that is missing.
	Warnings []string
}

// An indicator or a measure year by year, with the set of areas fixed and as it was.
type Development struct {
	// The year whose plans make the fixed set.
	FixedIn int
	// The fixed set: the areas with a plan active in that year, in the order of their names.
	FixedAreas []*Area
	// The years that the cohort has, in order.
	Years []*DevelopmentYear
	// What a careful reader should know.
	Warnings []string
}

// One year of a development. The sets overlap: both sets of areas are part of the population.
type DevelopmentYear struct {
	// The calendar year.
	Year int
	// The areas of the fixed set.
	Fixed *AreaSet
	// The areas with a plan active this year.
	AsTheyWere *AreaSet
	// Everyone outside the fixed set.
	OutsideFixed *Estimate
	// Everyone outside the areas with a plan active this year.
	OutsideAsTheyWere *Estimate
	// Everyone, the areas included.
	Population *Estimate
}

// How strong something unrecorded would have to be to explain the effect away: the risk ratio it
// would need with taking part and with the outcome, both, given the covariates (VanderWeele and
// Ding 2017). 1: nothing is needed.
type EValue struct {
	// For the effect itself.
	Point *float64
	// For the end of the interval that is nearer to no effect; 1 if the interval holds no effect.
	Limit *float64
}

// An estimated effect, with what is needed to judge it.
type EffectEstimate struct {
	// The type of activity.
	Type string
	// The outcome.
	Outcome string
	// The method.
	Method EffectMethod
	// Whose effect it is, in words.
	Estimand string
	// The unit of the effect and of the means: `share` (0 to 1), or that of the outcome, e.g. percent.
	Unit string
	// The effect: with the activity minus without it.
	Effect *Estimate
	// The mean outcome of those who took part. Null with DIFFERENCE_IN_DIFFERENCES.
	WithActivity *Estimate
	// What it would have been without the activity, as the method estimates it. Null with DIFFERENCE_IN_DIFFERENCES.
	WithoutActivity *Estimate
	// withActivity over withoutActivity, with an interval on the log scale. Null for an outcome that
	// is a number, and with DIFFERENCE_IN_DIFFERENCES.
	Ratio *Estimate
	// Those who took part and are used.
	Treated *Count
	// The others who are used.
	Controls *Count
	// Those who took part and are left out, for want of anyone comparable; they are not in the effect.
	Unmatched *Count
	// The others who are left out, for want of anyone comparable among those who took part.
	UnmatchedControls *Count
	// Persons left out by `trim`, of both kinds.
	Trimmed *Count
	// Persons whose outcome is not recorded, e.g. for their age; they are in no other figure.
	Unknown *Count
	// Effective number of those who took part, (Σw)²/Σw². Null without weights.
	EffectiveTreated *float64
	// Effective number of the others, (Σw)²/Σw². Null without weights.
	EffectiveControls *float64
	// Largest share of the weight of one side that one person has. Null without weights.
	LargestWeight *float64
	// Share of all persons whose propensity is outside 0.1 to 0.9, before any trimming. Null without a propensity.
	OutsideOverlap *float64
	// The covariates before and after weighting or matching.
	Balance []*Balance
	// Persons by propensity, in ten bins. Empty without a propensity.
	Overlap []*OverlapBin
	// Sensitivity to what was not recorded. Null where there is no ratio to take it of, and with
	// DIFFERENCE_IN_DIFFERENCES.
	EValue *EValue
	// Number of clusters, which are areas, that the standard errors allow for. Null where they do not.
	Clusters *int
	// How much those who took part differed from the others in the outcome itself before the start, in
	// standard deviations of the participants as in `balance`. Far from 0 DIFFERENCE_IN_DIFFERENCES is
	// wrong where participants were picked for it. Null where it is not recorded.
	DifferenceBefore *Estimate
	// DIFFERENCE_IN_DIFFERENCES: participants minus others before the start. Null for the other methods.
	GapBefore *Estimate
	// DIFFERENCE_IN_DIFFERENCES: participants minus others after it. Null for the other methods.
	GapAfter *Estimate
	// DIFFERENCE_IN_DIFFERENCES: the effect by year of start. Empty for the other methods.
	Starts []*StartEffect
	// What a careful reader should know.
	Warnings []string
}

// Two one-sided tests of whether a gap lies within a margin (Schuirmann 1987). Not equivalent is no
// proof of a difference.
type EquivalenceTest struct {
	// The gap with the interval of level 1 - 2α, α = 1 - level: the gap is equivalent when it lies inside the margin.
	Gap *Estimate
	// The margin, either way.
	Margin float64
	// The larger of the two one-sided p values. Null where the tests cannot be made.
	PValue *float64
	// Does the interval of `gap` lie inside the margin? That is, is pValue below α? Null where the
	// tests cannot be made: neither shown nor refuted.
	Equivalent *bool
}

// A figure with its uncertainty.
type Estimate struct {
	// A share is from 0 to 1. Null when suppressed, when nobody was observed, or when the figure is
	// undefined; `status` says which.
	Value *float64
	// Lower end of the interval. Null where there is none: `warnings` then says why. Where nothing
	// varies, as with nine answers of 4, the data do not tell how far off a mean is; a share has an
	// interval all the same.
	Lower *float64
	// Upper end of the interval. Null where there is none, as `lower`.
	Upper *float64
	// Confidence level of the interval, e.g. 0.95.
	Level float64
	// Standard error of the value. Null where there is none, as of a share of 0 or 1, whose interval
	// does not need it; 0 only of what is true by construction.
	StandardError *float64
	// How many have the characteristic; of a gap, a ratio and what is made of a gap alone, how many of
	// this cohort. Null for means and other derived figures.
	Numerator *int
	// How many it was asked of: those in the indicator's denominator whose value is known.
	Denominator *int
	// How many are in the indicator's denominator with an unknown value.
	Unknown *int
	// Whether the figure is given as observed.
	Status Status
	// How the interval was made and what it assumes, e.g. `Wilson score`.
	Method string
	// What a careful reader should know: few observations, empty cells dropped, no overlap.
	Warnings []string
}

// Answers summarised. Shares of levels are of the answers from 1 to 5; no answer and don't know are
// outside their denominator.
// Answers are weighted by the survey's weights, and intervals count respondents, not answers: those
// of one respondent are alike.
type LikertSummary struct {
	// The theme, if split by THEME.
	Theme *string
	// The aspect, if split by ASPECT.
	Aspect *string
	// The item, if split by ITEM.
	Item *string
	// The type of actor, if split by ACTOR_TYPE.
	ActorType *string
	// Whether the group is shown. If it is hidden, so are all its figures.
	Status Status
	// Respondents with an answer from 1 to 5. Null if hidden.
	Respondents *int
	// The levels of the scale, lowest first.
	Answers []*LikertAnswer
	// The two highest levels.
	Positive *Estimate
	// The two lowest levels.
	Negative *Estimate
	// `positive` minus `negative`, from -1 to 1.
	Net *Estimate
	// The mean level, from 1 to 5. The scale is ordinal: the mean takes its steps as equally long,
	// which nobody knows, so read it for ranking alone.
	Mean *Estimate
	// Those who gave no answer, of all that were asked.
	NonResponse *Estimate
	// Those who answered that they do not know, of all that were asked.
	DontKnow *Estimate
	// What a careful reader should know.
	Warnings []string
}

// The observations that two cohorts have in common.
type Overlap struct {
	// How many they are.
	Observations int
	// Their share of this cohort, 0 to 1. Null if the cohort is empty.
	ShareOfThis *float64
	// Their share of the other cohort, 0 to 1. Null if the cohort is empty.
	ShareOfOther *float64
}

// Persons with a propensity from `from` to below `to`; the last bin includes 1.
type OverlapBin struct {
	// The least propensity.
	From float64
	// The propensity below which it ends.
	To float64
	// Those who took part.
	Treated *Count
	// The others.
	Controls *Count
}

// Positive answers of one group beside those of another.
type PerceivedDifference struct {
	// The share of positive answers in `group` minus that in `against`, with Newcombe's hybrid score interval.
	Difference *Estimate
	// The first group.
	Group *LikertSummary
	// The second group.
	Against *LikertSummary
}

// How many of those an activity is meant for were reached: persons who started in a year beside the
// residents of the target
// age (`ageMin` to `ageMax`) of the same area in the same year, summed over the areas and years of the row.
//
// The years are those in which an activity of the row was active in the area, the area's residents
// are recorded, and starts
// are recorded at all (from the first to the last year of start in the data set); a year counts
// whole. A resident whose age
// suits several activities counts once a year, and so does a person who started several. The target
// age is the age alone:
// an activity for women counts the men of the age too. An open target age includes everybody on that side.
//
// Residents are recorded by age group. Where a target age cuts a group, `residentsLeast` leaves the whole group out,
// `residentsMost` takes all of it, and `residents` takes its residents as evenly spread over its
// ages, which is ASSUMED and
// said in `warnings`.
type Reach struct {
	// `participants` over `residents`, from 0: a share of the residents who started per year. Null if
	// there are none, or if a target age cuts the oldest group, which has no end.
	Value *float64
	// The least it can be, with `residentsMost`. No confidence interval: everybody is counted.
	Least *float64
	// The most it can be, with `residentsLeast`. Null if no age group lies wholly within the target age.
	Most *float64
	// Persons who started, once per area and year, in the years and areas that `residents` are of.
	Participants int
	// Residents of the target age, summed over the years: a person counts once a year. Null where
	// `value` is for its second reason.
	Residents *float64
	// Those of the age groups that lie wholly within the target age.
	ResidentsLeast int
	// Those of every age group that the target age touches.
	ResidentsMost int
	// OBSERVED, or NO_OBSERVATIONS where no year has both starts and residents recorded.
	Status Status
	// What a careful reader should know: the age groups that were cut, areas and years without residents.
	Warnings []string
}

// How unevenly two cohorts are spread over units.
type Segregation struct {
	// Dissimilarity index D, 0 to 1: the share of either cohort that would have to move for both to be spread alike.
	Dissimilarity *Estimate
	// D if persons were placed at random in units of these sizes: small units inflate it.
	ExpectedDissimilarity *float64
	// Isolation index, 0 to 1: this cohort's share in the unit of a typical member of it.
	Isolation *Estimate
	// Interaction index, 0 to 1: the other cohort's share there.
	Interaction *Estimate
	// Theil's information theory index H, 0 to 1.
	Theil *float64
	// Units with anybody in them.
	Units int
	// What a careful reader should know.
	Warnings []string
}

// How many observations are missing, as numbers of observations; negative where there are more than asked for.
type Shortfall struct {
	// The share as it is: `denominator` observations with a known value, of whom `numerator` have the
	// indicator. Those whose value is unknown are in no figure of a shortfall.
	Observed *Estimate
	// The share that would be expected from composition alone: the other's rates in each cell, weighted as here.
	Expected *Estimate
	// How many more would reach the other's share: denominator times minus the gap. Its interval is that of the gap.
	ToStandard *Estimate
	// How many more would reach the share expected from composition alone: what the composition does
	// not account for. Delta method, composition random.
	ToExpected *Estimate
	// How many of `toStandard` composition alone accounts for.
	Composition *Estimate
	// What a careful reader should know: cells that the other cohort does not have are left out of
	// `expected`, `toExpected` and `composition`.
	Warnings []string
}

// Shortfalls by area and in all.
type Shortfalls struct {
	// The share of the other cohort: what is to be reached.
	Standard *Estimate
	// This cohort as a whole, whatever is outside the areas included.
	Total *Shortfall
	// Each area in which this cohort has observations in the denominator, in the order of the areas' names.
	Areas []*AreaShortfall
	// What a careful reader should know.
	Warnings []string
}

// A share at another composition.
type Standardisation struct {
	// The share of this cohort as it is.
	Crude *Estimate
	// The share of this cohort at the standard's composition; INDIRECT: the ratio times the other's share.
	Standardised *Estimate
	// The share of the other cohort at the standard's composition.
	Other *Estimate
	// The standardised shares: this minus the other.
	Gap *Estimate
	// The standardised shares: this over the other; INDIRECT: observed over expected.
	Ratio *Estimate
	// Share of this cohort's observations in cells that both cohorts have; the others are left out.
	Support *Estimate
	// What a careful reader should know.
	Warnings []string
}

// What changed among those who started in a year, beside the others approached in the same year.
type StartEffect struct {
	// The year of start.
	Start int
	// Those who started.
	Treated *Count
	// The others.
	Controls *Count
	// What changed more.
	Effect *Estimate
	// Participants minus others before the start.
	GapBefore *Estimate
	// Participants minus others after it.
	GapAfter *Estimate
}

// A change in a share between two years, split by who stayed, came and went. Persons are taken as independent of each
// other; that stayers are the same persons in both years is in every interval (delta method).
// Swapping the years turns every
// sign, and arrivals into leavers.
type Turnover struct {
	// The earlier year.
	From int
	// The later year.
	To int
	// The share in the earlier year, with Wilson's interval.
	Before *Estimate
	// The share in the later year, with Wilson's interval.
	After *Estimate
	// `after` minus `before`. Its interval knows that stayers are in both.
	Change *Estimate
	// The change in the share among stayers: persons counted there in both years. Null without
	// stayers, as are then all parts.
	Stayers *Estimate
	// What persons add who lived there in the later year only.
	Arrivals *Estimate
	// What persons add who lived there in the earlier year only. Leavers who had the indicator more
	// often than stayers lower the share by leaving.
	Leavers *Estimate
	// What persons add who lived there in both years and were counted in one: they reached or passed
	// the ages that the indicator or the filter asks of, changed in what the filter asks of, or their
	// value is known in one year only.
	Recounted *Estimate
	// Stayers who came to have the indicator.
	Gained int
	// Stayers who ceased to have it.
	Lost int
	// Everyone counted in either year, group by group, in the order of the enum; groups without persons are left out.
	Groups []*TurnoverGroup
	// What a careful reader should know.
	Warnings []string
}

// Persons who moved, or did not, in the same way between two years.
type TurnoverGroup struct {
	// What they did.
	Flow Flow
	// How many they are.
	Persons int
	// Their share in the earlier year; null for those not counted then.
	Before *Estimate
	// Their share in the later year; null for those not counted then.
	After *Estimate
	// What they add to the change. Over the groups these sum to the change.
	Part *Estimate
}

// Integers from `from` to `to`, both included. An end that is left out is open.
type IntRange struct {
	// The smallest integer, included; open if left out.
	From *int
	// The largest integer, included; open if left out.
	To *int
}

// Every field narrows the list; a list means any of its values; an empty list is an error.
type ActivityFilter struct {
	// Activities of these themes.
	Theme []string
	// Activities of these types.
	Type []string
	// Activities in one of these areas.
	Area []string
	// Activities of one of these plans.
	Plan []string
	// Activities active on some day of this year; an activity without a start or an end is open there.
	// It chooses activities, and all their participants: split by YEAR for those who started then.
	ActiveIn *int
}

// Every field narrows the list.
type AreaFilter struct {
	// Areas with one of these ids.
	Ids []string
	// Areas whose name contains this, whatever the case.
	NameContains *string
	// Areas in one of these municipalities: ids or official codes.
	Municipality []string
	// Areas in one of these regions: names or codes.
	Region []string
	// Areas that are, or are not, under a social housing plan.
	Supported *bool
	// Areas on the ministry's list of this year.
	OnOfficialListIn *int
}

// The order of areas. Areas that are equal in it stand in the order of their ids.
type AreaOrder struct {
	// What to order by.
	Field AreaOrderField
	// The direction.
	Direction Direction
}

// Every field narrows the list.
type PlanFilter struct {
	// Plans that cover one of these areas.
	Area []string
	// Plans active on some day of this year; a plan without a start or an end is open there.
	ActiveIn *int
}

// Every field narrows the answers; a list means any of its values; an empty list is an error.
type SurveyFilter struct {
	// Answers for these themes.
	Theme []string
	// Answers on these aspects.
	Aspect []string
	// Answers to these items, worded as in the data.
	Item []string
	// Answers of these types of actor, worded as in the data.
	ActorType []string
}

// The order of cells. Cells that are equal in it stand in the order of their keys.
type CellOrder struct {
	// What to order by.
	Field CellOrderField
	// The direction.
	Direction Direction
}
