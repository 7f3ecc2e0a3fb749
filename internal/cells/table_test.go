package cells_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

// An observation is what tables count, counted here one by one: the oracle of every law below.
type observation struct {
	key   []int32 // per dimension
	poor  int     // 0 no, 1 yes, 2 unknown, 3 not in the denominator
	day   int
	money int64
	known bool
}

type world struct {
	contract   *contract.Contract
	dimensions []*contract.Dimension
	indicators []*contract.Indicator
	measures   []*contract.Measure
	all        []observation
}

func anyWorld(t testing.TB, random *rand.Rand, n int) *world {
	t.Helper()
	w := &world{contract: inForce(t)}
	for _, name := range []string{"AGE", "SETTING", "AREA"} {
		d, err := w.contract.Dimension(name)
		if err != nil {
			t.Fatal(err)
		}
		w.dimensions = append(w.dimensions, d)
	}
	for _, name := range []string{"POOR", "IN_DAY_CARE"} {
		i, err := w.contract.Indicator(name)
		if err != nil {
			t.Fatal(err)
		}
		w.indicators = append(w.indicators, i)
	}
	m, err := w.contract.Measure("EQUIVALISED_INCOME")
	if err != nil {
		t.Fatal(err)
	}
	w.measures = []*contract.Measure{m}
	orNone := func(n int32) int32 {
		if random.IntN(5) == 0 {
			return cells.None
		}
		return n
	}
	for range n {
		w.all = append(w.all, observation{
			key:  []int32{orNone(random.Int32N(4) - 1), random.Int32N(2), orNone(random.Int32N(int32(len(areas))))},
			poor: random.IntN(4), day: random.IntN(4), known: random.IntN(4) > 0,
			money: random.Int64N(1<<40) - 1<<40, // negative: a debt is larger than nothing known
		})
	}
	return w
}

// query asks for the whole world, split by all dimensions.
func (w *world) query(where cells.Filter, by ...int) cells.Observations {
	q := cells.Observations{Table: w.contract.CohortTable("children"), Where: where, Indicators: w.indicators,
		Measures: w.measures, Largest: true}
	for _, d := range by {
		q.By = append(q.By, w.dimensions[d])
	}
	return q
}

// count counts the observations that where keeps, split by the dimensions at those places.
func (w *world) count(where cells.Filter, by ...int) *cells.Table {
	q := w.query(where, by...)
	var list []cells.Cell
	contributions := map[int][]int64{}
next:
	for _, o := range w.all {
		for _, k := range where.Conditions {
			if !k.Holds(o.key[slices.Index(w.dimensions, k.Dimension)], areas) {
				continue next
			}
		}
		key := make([]int32, len(by))
		for i, d := range by {
			key[i] = o.key[d]
		}
		at := slices.IndexFunc(list, func(c cells.Cell) bool { return slices.Equal(c.Key, key) })
		if at < 0 {
			at = len(list)
			list = append(list, q.New(1)[0])
			copy(list[at].Key, key)
		}
		c := &list[at]
		c.N.Value++
		for k, i := range q.Indicators {
			tally := &c.Indicators[k]
			switch map[string]int{"POOR": o.poor, "IN_DAY_CARE": o.day}[i.Name] {
			case 0:
				tally.N.Value++
			case 1:
				tally.N.Value++
				tally.Y.Value++
			case 2:
				tally.Unknown.Value++
			}
		}
		if len(q.Measures) == 0 {
			continue
		}
		m := &c.Measures[0]
		if !o.known {
			m.Unknown.Value++
			continue
		}
		m.N.Value++
		m.Sum += o.money
		square := new(big.Int).Mul(big.NewInt(o.money), big.NewInt(o.money))
		m.SumSq = cells.SquareOf(square.Add(square, bigOf(m.SumSq)))
		contributions[at] = append(contributions[at], o.money)
	}
	for at, list2 := range contributions {
		slices.Sort(list2)
		slices.Reverse(list2)
		copy(list[at].Measures[0].Largest[:], list2)
	}
	if len(by) == 0 && len(list) == 0 {
		list = q.New(1)
	}
	slices.SortFunc(list, func(a, b cells.Cell) int { return slices.CompareFunc(a.Key, b.Key, cells.CompareKeys) })
	return q.NewTable(list)
}

func bigOf(s cells.Square) *big.Int {
	x := new(big.Int).Lsh(new(big.Int).SetUint64(s.High), 64)
	return x.Add(x, new(big.Int).SetUint64(s.Low))
}

func show(t *cells.Table) string {
	var out string
	for _, k := range t.Keys {
		out += k.Name + " "
	}
	for _, c := range t.Cells {
		out += fmt.Sprintf("\n%v %+v %+v %+v", append([]int32{}, c.Key...), c.N, c.Indicators, c.Measures)
	}
	return out
}

func expect(t *testing.T, what string, got, want *cells.Table) {
	t.Helper()
	if g, w := show(got), show(want); g != w {
		t.Fatalf("%s: got\n%s\nwant\n%s", what, g, w)
	}
}

// Every coarser table is one that counting the observations again would give.
func TestCoarsen(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for round := range 20 {
		w := anyWorld(t, random, 1+round*20)
		fine := w.count(cells.Filter{}, 0, 1, 2)
		before := show(fine)
		for _, by := range [][]int{{}, {0}, {1}, {2}, {0, 1}, {1, 0}, {2, 0}, {0, 1, 2}, {2, 0, 1}, {2, 1, 0}} {
			coarse := fine.Coarsen(by)
			expect(t, fmt.Sprint("by ", by), coarse, w.count(cells.Filter{}, by...))
			for at := range by {
				rest := slices.Delete(slices.Clone(by), at, at+1)
				places := slices.Delete([]int{0, 1, 2}[:len(by)], at, at+1)
				expect(t, fmt.Sprint("twice, by ", rest), coarse.Coarsen(places), w.count(cells.Filter{}, rest...))
			}
			total := coarse.Total()
			expect(t, "in all", &cells.Table{Cells: []cells.Cell{total}},
				&cells.Table{Cells: w.count(cells.Filter{}).Cells})
		}
		if show(fine) != before {
			t.Fatal("the finer table is not what it was")
		}
	}
}

func TestWithin(t *testing.T) {
	w := anyWorld(t, rand.New(rand.NewPCG(8, 7)), 150)
	for _, by := range [][]int{{2, 0, 1}, {2, 0}, {2}} {
		table := w.count(cells.Filter{}, by...)
		for place, a := range areas {
			where := cells.Filter{}.And(cells.Condition{Dimension: w.dimensions[2], Areas: []string{a.ID}})
			expect(t, a.ID, table.Within(int32(place)), w.count(where, by[1:]...))
		}
		none := table.TotalOf(func(c cells.Cell) bool { return c.Key[0] == cells.None })
		if got := table.Within(cells.None).Total(); got.N != none.N {
			t.Errorf("outside the areas are %d, want %d", got.N.Value, none.N.Value)
		}
	}
	empty := w.count(cells.Filter{}, 2).Within(99)
	if len(empty.Cells) != 1 || empty.Cells[0].N.Value != 0 || len(empty.Cells[0].Measures) != 1 {
		t.Errorf("an area in which nobody lives is %s", show(empty))
	}
}

func TestSelect(t *testing.T) {
	w := anyWorld(t, rand.New(rand.NewPCG(9, 7)), 150)
	table := w.count(cells.Filter{}, 0, 1)
	before := show(table)
	both := slices.Clone(w.indicators)
	turned := []*contract.Indicator{both[1], both[0]}
	w.indicators = turned
	expect(t, "in the other order", table.Select(turned, w.measures), w.count(cells.Filter{}, 0, 1))
	expect(t, "and back", table.Select(turned, w.measures).Select(both, w.measures), table)
	w.indicators, w.measures = both[1:], nil
	want := w.count(cells.Filter{}, 0, 1)
	expect(t, "one", table.Select(both[1:], nil), want)
	expect(t, "coarser", table.Select(both[1:], nil).Coarsen([]int{1}), table.Coarsen([]int{1}).Select(both[1:], nil))
	if show(table) != before {
		t.Error("the table is not what it was")
	}
}

// The measures of participants are not of the contract, and add up all the same.
func TestTotalOfMeasuresWithoutNames(t *testing.T) {
	table := &cells.Table{Keys: []cells.Key{{Name: "treated"}}}
	for i := range int32(2) {
		table.Cells = append(table.Cells, cells.Cell{Key: []int32{i},
			Measures: []cells.Moments{{Sum: 3}, {Sum: int64(i)}}})
	}
	if got := table.Total(); len(got.Measures) != 2 || got.Measures[0].Sum != 6 || got.Measures[1].Sum != 1 {
		t.Errorf("got %+v", got)
	}
	if got := (&cells.Table{}).Total(); got.N.Value != 0 || len(got.Indicators) != 0 || got.N.Variance != 0 {
		t.Errorf("the total of no cells is %+v", got)
	}
}

// A sum is no better known than the least known of its parts.
func TestCountsCarryTheirStatus(t *testing.T) {
	observed, protected, hidden := cells.Count{Value: 5}, cells.Count{Value: 3, Variance: 2, Status: cells.Protected},
		cells.Count{Status: cells.Hidden, Variance: 0.5}
	for _, test := range []struct{ a, b, want cells.Count }{
		{observed, observed, cells.Count{Value: 10}},
		{observed, protected, cells.Count{Value: 8, Variance: 2, Status: cells.Protected}},
		{protected, protected, cells.Count{Value: 6, Variance: 4, Status: cells.Protected}},
		{observed, hidden, cells.Count{Value: 5, Variance: 0.5, Status: cells.Hidden}},
		{protected, hidden, cells.Count{Value: 3, Variance: 2.5, Status: cells.Hidden}},
	} {
		if test.a.Plus(test.b) != test.want || test.b.Plus(test.a) != test.want {
			t.Errorf("%+v and %+v are %+v, want %+v", test.a, test.b, test.a.Plus(test.b), test.want)
		}
	}
	one := cells.Cell{Key: []int32{0}, N: observed, Indicators: []cells.Tally{{N: observed, Y: protected,
		Unknown: hidden}}}
	two := cells.Cell{Key: []int32{1}, N: observed, Indicators: []cells.Tally{{N: observed, Y: observed,
		Unknown: observed}}}
	table := &cells.Table{Keys: []cells.Key{{Name: "x"}}, Cells: []cells.Cell{one, two},
		Indicators: make([]*contract.Indicator, 1)}
	got := table.Total()
	if s := got.Indicators[0]; got.N.Status != cells.Observed || s.N.Status != cells.Observed ||
		s.Y.Status != cells.Protected || s.Y.Variance != 2 || s.Unknown.Status != cells.Hidden {
		t.Errorf("the total is %+v", got)
	}
}

// Sums of squares are exact beyond what 64 bits hold.
func TestSquare(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	sum, exact := cells.Square{}, new(big.Int)
	for i := range 2000 {
		x := new(big.Int).SetUint64(random.Uint64() >> random.IntN(60))
		x.Mul(x, new(big.Int).SetUint64(random.Uint64()>>(20+random.IntN(40))))
		if i%3 == 0 {
			x.SetUint64(1<<64 - 1) // carries
		}
		square := cells.SquareOf(x)
		if bigOf(square).Cmp(x) != 0 {
			t.Fatalf("%s became %+v", x, square)
		}
		sum = sum.Plus(square)
		exact.Add(exact, x)
		if bigOf(sum).Cmp(exact) != 0 {
			t.Fatalf("the sum is %s, want %s", bigOf(sum), exact)
		}
		want, _ := new(big.Float).SetInt(exact).Float64()
		if sum.Float() != want {
			t.Fatalf("%s as a double is %g, want %g", exact, sum.Float(), want)
		}
	}
	if sum.High == 0 {
		t.Error("the sum fits 64 bits, so nothing beyond was tried")
	}
}

// rollup stores the finest table of the world by column.
func (w *world) rollup() *cells.Rollup {
	fine := w.count(cells.Filter{}, 0, 1, 2)
	q := w.query(cells.Filter{})
	out := &cells.Rollup{Table: q.Table, Rows: len(fine.Cells), Keys: map[*contract.Dimension]*cells.Column{},
		Sums: map[cells.Summed]*cells.Numbers{}, Squares: map[cells.Summed]*cells.SquareList{}}
	for k, d := range w.dimensions {
		var keys cells.Keys
		for _, c := range fine.Cells {
			keys.Append(c.Key[k:k+1], 0)
		}
		out.Keys[d] = keys.Column()
	}
	for _, sum := range q.Sums() {
		if sum.Kind == cells.Squares {
			out.Squares[sum.Summed] = new(cells.SquareList)
		} else {
			out.Sums[sum.Summed] = new(cells.Numbers)
		}
		for i := range fine.Cells {
			if sum.Kind == cells.Squares {
				out.Squares[sum.Summed].Append([]cells.Square{*sum.SquareOf(&fine.Cells[i])}, 0)
			} else {
				out.Sums[sum.Summed].Append([]int64{*sum.Of(&fine.Cells[i])}, 0)
			}
		}
	}
	return out
}

// A roll-up answers what counting the observations would, and so does a coarser one made of it.
func TestRollup(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	ctx := context.Background()
	for _, n := range []int{0, 1, 10, 300} {
		w := anyWorld(t, random, n)
		r := w.rollup()
		for range 40 {
			by := random.Perm(3)[:random.IntN(4)]
			var where cells.Filter
			if from, to := random.IntN(3)-1, random.IntN(3); from <= to && random.IntN(2) == 0 {
				where = where.And(cells.Condition{Dimension: w.dimensions[0], From: &from, To: &to})
			}
			if random.IntN(2) == 0 {
				where = where.And(cells.Condition{Dimension: w.dimensions[2], Areas: []string{"A1", "a+b"}})
			}
			q := w.query(where, by...)
			q.Largest = false
			want := w.count(where, by...)
			for i := range want.Cells {
				want.Cells[i].Measures[0].Largest = [2]int64{}
			}
			list, err := r.Answer(ctx, q, areas)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, q.String(), q.NewTable(list), want)
			reads := slices.Clone(q.By)
			for _, d := range where.Dimensions() {
				if !slices.Contains(reads, d) {
					reads = append(reads, d)
				}
			}
			random.Shuffle(len(reads), func(i, j int) { reads[i], reads[j] = reads[j], reads[i] })
			coarse, err := r.Coarsen(ctx, reads, q.Sums())
			if err != nil {
				t.Fatal(err)
			}
			if n := r.Combinations(reads); coarse.Rows > n {
				t.Errorf("%d rows, at most %d were foreseen", coarse.Rows, n)
			}
			if list, err = coarse.Answer(ctx, q, areas); err != nil {
				t.Fatal(err)
			}
			expect(t, q.String()+", coarsened", q.NewTable(list), want)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := r.Answer(done, w.query(cells.Filter{}, 0), areas); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled question gave %v", err)
		}
		if _, err := r.Coarsen(done, w.dimensions, w.query(cells.Filter{}).Sums()); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled roll-up gave %v", err)
		}
	}
}
