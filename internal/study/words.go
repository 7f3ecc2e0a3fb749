package study

// What the mapping of activities is split by.
type ActivityDimension string

const (
	// The theme of the activity.
	ActivityDimensionTheme ActivityDimension = "THEME"
	// The type of the activity.
	ActivityDimensionType ActivityDimension = "TYPE"
	// The area where it takes place.
	ActivityDimensionArea ActivityDimension = "AREA"
	// The plan it is part of.
	ActivityDimensionPlan ActivityDimension = "PLAN"
	// The calendar year: an activity stands in every year of the data set in which it was active on
	// some day (open where its start or end is not recorded); a participant in the year of the start
	// alone. A year in which somebody started stands even if no activity is recorded as active.
	ActivityDimensionYear ActivityDimension = "YEAR"
)

// What areas are ordered by.
type AreaOrderField string

const (
	// The area's name, in the Danish alphabet.
	AreaOrderFieldName AreaOrderField = "NAME"
	// The municipality's name, in the Danish alphabet.
	AreaOrderFieldMunicipality AreaOrderField = "MUNICIPALITY"
	// The residents of the latest year recorded; areas without stand last.
	AreaOrderFieldResidents AreaOrderField = "RESIDENTS"
)

// What cells are ordered by.
type CellOrderField string

const (
	// The codes' order in the contract, dimension by dimension.
	CellOrderFieldKey CellOrderField = "KEY"
	// The share; cells without a value stand last.
	CellOrderFieldValue CellOrderField = "VALUE"
	// The number of observations in the denominator.
	CellOrderFieldDenominator CellOrderField = "DENOMINATOR"
)

// How a gap is split.
type DecompositionMethod string

const (
	// Cell by cell (Kitagawa 1955), with cells of one cohort only in terms of their own; contributions after Das Gupta.
	DecompositionMethodKitagawa DecompositionMethod = "KITAGAWA"
	// By linear regressions of both cohorts (Oaxaca 1973, Blinder 1973), dummies normalised.
	DecompositionMethodOaxacaBlinder DecompositionMethod = "OAXACA_BLINDER"
	// By logits of both cohorts (Fairlie 2005); contributions with Yun's weights. Takes two components.
	DecompositionMethodFairlie DecompositionMethod = "FAIRLIE"
)

// At whose coefficients a difference of composition is valued.
type DecompositionReference string

const (
	// A regression over both cohorts with an indicator of the cohort (Jann 2008): the recommended default.
	DecompositionReferencePooled DecompositionReference = "POOLED"
	// A regression over both cohorts without the indicator (Neumark 1988); a difference between the
	// cohorts leaks into composition.
	DecompositionReferenceNeumark DecompositionReference = "NEUMARK"
	// This cohort's own.
	DecompositionReferenceThis DecompositionReference = "THIS"
	// The other cohort's.
	DecompositionReferenceOther DecompositionReference = "OTHER"
	// The mean of both (Reimers 1983).
	DecompositionReferenceMean DecompositionReference = "MEAN"
	// Weighted by the sizes of the cohorts (Cotton 1988).
	DecompositionReferenceSize DecompositionReference = "SIZE"
)

// The lists of the law.
type DesignationKind string

const (
	// On no list.
	DesignationKindNone DesignationKind = "NONE"
	// 2010 to 2017: the list that the law called ghettos.
	DesignationKindGhetto DesignationKind = "GHETTO"
	// From 2018: vulnerable housing area.
	DesignationKindVulnerable DesignationKind = "VULNERABLE"
	// From 2018: vulnerable, and more than half of non-Western origin.
	DesignationKindParallelSociety DesignationKind = "PARALLEL_SOCIETY"
	// From 2018: parallel society for five years, each judged by the same rule set.
	DesignationKindTransformation DesignationKind = "TRANSFORMATION"
	// From 2021: prevention area.
	DesignationKindPrevention DesignationKind = "PREVENTION"
)

// The direction of an order.
type Direction string

const (
	// Smallest, or first in the alphabet, first.
	DirectionAsc Direction = "ASC"
	// Largest, or last in the alphabet, first.
	DirectionDesc Direction = "DESC"
)

// How persons are protected in what is given out.
type DisclosureMethod string

const (
	// Figures are given as they are; for data in which no real person is.
	DisclosureMethodNone DisclosureMethod = "NONE"
	// Small cells, and those that would give them away, are left out.
	DisclosureMethodSuppression DisclosureMethod = "SUPPRESSION"
	// Every count is moved by a noise that depends on who is in it (the cell-key method).
	DisclosureMethodCellKey DisclosureMethod = "CELL_KEY"
)

// What has a planted effect.
type PlantedOf string

const (
	// Living in a supported area, the same in all of them.
	PlantedOfAreas PlantedOf = "AREAS"
	// Living in one supported area.
	PlantedOfArea PlantedOf = "AREA"
	// A plan, on those who live in its areas, from the year of its start on.
	PlantedOfPlans PlantedOf = "PLANS"
)

// What a planted effect is added to.
type PlantedScale string

const (
	// The probability.
	PlantedScaleProbability PlantedScale = "PROBABILITY"
	// The natural logarithm of the odds.
	PlantedScaleLogOdds PlantedScale = "LOG_ODDS"
)

// How those who took part are made comparable with the others. All but UNADJUSTED and
// DIFFERENCE_IN_DIFFERENCES need that nothing outside the covariates drives both taking part and
// the outcome.
type EffectMethod string

const (
	// The two means as they are. Wrong where those who take part differ beforehand, as they do.
	EffectMethodUnadjusted EffectMethod = "UNADJUSTED"
	// The others weighted by the odds e/(1-e) of their propensity, normalised (Hájek); the standard
	// error includes the propensity's estimation.
	EffectMethodIPW EffectMethod = "IPW"
	// Each who took part beside the others nearest in propensity, within the caliper, with
	// replacement; all that are equally near count, in equal parts.
	EffectMethodMatching EffectMethod = "MATCHING"
	// Within cells of equal covariates, numbers in bands: the others standardised to those who took
	// part. Whoever has no equal is left out, and counted.
	EffectMethodExactMatching EffectMethod = "EXACT_MATCHING"
	// What changed from before the start, beside the others approached in the same year, start by
	// start. Right if both would have changed alike; wrong where persons were picked for a passing
	// value before.
	EffectMethodDifferenceInDifferences EffectMethod = "DIFFERENCE_IN_DIFFERENCES"
	// A regression of the outcome and the propensity together (AIPW); right if either is.
	EffectMethodDoublyRobust EffectMethod = "DOUBLY_ROBUST"
	// The others weighted, as evenly as can be, to the same means of all covariates as those who took
	// part (Hainmueller 2012). Right if the propensity is a logit of them, or the outcome linear in them.
	EffectMethodEntropyBalancing EffectMethod = "ENTROPY_BALANCING"
)

// What a person did between two years. Counted means: in the cohort and in the indicator's
// denominator, with a known value.
type Flow string

const (
	// Counted there in both years.
	FlowStayed Flow = "STAYED"
	// Lived elsewhere in the earlier year, as the table records.
	FlowMovedIn Flow = "MOVED_IN"
	// Was not born in the earlier year. Told where the table records age in years.
	FlowBorn Flow = "BORN"
	// Was in the earlier year younger than the table goes, of a table that starts above age 0. Told as BORN is.
	FlowAgedIn Flow = "AGED_IN"
	// In no row of the earlier year and not known to be too young: from abroad, or from where the table
	// follows no persons.
	FlowNew Flow = "NEW"
	// Lives elsewhere in the later year, as the table records.
	FlowMovedOut Flow = "MOVED_OUT"
	// Is by the later year older than the table goes. Told where the table records age in years.
	FlowAgedOut Flow = "AGED_OUT"
	// In no row of the later year and not known to be too old: dead, abroad, or where the table follows no persons.
	FlowGone Flow = "GONE"
	// Lived there in both years, counted in the later only.
	FlowNewlyCounted Flow = "NEWLY_COUNTED"
	// Lived there in both years, counted in the earlier only.
	FlowNoLongerCounted Flow = "NO_LONGER_COUNTED"
)

// AllFlow are they, in order.
var AllFlow = []Flow{
	FlowStayed,
	FlowMovedIn,
	FlowBorn,
	FlowAgedIn,
	FlowNew,
	FlowMovedOut,
	FlowAgedOut,
	FlowGone,
	FlowNewlyCounted,
	FlowNoLongerCounted,
}

// The language of a label or a definition.
type Language string

const (
	// Danish.
	LanguageDa Language = "DA"
	// English.
	LanguageEn Language = "EN"
)

// The model of an adjusted gap.
type RegressionModel string

const (
	// Linear probability: the gap at equal controls, the same for everyone.
	RegressionModelLinear RegressionModel = "LINEAR"
	// Logistic: the mean over all observations of what being in this cohort changes in the
	// probability. In a category where all or none have the outcome that is 0, and its observations
	// count in the mean; a warning says how many they are.
	RegressionModelLogit RegressionModel = "LOGIT"
)

// Areas that those in which a plan started are compared with.
type PlanControls string

const (
	// Areas without a plan, and those where it starts later, until it does.
	PlanControlsNotYetStarted PlanControls = "NOT_YET_STARTED"
	// Areas without a plan alone.
	PlanControlsNeverStarted PlanControls = "NEVER_STARTED"
)

// The law's criteria as they stood.
type RuleSet string

const (
	// 2010 to 2013: at least two of three.
	RuleSetL2010 RuleSet = "L2010"
	// 2014 to 2017: at least three of five.
	RuleSetL2014 RuleSet = "L2014"
	// 2018 to 2020: vulnerable areas, parallel societies, transformation areas.
	RuleSetL2018 RuleSet = "L2018"
	// From 2021: the same, and prevention areas.
	RuleSetL2021 RuleSet = "L2021"
)

// The composition that both cohorts are brought to.
type StandardPopulation string

const (
	// That of the other cohort.
	StandardPopulationOther StandardPopulation = "OTHER"
	// That of this cohort.
	StandardPopulationThis StandardPopulation = "THIS"
	// That of both together.
	StandardPopulationBoth StandardPopulation = "BOTH"
)

// How a cohort is brought to another composition.
type StandardisationMethod string

const (
	// This cohort's rates in each cell, weighted like the standard.
	StandardisationMethodDirect StandardisationMethod = "DIRECT"
	// The other cohort's rates in each cell, applied to this cohort: observed over expected. Two such
	// figures must not be compared with each other.
	StandardisationMethodIndirect StandardisationMethod = "INDIRECT"
)

// Whether a figure is given as observed.
type Status string

const (
	// As it is in the data.
	StatusObserved Status = "OBSERVED"
	// Moved by noise that protects persons.
	StatusPerturbed Status = "PERTURBED"
	// Left out: too few persons.
	StatusSuppressedPrimary Status = "SUPPRESSED_PRIMARY"
	// Left out: it would give away another that is left out.
	StatusSuppressedSecondary Status = "SUPPRESSED_SECONDARY"
	// Nobody was observed: nobody in the denominator has a known value; of a comparison, nobody on one of its sides.
	StatusNoObservations Status = "NO_OBSERVATIONS"
	// Some were observed, but the figure cannot be made of them, e.g. a ratio to a share of 0; `warnings` says why.
	StatusUndefined Status = "UNDEFINED"
)

// What answers of the survey are split by.
type SurveyDimension string

const (
	// The theme the respondent answered for.
	SurveyDimensionTheme SurveyDimension = "THEME"
	// The aspect that the item is about.
	SurveyDimensionAspect SurveyDimension = "ASPECT"
	// The statement that was answered to.
	SurveyDimensionItem SurveyDimension = "ITEM"
	// The type of actor.
	SurveyDimensionActorType SurveyDimension = "ACTOR_TYPE"
)

// AllSurveyDimension are they, in order.
var AllSurveyDimension = []SurveyDimension{
	SurveyDimensionTheme,
	SurveyDimensionAspect,
	SurveyDimensionItem,
	SurveyDimensionActorType,
}

// What becomes of observations that have no known value of a dimension that is held equal: none
// recorded, or a code such as
// `UNKNOWN`. Not being in an area is no unknown AREA, nor is a parent who does not live with the
// child an unknown one. A
// warning says how many they are.
type UnknownValues string

const (
	// Unknown is a category of its own (missing-indicator method): everybody stays in, and those whose
	// value is not known are compared with each other, though they may differ in it.
	UnknownValuesOwnCategory UnknownValues = "OWN_CATEGORY"
	// Complete-case analysis: who has an unknown value of any of the dimensions is left out of every
	// figure of the answer, crude ones too. It speaks of the rest, and of everybody only if knowing
	// the values has nothing to do with the outcome.
	UnknownValuesCompleteCases UnknownValues = "COMPLETE_CASES"
)

// What a variable is used for.
type VariableRole string

const (
	// Splits cells.
	VariableRoleDimension VariableRole = "DIMENSION"
	// Yes or no; its share is asked for.
	VariableRoleIndicator VariableRole = "INDICATOR"
	// A number; its mean is asked for.
	VariableRoleMeasure VariableRole = "MEASURE"
	// What those who took part in an activity are compared on with the others, as it was before the
	// start: a category, where it has codes, a yes or no, or a number.
	VariableRoleCovariate VariableRole = "COVARIATE"
	// What an activity may change: a number where it has a unit, else a yes or no.
	VariableRoleOutcome VariableRole = "OUTCOME"
)
