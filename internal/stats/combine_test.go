package stats

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestSum(t *testing.T) {
	a := Estimate{Value: 0.3, SE: 0.03, Level: 0.95}
	b := Estimate{Value: -0.1, SE: 0.04, Level: 0.95}
	s := Sum(a, b)
	// 0.2 ± 1.959964 · √(0.03² + 0.04²) = 0.2 ± 1.959964 · 0.05
	for _, c := range []struct{ got, want float64 }{{s.Value, 0.2}, {s.SE, 0.05}, {s.Lower, 0.2 - 0.0979982},
		{s.Upper, 0.2 + 0.0979982}} {
		if math.Abs(c.got-c.want) > 1e-7 {
			t.Errorf("sum: got %v, want %v", c.got, c.want)
		}
	}
	if e := Sum(a, untold(1, 0.95, "unknown")); !math.IsNaN(e.SE) || e.Value != 1.3 ||
		!slices.Contains(e.Warnings, "unknown") {
		t.Errorf("a sum with a part of unknown uncertainty = %+v", e)
	}
}

// Every method gives what is out of support alike where nothing is, and says why where it has no interval.
func TestOutOfSupport(t *testing.T) {
	d, err := Kitagawa([]Cell{{Key: []int{0}, N: 9, Sum: 3, SumSq: 3}}, []Cell{{Key: []int{0}, N: 8, Sum: 4, SumSq: 4}},
		KitagawaOptions{Level: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	if whole := OutOfSupport(0, Wilson(17, 17, 0.95)); fmt.Sprint(whole) != fmt.Sprint(d.OutOfSupportA) || whole.SE != 0 {
		t.Errorf("nothing is out of support: %+v, of Kitagawa %+v", whole, d.OutOfSupportA)
	}
	if e := OutOfSupport(-0.01, Wilson(16, 17, 0.95)); e.Value != -0.01 || !math.IsNaN(e.SE) || len(e.Warnings) != 1 {
		t.Errorf("out of support: %+v", e)
	}
}
