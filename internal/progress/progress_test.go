package progress

import (
	"testing"
	"time"
)

func TestStateSaysWhatIsLeft(t *testing.T) {
	for _, x := range []struct {
		done, total int64
		since       time.Duration
		want        string
	}{
		{0, 10, time.Minute, "0 %"},
		{5, 10, time.Second, "50 %"}, // too early to tell
		{1, 4, 10 * time.Second, "25 %, about 31 s left"},
		{1, 4, 10 * time.Minute, "25 %, about 31 min left"},
		{1, 100, 10 * time.Minute, "1 %, about 17 h left"},
		{12, 10, time.Minute, "100 %"}, // the total was an estimate
	} {
		if got := state(x.done, x.total, x.since); got != x.want {
			t.Errorf("%d of %d after %s: %q, want %q", x.done, x.total, x.since, got, x.want)
		}
	}
}
