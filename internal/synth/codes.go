package synth

// The contract's codes, in the order in which the generator numbers them.
var (
	Sexes   = []string{"MALE", "FEMALE"}
	Origins = []string{"DANISH", "IMMIGRANT_WESTERN", "DESCENDANT_WESTERN", "IMMIGRANT_NON_WESTERN",
		"DESCENDANT_NON_WESTERN"}
	FamilyTypes = []string{"BOTH_PARENTS", "MOTHER_AND_PARTNER", "MOTHER_ALONE", "FATHER_AND_PARTNER", "FATHER_ALONE",
		"NEITHER"}
	ParentsStatuses = []string{"BOTH_ACTIVE", "ONE_ACTIVE", "NONE_ACTIVE", "UNKNOWN"}
	WorkStatuses    = []string{"EMPLOYED", "IN_EDUCATION", "NEITHER", "UNKNOWN"}
	Educations      = []string{"BASIC", "UPPER_SECONDARY", "VOCATIONAL", "SHORT_OR_MEDIUM", "LONG", "UNKNOWN"}
	DayCareTypes    = []string{"NONE", "CHILDMINDER", "NURSERY", "KINDERGARTEN", "INTEGRATED"}
	IncomeGroups    = []string{"Q1", "Q2", "Q3", "Q4", "Q5"}
	AgeGroups       = []string{"AGE_0_6", "AGE_7_9", "AGE_10_12", "AGE_13_14", "AGE_15_17", "AGE_18_24", "AGE_25_29",
		"AGE_30_59", "AGE_60_64", "AGE_65_PLUS"}
	Schoolings = []string{"BASIC_ONLY", "MORE", "UNKNOWN"}
)

// Municipalities are the codes of the 98.
var Municipalities = func() (codes []string) {
	for _, m := range municipalities {
		codes = append(codes, m.code)
	}
	return codes
}()
