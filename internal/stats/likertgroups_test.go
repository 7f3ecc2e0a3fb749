package stats

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// likertGroups draws respondents of unequal groups, each in one group.
func likertGroups(r *rand.Rand, dimensions int) []LikertGroup {
	byKey := map[string]int{}
	var groups []LikertGroup
	for respondent := range 20 + r.IntN(60) {
		key := make([]int, dimensions)
		name := ""
		for d := range key {
			key[d] = min(r.IntN(6), r.IntN(6))
			name += string(rune('a' + key[d]))
		}
		if _, ok := byKey[name]; !ok {
			byKey[name] = len(groups)
			groups = append(groups, LikertGroup{Key: key})
		}
		g := &groups[byKey[name]]
		code := []int{0, 1, 2, 3, 4, 5, 9}[r.IntN(7)]
		g.Answers = append(g.Answers, Answer{Code: code, Respondent: respondent, N: 1, Weight: 1})
	}
	return groups
}

// over adds groups up over the dimensions that are not kept, and returns the place of each in the sum.
func over(groups []LikertGroup, kept int) (sums []LikertGroup, places []int) {
	for _, g := range groups {
		key := reduced(g.Key, kept)
		i := slices.IndexFunc(sums, func(s LikertGroup) bool { return slices.Equal(s.Key, key) })
		if i < 0 {
			i = len(sums)
			sums = append(sums, LikertGroup{Key: key})
		}
		sums[i].Answers = append(slices.Clone(sums[i].Answers), g.Answers...)
		places = append(places, i)
	}
	return sums, places
}

// A reader who asks a table and every table over fewer of its dimensions, and takes what is shown
// from the totals that are shown, never finds one group, nor fewer respondents than the minimum. The
// same groups are hidden whatever the order of the groups.
func TestOneSubtractionFindsNoSmallGroup(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	secondary, found := 0, 0
	for range 300 {
		groups := likertGroups(r, 1+r.IntN(3))
		scales, err := LikertTable(groups, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
		if err != nil {
			t.Fatal(err)
		}
		respondents := func(i int) int {
			n := 0
			for _, a := range groups[i].Answers {
				if a.Code >= 1 && a.Code <= 5 {
					n++
				}
			}
			return n
		}
		for i, s := range scales {
			if few := respondents(i) < 5; s.Suppressed != (few || s.Secondary) || few && s.Secondary {
				t.Fatalf("a group of %d is %+v", respondents(i), s)
			}
			if s.Secondary {
				secondary++
			}
		}
		for kept := range 1<<len(groups[0].Key) - 1 {
			totals, places := over(groups, kept)
			shown, err := LikertTable(totals, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
			if err != nil {
				t.Fatal(err)
			}
			for p := range totals {
				hidden, n, parts, few := 0, 0, 0, false
				for i := range groups {
					if places[i] != p {
						continue
					}
					parts++
					if scales[i].Suppressed {
						hidden++
						n += respondents(i)
						few = few || respondents(i) < 5
					}
				}
				switch {
				case shown[p].Suppressed && hidden == 0:
					t.Fatalf("the parts of a hidden total are all shown: %+v", groups)
				case !shown[p].Suppressed && few && (hidden == 1 || n < 5) && hidden < parts:
					found++
				case !shown[p].Suppressed && few && hidden == 1:
					t.Fatalf("a total that is one group of few is shown")
				}
			}
		}
		turned := slices.Clone(groups)
		slices.Reverse(turned)
		again, err := LikertTable(turned, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
		if err != nil {
			t.Fatal(err)
		}
		for i := range scales {
			if a, b := scales[i], again[len(again)-1-i]; a.Suppressed != b.Suppressed {
				t.Fatalf("turned, a group is hidden %t, not %t", b.Suppressed, a.Suppressed)
			}
		}
	}
	if found > 0 || secondary == 0 {
		t.Errorf("%d hidden groups were found by one subtraction; %d were hidden for others' sake", found, secondary)
	}
}

// One total hides nothing that SummariseLikert shows, and an empty table is no error.
func TestLikertTableOfOneGroup(t *testing.T) {
	var answers []Answer
	for i := range 5 {
		answers = append(answers, Answer{Code: 1 + i, Respondent: i, N: 1, Weight: 1})
	}
	for n, want := range map[int]bool{4: true, 5: false} {
		got, err := LikertTable([]LikertGroup{{Answers: answers[:n]}},
			LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5})
		if err != nil || got[0].Suppressed != want || got[0].Secondary {
			t.Errorf("%d respondents: %+v, %v", n, got[0], err)
		}
	}
	if got, err := LikertTable(nil, LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2,
		Minimum: 5}); err != nil || len(got) != 0 {
		t.Errorf("no groups gave %v, %v", got, err)
	}
	if _, err := LikertTable([]LikertGroup{{Answers: []Answer{{Code: 7, N: 1}}}},
		LikertOptions{Level: .95, Levels: 5, DontKnow: 9, Positive: 2, Minimum: 5}); err == nil {
		t.Error("a code off the scale passed")
	}
}
