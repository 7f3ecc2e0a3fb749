package synth

import (
	"encoding/json"
	"math"
	"runtime"
	"slices"
	"testing"
)

// gathered are the columns of all parts of a register by table and name.
type gathered map[string]map[string][]Column

func gather(t *testing.T, o Options) (out gathered, rows map[string]int) {
	t.Helper()
	out, rows = gathered{}, map[string]int{}
	w, err := Generate(o)
	if err != nil {
		t.Fatal(err)
	}
	parts := 0
	for ; w != nil; w = w.Next() {
		parts++
		for _, table := range w.TableNames() {
			said := w.Rows(table)
			if out[table] == nil {
				out[table] = map[string][]Column{}
			}
			for b := range w.Batches(table) {
				rows[table] += b.Rows
				said -= b.Rows
				for _, c := range b.Columns {
					out[table][c.Name] = append(out[table][c.Name], c)
				}
			}
			if said != 0 {
				t.Errorf("part %d: %s has %d rows fewer than said", parts, table, said)
			}
		}
	}
	if parts != o.Parts() {
		t.Errorf("%d parts, want %d", parts, o.Parts())
	}
	return out, rows
}

// ints are the values of a column of whole numbers over all parts.
func (g gathered) ints(table, column string) (values []int32) {
	for _, c := range g[table][column] {
		values = append(values, c.Int...)
	}
	return values
}

// codes are the values of a column of codes over all parts.
func (g gathered) codes(table, column string) (values []uint8) {
	for _, c := range g[table][column] {
		values = append(values, c.Code...)
	}
	return values
}

var inParts = Options{Seed: 3, Scale: 0.05, World: NoAreaEffect, Part: 0.02}

// Children, families and persons of all parts have numbers of their own, and those of every part are
// in use: a number that two parts share would make two persons one.
func TestNumbersRunOnOverParts(t *testing.T) {
	g, _ := gather(t, inParts)
	of := func(table, column string) map[int32]int { // the parts that a number is found in, as bits
		numbers := map[int32]int{}
		perPart := len(g[table][column]) / inParts.Parts()
		for i, c := range g[table][column] {
			for _, id := range c.Int {
				if id != NullInt {
					numbers[id] |= 1 << (i / perPart)
				}
			}
		}
		return numbers
	}
	for _, x := range [][2]string{{"child_year", "child_id"}, {"child_year", "family_id"}, {"resident_year", "person_id"},
		{"youth_year", "person_id"}, {"youth_year", "family_id"}, {"adult_year", "person_id"}, {"adult_year", "family_id"},
		{"participant", "person_id"}} {
		all := 0
		for id, parts := range of(x[0], x[1]) {
			if id < 1 || parts&(parts-1) != 0 {
				t.Fatalf("%s.%s: number %d is in parts %b", x[0], x[1], id, parts)
			}
			all |= parts
		}
		if all != 1<<inParts.Parts()-1 {
			t.Errorf("%s.%s: numbers in parts %b only", x[0], x[1], all)
		}
	}
	residents := of("resident_year", "person_id")
	for id, parts := range of("participant", "person_id") {
		if residents[id] != parts {
			t.Fatalf("participant %d of part %b is a resident of part %b", id, parts, residents[id])
		}
	}
}

// What the tables of areas count is what the tables of persons hold, over all parts.
func TestAreaYearsAddUpOverParts(t *testing.T) {
	g, rows := gather(t, inParts)
	type place struct{ area, year int32 }
	count := func(table, number string) map[place]int32 {
		out := map[place]int32{}
		area, year, n := g.codes(table, "area_id"), g.ints(table, "year"), g.ints(table, number)
		for i, a := range area {
			if a != NullCode {
				out[place{int32(a), year[i]}] += n[i]
			}
		}
		return out
	}
	children, people := count("child_year", "n"), count("resident_year", "n")
	area, year := g.codes("area_year", "area_id"), g.ints("area_year", "year")
	saidChildren, saidPeople := g.ints("area_year", "children_0_6"), g.ints("area_year", "residents")
	if rows["area_year"] != areas*years {
		t.Fatalf("area_year has %d rows, want %d", rows["area_year"], areas*years)
	}
	for i := range area {
		at := place{int32(area[i]), year[i]}
		if saidChildren[i] != children[at] || saidPeople[i] != people[at] {
			t.Errorf("%v: %d children and %d residents, there are %d and %d", at, saidChildren[i], saidPeople[i],
				children[at], people[at])
		}
	}
}

// The counts of a register in parts are the published ones at its scale, and one survey is taken.
func TestPartsHaveThePublishedCounts(t *testing.T) {
	g, rows := gather(t, inParts)
	one, same := gather(t, Options{Seed: 3, Scale: 0.05, World: NoAreaEffect})
	for _, table := range []string{"plan", "area", "area_year", "activity", "actor_survey"} {
		if rows[table] != same[table] {
			t.Errorf("%s has %d rows in parts, %d in one", table, rows[table], same[table])
		}
	}
	for _, table := range []string{"activity", "actor_survey", "plan"} { // those of the seed
		a, _ := json.Marshal(g[table])
		b, _ := json.Marshal(one[table])
		if string(a) != string(b) {
			t.Errorf("%s differs from that of one part", table)
		}
	}
	perYear := map[int32]int{}
	for _, y := range g.ints("child_year", "year") {
		perYear[y]++
	}
	for y, n := range children06 {
		if got, want := float64(perYear[int32(First+y)]), float64(n)*inParts.Scale; math.Abs(got-want) > 30 {
			t.Errorf("%d: %g children, want %g", First+y, got, want)
		}
	}
}

// No two parts are drawn from the same numbers: what varies from row to row differs between them.
func TestPartsDifferInEveryColumn(t *testing.T) {
	g, _ := gather(t, Options{Seed: 3, Scale: 0.04, World: NoAreaEffect, Part: 0.02})
	for _, table := range perPart {
		for name, batches := range g[table] {
			half := len(batches) / 2
			varies := slices.ContainsFunc(batches, func(c Column) bool {
				return slices.ContainsFunc(c.Int, func(v int32) bool { return v != c.Int[0] }) ||
					slices.ContainsFunc(c.Code, func(v uint8) bool { return v != c.Code[0] }) ||
					slices.ContainsFunc(c.Text, func(v string) bool { return v != c.Text[0] })
			})
			a, _ := json.Marshal(batches[:half])
			b, _ := json.Marshal(batches[half:])
			if varies && string(a) == string(b) {
				t.Errorf("%s.%s is the same in both parts", table, name)
			}
		}
	}
}

// The first part is the register that is drawn at its scale in one.
func TestTheFirstPartIsThatOfItsScale(t *testing.T) {
	first, err := Generate(Options{Seed: 3, Scale: 0.04, World: NoAreaEffect, Part: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Generate(Options{Seed: 3, Scale: 0.02, World: NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range perPart {
		a, _ := json.Marshal(slices.Collect(first.Batches(table)))
		b, _ := json.Marshal(slices.Collect(whole.Batches(table)))
		if string(a) != string(b) {
			t.Errorf("%s differs", table)
		}
	}
	if first.DayCare() != whole.DayCare() || first.Next().DayCare() != whole.DayCare() {
		t.Error("the parts have truths of their own about day care")
	}
}

// Parts are the same on one thread and on many.
func TestSamePartsOnAnyThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, _ := gather(t, inParts)
	runtime.GOMAXPROCS(5)
	five, _ := gather(t, inParts)
	a, _ := json.Marshal(one)
	b, _ := json.Marshal(five)
	if string(a) != string(b) {
		t.Error("the parts differ")
	}
}

// The largest register numbers its persons and families within an int32.
func TestNumbersOfTheLargestFit(t *testing.T) {
	w, err := Generate(Options{Seed: 1, Scale: 0.02, World: NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	if n := max(w.w.sum.persons, w.w.sum.families) * MostScale * 50; n > math.MaxInt32 {
		t.Errorf("a scale of %d has about %d persons or families", MostScale, n)
	}
}
