package stats

import (
	"math"
	"testing"
)

func TestSum(t *testing.T) {
	a := Estimate{Value: 0.3, SE: 0.03, Level: 0.95}
	b := Estimate{Value: -0.1, SE: 0.04, Level: 0.95}
	s := Sum(a, b)
	// 0.2 ± 1.959964 · √(0.03² + 0.04²) = 0.2 ± 1.959964 · 0.05
	for _, c := range []struct{ got, want float64 }{{s.Value, 0.2}, {s.SE, 0.05}, {s.Lower, 0.2 - 0.0979982}, {s.Upper, 0.2 + 0.0979982}} {
		if math.Abs(c.got-c.want) > 1e-7 {
			t.Errorf("sum: got %v, want %v", c.got, c.want)
		}
	}
	if e := Sum(a, Exact(1, 0.95)); !math.IsNaN(e.SE) || e.Value != 1.3 {
		t.Errorf("a sum with a part of unknown uncertainty = %+v", e)
	}
}
