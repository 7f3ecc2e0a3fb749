package synth

import (
	"fmt"
	"strings"
	"time"
)

// areas is how many supported areas there are: "about a hundred" (D, from 215,300 residents).
const areas = 100

// An area is a supported housing area of the synthetic register.
type area struct {
	id           string
	name         string
	municipality int // index into municipalities
	weight       int // of residents
	nonWestern   int // per mille of its children, aimed at
	hardship     int // shifts work, schooling and convictions, thousandths of a logit
	plans        []int
	planStart    int // year of the first
	divisions    int
	dwellings    int
	residents    [years]int // aimed at, until populate counts them
	children     [years]int // aimed at when families move in
	figures      [years]keyFigures
}

// A plan is a social housing plan. Days are counted from 1970-01-01.
type plan struct {
	id, name   string
	areas      []int
	start, end int

	startYear, endYear int
}

// The names are invented: what no housing estate is called, with an ending that many have.
var (
	nameFirst = [...]string{
		"Timeglas", "Papirdrage", "Kompasnåle", "Blækhorns", "Tinsoldat", "Glasperle", "Uglefjer",
		"Vindrose", "Sølvtråds", "Klokkespils", "Fjerpens", "Vanddråbe", "Månestråle", "Stjernedrys",
		"Trækfløjte", "Kaleidoskop", "Snurretop", "Brevdue", "Pindsvine", "Regnbue",
	}
	nameLast = [...]string{"parken", "vænget", "toften", "haven", "lunden"}
)

func (w *world) placeAreas() {
	s := newStream(w.seed, "areas", 0)
	var where []int
	for m, mun := range municipalities {
		for range mun.areas {
			where = append(where, m)
		}
	}
	names := make([]int32, areas)
	for i := range names {
		names[i] = int32(i)
	}
	s.shuffle(names)
	for i := range w.areas {
		a := &w.areas[i]
		n := int(names[i])
		a.id = areaID(i)
		a.name = nameFirst[n%len(nameFirst)] + nameLast[n/len(nameFirst)]
		a.municipality = where[i]
		u := s.below(1000)
		a.weight = areaSmallest + u*u/1000*(areaLargest-areaSmallest)/1000
		a.nonWestern = areaNonWesternLow + s.below(areaNonWesternHigh-areaNonWesternLow)
		a.hardship = s.normal() * areaHardshipDeviation / 1000
	}

	weights, childWeights := make([]int, areas), make([]int, areas)
	var nonWestern, total int
	for i, a := range w.areas {
		weights[i] = a.weight
		childWeights[i] = a.weight * (700 + a.nonWestern*600/1000) / 1000
		nonWestern += childWeights[i] * a.nonWestern
		total += childWeights[i]
	}
	for i := range w.areas {
		a := &w.areas[i]
		a.nonWestern += areaChildrenNonWestern - nonWestern/total
		a.hardship += (a.nonWestern - areaChildrenNonWestern) * areaHardshipByOrigin / 1000
	}
	for y := range years {
		all := w.scaled(residentsInAreas[y])
		parts := apportion(all, weights)
		kids := apportion(w.scaled(children06[y])*childrenInAreasPPM/million, childWeights)
		for i := range w.areas {
			w.areas[i].residents[y], w.areas[i].children[y] = parts[i], kids[i]
		}
	}
	divisions := apportion(Divisions-areas, weights)
	for i := range w.areas {
		w.areas[i].divisions = 1 + divisions[i]
		w.areas[i].dwellings = max(1, w.areas[i].residents[2016-First]*1000/residentsPerThousandDwellings)
	}
	w.placePlans(s)
}

// placePlans gives every area a plan: the first areas of a municipality with several share
// one by two, and the largest areas have a second plan of their own.
func (w *world) placePlans(s *stream) {
	add := func(of ...int) {
		k := len(w.plans)
		var names []string
		for _, i := range of {
			w.areas[i].plans = append(w.areas[i].plans, k)
			names = append(names, w.areas[i].name)
		}
		start := planFirstYear + s.below(4)
		p := plan{id: fmt.Sprintf("P%02d", k+1), name: "Helhedsplan for " + strings.Join(names, " og "), areas: of}
		p.start = day(start, 1+s.below(12), 1)
		p.startYear, p.endYear = start, start+4+s.below(2)
		for _, i := range of {
			if a := &w.areas[i]; a.planStart == 0 || start < a.planStart {
				a.planStart = start
			}
		}
		p.end = day(p.endYear, 12, 31)
		w.plans = append(w.plans, p)
	}
	const shared, second = 15, 4 // areas - shared + second = Plans
	pairs := 0
	for i := 0; i < areas; i++ {
		if pairs < shared && i+1 < areas && w.areas[i].municipality == w.areas[i+1].municipality {
			add(i, i+1)
			pairs++
			i++
			continue
		}
		add(i)
	}
	for range second {
		largest := -1
		for i, a := range w.areas {
			if len(a.plans) == 1 && (largest < 0 || a.weight > w.areas[largest].weight) {
				largest = i
			}
		}
		add(largest)
		w.plans[len(w.plans)-1].name = "Ny helhedsplan for " + w.areas[largest].name
	}
}

// day returns the days from 1970-01-01 to a date.
func day(year, month, dayOfMonth int) int {
	return int(time.Date(year, time.Month(month), dayOfMonth, 0, 0, 0, 0, time.UTC).Unix() / 86_400)
}
