package resolvers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// smallestSurveyGroup is the number of respondents with an answer below which a group is hidden:
// the usual threshold of Danish research practice for what may leave a register.
const smallestSurveyGroup = 5

// surveyScale is the scale of the survey: 1 to 5 with 9 for don't know, the two highest positive.
func surveyScale(level float64) stats.LikertOptions {
	return stats.LikertOptions{Level: level, Levels: 5, DontKnow: 9, Positive: 2, Minimum: smallestSurveyGroup}
}

// levelLabels name the levels of the scale. The contract defines the ends; the study's own words
// were not found.
var levelLabels = []contract.Text{{DA: "1 (mindst effekt)", EN: "1 (smallest effect)"}, {DA: "2", EN: "2"}, {DA: "3", EN: "3"}, {DA: "4", EN: "4"}, {DA: "5 (størst effekt)", EN: "5 (largest effect)"}}

// surveyed holds the answers of the survey with what may be asked of them.
type surveyed struct {
	answers           []store.Answer
	items, actorTypes []string // by the alphabet
}

func (r *Resolver) surveyed(ctx context.Context) (*surveyed, error) {
	answers, err := r.Store.Answers(ctx)
	if err != nil {
		return nil, err
	}
	out := &surveyed{answers: answers}
	for _, a := range answers {
		out.items, out.actorTypes = append(out.items, a.Item), append(out.actorTypes, a.ActorType)
	}
	for _, list := range []*[]string{&out.items, &out.actorTypes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
		sortDanish(*list)
	}
	return out, nil
}

// check returns an error for a filter that nothing can match.
func (s *surveyed) check(where *model.SurveyFilter) error {
	for _, err := range []error{notEmpty("theme", where.Theme), notEmpty("aspect", where.Aspect), notEmpty("item", where.Item), notEmpty("actorType", where.ActorType)} {
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
func about(a store.Answer, where *model.SurveyFilter) bool {
	return (where.Aspect == nil || slices.Contains(where.Aspect, a.Aspect)) && (where.Item == nil || slices.Contains(where.Item, a.Item))
}

// from reports whether the answer is from the themes and the types of actor of the filter.
func from(a store.Answer, where *model.SurveyFilter) bool {
	return (where.Theme == nil || slices.Contains(where.Theme, a.Theme)) && (where.ActorType == nil || slices.Contains(where.ActorType, a.ActorType))
}

// perceived summarises answers by the dimensions.
func (r *Resolver) perceived(ctx context.Context, by []model.SurveyDimension, where *model.SurveyFilter, level float64) ([]*model.LikertSummary, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	if err := once(by); err != nil {
		return nil, err
	}
	s, err := r.surveyed(ctx)
	if err != nil {
		return nil, err
	}
	if where == nil {
		where = &model.SurveyFilter{}
	}
	if err := s.check(where); err != nil {
		return nil, err
	}
	var groups []stats.LikertGroup
	var firsts []store.Answer
	place := map[string]int{}
	// What is hidden must not depend on the order that is asked for, or two orders would tell it.
	fixed := slices.DeleteFunc(slices.Clone(model.AllSurveyDimension), func(d model.SurveyDimension) bool { return !slices.Contains(by, d) })
	if len(by) == 0 {
		groups, firsts, place[fmt.Sprint([]int(nil))] = []stats.LikertGroup{{}}, []store.Answer{{}}, 0
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
	scales, err := stats.LikertTable(groups, surveyScale(level))
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
	out := []*model.LikertSummary{}
	for _, i := range order {
		m := likertSummary(scales[i])
		for _, d := range by {
			switch d {
			case model.SurveyDimensionTheme:
				m.Theme = &firsts[i].Theme
			case model.SurveyDimensionAspect:
				m.Aspect = &firsts[i].Aspect
			case model.SurveyDimensionItem:
				m.Item = &firsts[i].Item
			case model.SurveyDimensionActorType:
				m.ActorType = &firsts[i].ActorType
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// surveyKey gives the places of an answer's codes.
func (r *Resolver) surveyKey(s *surveyed, by []model.SurveyDimension, a store.Answer) []int {
	var key []int
	for _, d := range by {
		switch d {
		case model.SurveyDimensionTheme:
			key = append(key, r.Contract.Codelist("theme").Position(a.Theme))
		case model.SurveyDimensionAspect:
			key = append(key, r.Contract.Codelist("aspect").Position(a.Aspect))
		case model.SurveyDimensionItem:
			key = append(key, slices.Index(s.items, a.Item))
		case model.SurveyDimensionActorType:
			key = append(key, slices.Index(s.actorTypes, a.ActorType))
		}
	}
	return key
}

func likertAnswer(a store.Answer) stats.Answer {
	return stats.Answer{Code: a.Code, Respondent: a.Respondent, N: float64(a.N), Weight: a.Weight}
}

// difference compares two groups of respondents.
func (r *Resolver) difference(ctx context.Context, group, against *model.SurveyFilter, level float64) (*model.PerceivedDifference, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	s, err := r.surveyed(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.check(group); err != nil {
		return nil, err
	}
	others := against == nil
	if others {
		if group.Theme == nil && group.ActorType == nil {
			return nil, fault.Invalidf("group names no theme and no type of actor, so there are no others to compare with; name one, or give `against`")
		}
		against = &model.SurveyFilter{Aspect: group.Aspect, Item: group.Item}
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
		return nil, fault.Invalidf("%d respondents are in both groups; compare groups of different respondents, such as two themes or two types of actor", both)
	}
	scales, err := stats.LikertTable(groups, surveyScale(level))
	if err != nil {
		return nil, err
	}
	out := &model.PerceivedDifference{Group: likertSummary(scales[0]), Against: likertSummary(scales[1]), Difference: estimate(stats.LikertDifference(scales[0], scales[1]), nil)}
	out.Difference.Numerator, out.Difference.Denominator = nil, nil // those of one group would mislead
	if scales[0].Suppressed || scales[1].Suppressed {
		out.Difference.Status = cmp.Or(primary(scales[0]), primary(scales[1]), model.StatusSuppressedSecondary)
	}
	return out, nil
}

// primary is SUPPRESSED_PRIMARY for a scale of too few, else "".
func primary(s *stats.LikertScale) model.Status {
	if s.Suppressed && !s.Secondary {
		return model.StatusSuppressedPrimary
	}
	return ""
}

// likertSummary hands back a summary of answers.
func likertSummary(s *stats.LikertScale) *model.LikertSummary {
	status := model.StatusObserved
	if s.Suppressed {
		status = cmp.Or(primary(s), model.StatusSuppressedSecondary)
	}
	hand := func(e stats.Estimate) *model.Estimate {
		out := estimate(e, nil)
		if s.Suppressed {
			out.Status = status
		}
		return out
	}
	out := &model.LikertSummary{Status: status, Positive: hand(s.Positive), Negative: hand(s.Negative), Net: hand(s.Net), Mean: hand(s.Mean),
		NonResponse: hand(s.NoAnswer), DontKnow: hand(s.DontKnow), Answers: []*model.LikertAnswer{}, Warnings: notNil(s.Warnings)}
	if !s.Suppressed {
		n := int(s.Respondents)
		out.Respondents = &n
	}
	for _, l := range s.Levels {
		out.Answers = append(out.Answers, &model.LikertAnswer{Code: l.Code, Labels: levelLabels[l.Code-1], Share: hand(l.Share)})
	}
	return out
}
