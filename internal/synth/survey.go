package synth

// answer is a row of actor_survey.
type answer struct {
	respondent         int32
	actor, theme       uint8
	aspect             uint8
	item               string
	answer             int32 // 1-5, 9 don't know, NullInt none
	weightTenThousands int32
}

// survey draws the actors' answers: each answers for the theme it works with. Their number does
// not follow the world's scale.
func (w *world) survey() {
	s := newStream(w.seed, "survey", 0)
	for r := range respondents {
		actor, theme := s.pick(actorWeights), s.below(len(themeCodes))
		leaning := s.normal() * respondentSpread / 1000
		weight := 7_000 + s.below(6_001)
		for aspect, items := range surveyItems {
			for _, item := range items {
				a := answer{respondent: int32(r + 1), actor: uint8(actor), theme: uint8(theme), aspect: uint8(aspect), item: item,
					weightTenThousands: int32(weight)}
				value := surveyMean[theme][aspect] + leaning + s.normal()*900/1000
				switch u := s.below(million); {
				case u < noAnswerPPM:
					a.answer = NullInt
				case u < noAnswerPPM+doNotKnowPPM:
					a.answer = 9
				default:
					a.answer = int32(min(5, max(1, (value+500)/1000)))
				}
				w.answers = append(w.answers, a)
			}
		}
	}
}
