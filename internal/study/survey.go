package study

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// smallestSurveyGroup is the number of respondents with an answer below which a group is hidden:
// the usual threshold of Danish research practice for what may leave a register.
const smallestSurveyGroup = 5

// surveyScale is the scale of the survey: 1 to 5 with 9 for don't know, the two highest positive.
func surveyScale(ctx context.Context, level float64) stats.LikertOptions {
	return stats.LikertOptions{Level: level, Levels: 5, DontKnow: 9, Positive: 2, Minimum: smallestSurveyGroup,
		Stop: ctx.Err}
}

// levelLabels name the levels of the scale. The contract defines the ends; the study's own words
// were not found.
var levelLabels = []contract.Text{{DA: "1 (mindst effekt)", EN: "1 (smallest effect)"}, {DA: "2", EN: "2"},
	{DA: "3", EN: "3"}, {DA: "4", EN: "4"}, {DA: "5 (størst effekt)", EN: "5 (largest effect)"}}

// surveyed holds the answers of the survey with what may be asked of them.
type surveyed struct {
	answers           []response
	items, actorTypes []string // by the alphabet
}

func (s *Study) surveyed(table *cells.Table) *surveyed {
	answers := s.responses(table)
	out := &surveyed{answers: answers}
	for _, a := range answers {
		out.items, out.actorTypes = append(out.items, a.Item), append(out.actorTypes, a.ActorType)
	}
	for _, list := range []*[]string{&out.items, &out.actorTypes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
		sortDanish(*list)
	}
	return out
}

// response is a respondent's answers of one code to an item.
type response struct {
	Theme, Aspect    string // their codes
	Item, ActorType  string
	Respondent, Code int // 1 and up, no id; a level, 9 don't know, 0 no answer
	N                int64
	Weight           float64 // sum of the weights of the N answers
}

func (s *Study) responses(table *cells.Table) []response {
	themes, aspects := s.Contract.Codelist("theme").Codes, s.Contract.Codelist("aspect").Codes
	out := make([]response, len(table.Cells))
	for i, c := range table.Cells {
		k := c.Key
		out[i] = response{Theme: themes[k[1]].Code, Aspect: aspects[k[2]].Code, Item: table.Keys[3].Values[k[3]],
			ActorType:  table.Keys[4].Values[k[4]],
			Respondent: int(k[0]), Code: int(k[5]), N: c.N.Value, Weight: c.Weight}
	}
	return out
}

// check returns an error for a filter that nothing can match.
func (s *surveyed) check(where *SurveyFilter) error {
	for _, err := range []error{notEmpty("theme", where.Theme), notEmpty("aspect", where.Aspect),
		notEmpty("item", where.Item), notEmpty("actorType", where.ActorType)} {
		if err != nil {
			return err
		}
	}
	for _, item := range where.Item {
		if !slices.Contains(s.items, item) {
			return fault.NotFoundf("no item %q in the survey%s", item, fault.Suggest(item, s.items))
		}
	}
	for _, actor := range where.ActorType {
		if !slices.Contains(s.actorTypes, actor) {
			return fault.NotFoundf("no type of actor %q in the survey%s", actor, fault.Suggest(actor, s.actorTypes))
		}
	}
	return nil
}

// about reports whether the answer is on the aspects and items of the filter.
func about(a response, where *SurveyFilter) bool {
	return (where.Aspect == nil || slices.Contains(where.Aspect, a.Aspect)) &&
		(where.Item == nil || slices.Contains(where.Item, a.Item))
}

// from reports whether the answer is from the themes and the types of actor of the filter.
func from(a response, where *SurveyFilter) bool {
	return (where.Theme == nil || slices.Contains(where.Theme, a.Theme)) &&
		(where.ActorType == nil || slices.Contains(where.ActorType, a.ActorType))
}

// PerceivedOf asks how actors in the field see the effect, by the dimensions.
type PerceivedOf struct {
	By    []SurveyDimension
	Where *SurveyFilter // nil: all answers
	Level float64
}

func (q PerceivedOf) needs(*Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	return []need{{query: cells.Responses{}}}, once(q.By)
}

func (q PerceivedOf) answer(ctx context.Context, r *Request, tables []*cells.Table) ([]*LikertSummary, error) {
	by, where, level := q.By, q.Where, q.Level
	s := r.surveyed(tables[0])
	if where == nil {
		where = &SurveyFilter{}
	}
	if err := s.check(where); err != nil {
		return nil, err
	}
	var groups []stats.LikertGroup
	var firsts []response
	place := map[string]int{}
	// What is hidden must not depend on the order that is asked for, or two orders would tell it.
	fixed := slices.DeleteFunc(slices.Clone(AllSurveyDimension),
		func(d SurveyDimension) bool { return !slices.Contains(by, d) })
	if len(by) == 0 {
		groups, firsts, place[fmt.Sprint([]int(nil))] = []stats.LikertGroup{{}}, []response{{}}, 0
	}
	for _, a := range s.answers {
		if !about(a, where) || !from(a, where) {
			continue
		}
		key := r.surveyKey(s, fixed, a)
		name := fmt.Sprint(key)
		i, ok := place[name]
		if !ok {
			i = len(groups)
			place[name] = i
			groups, firsts = append(groups, stats.LikertGroup{Key: key}), append(firsts, a)
		}
		groups[i].Answers = append(groups[i].Answers, likertAnswer(a))
	}
	scales, err := stats.LikertTable(groups, surveyScale(ctx, level))
	if err != nil {
		return nil, err
	}
	order := make([]int, len(groups))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return slices.Compare(r.surveyKey(s, by, firsts[i]), r.surveyKey(s, by, firsts[j]))
	})
	out := []*LikertSummary{}
	for _, i := range order {
		m := likertSummary(scales[i])
		for _, d := range by {
			switch d {
			case SurveyDimensionTheme:
				m.Theme = &firsts[i].Theme
			case SurveyDimensionAspect:
				m.Aspect = &firsts[i].Aspect
			case SurveyDimensionItem:
				m.Item = &firsts[i].Item
			case SurveyDimensionActorType:
				m.ActorType = &firsts[i].ActorType
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// surveyKey gives the places of an answer's codes.
func (r *Request) surveyKey(s *surveyed, by []SurveyDimension, a response) []int {
	var key []int
	for _, d := range by {
		switch d {
		case SurveyDimensionTheme:
			key = append(key, r.Contract.Codelist("theme").Position(a.Theme))
		case SurveyDimensionAspect:
			key = append(key, r.Contract.Codelist("aspect").Position(a.Aspect))
		case SurveyDimensionItem:
			key = append(key, slices.Index(s.items, a.Item))
		case SurveyDimensionActorType:
			key = append(key, slices.Index(s.actorTypes, a.ActorType))
		}
	}
	return key
}

func likertAnswer(a response) stats.Answer {
	return stats.Answer{Code: a.Code, Respondent: a.Respondent, N: float64(a.N), Weight: a.Weight}
}

// PerceivedDifferenceOf asks how two groups of respondents differ.
type PerceivedDifferenceOf struct {
	Group, Against *SurveyFilter // Against nil: the others
	Level          float64
}

func (q PerceivedDifferenceOf) needs(*Study) ([]need, error) {
	return []need{{query: cells.Responses{}}}, stats.CheckLevel(q.Level)
}

func (q PerceivedDifferenceOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*PerceivedDifference,
	error) {
	group, against, level := q.Group, q.Against, q.Level
	s := r.surveyed(tables[0])
	if err := s.check(group); err != nil {
		return nil, err
	}
	others := against == nil
	if others {
		if group.Theme == nil && group.ActorType == nil {
			return nil, fault.Invalidf("group names no theme and no type of actor, so there are no others to compare with; " +
				"name one, or give `against`")
		}
		against = &SurveyFilter{Aspect: group.Aspect, Item: group.Item}
	}
	if err := s.check(against); err != nil {
		return nil, err
	}
	groups := []stats.LikertGroup{{Key: []int{0}}, {Key: []int{1}}}
	in := [2]map[int]bool{{}, {}}
	for _, a := range s.answers {
		if about(a, group) && from(a, group) {
			groups[0].Answers = append(groups[0].Answers, likertAnswer(a))
			in[0][a.Respondent] = true
		}
		if about(a, against) && from(a, against) && !(others && from(a, group)) {
			groups[1].Answers = append(groups[1].Answers, likertAnswer(a))
			in[1][a.Respondent] = true
		}
	}
	both := 0
	for respondent := range in[0] {
		if in[1][respondent] {
			both++
		}
	}
	if both > 0 {
		return nil, fault.Invalidf("%d respondents are in both groups; compare groups of different respondents, such as "+
			"two themes or two types of actor", both)
	}
	scales, err := stats.LikertTable(groups, surveyScale(ctx, level))
	if err != nil {
		return nil, err
	}
	out := &PerceivedDifference{Group: likertSummary(scales[0]), Against: likertSummary(scales[1]),
		Difference: estimate(stats.LikertDifference(scales[0], scales[1]), nil)}
	out.Difference.Numerator, out.Difference.Denominator = nil, nil // those of one group would mislead
	if scales[0].Suppressed || scales[1].Suppressed {
		out.Difference.Status = cmp.Or(primary(scales[0]), primary(scales[1]), StatusSuppressedSecondary)
	}
	return out, nil
}

// primary is SUPPRESSED_PRIMARY for a scale of too few, else "".
func primary(s *stats.LikertScale) Status {
	if s.Suppressed && !s.Secondary {
		return StatusSuppressedPrimary
	}
	return ""
}

// likertSummary hands back a summary of answers.
func likertSummary(s *stats.LikertScale) *LikertSummary {
	status := StatusObserved
	if s.Suppressed {
		status = cmp.Or(primary(s), StatusSuppressedSecondary)
	}
	hand := func(e stats.Estimate) *Estimate {
		out := estimate(e, nil)
		if s.Suppressed {
			out.Status = status
		}
		return out
	}
	out := &LikertSummary{Status: status, Positive: hand(s.Positive), Negative: hand(s.Negative), Net: hand(s.Net),
		Mean:        hand(s.Mean),
		NonResponse: hand(s.NoAnswer), DontKnow: hand(s.DontKnow), Answers: []*LikertAnswer{}, Warnings: notNil(s.Warnings)}
	if !s.Suppressed {
		n := int(s.Respondents)
		out.Respondents = &n
	}
	for _, l := range s.Levels {
		out.Answers = append(out.Answers, &LikertAnswer{Code: l.Code, Labels: levelLabels[l.Code-1], Share: hand(l.Share)})
	}
	return out
}
