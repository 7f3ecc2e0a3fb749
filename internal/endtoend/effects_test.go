package endtoend

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/synth"
)

// What the API answers about the default data set holds what the generator planted, and the unadjusted
// comparison does not. The level is 99 %: of nine intervals of 95 % one may well miss, and here one does,
// by a hair. Coverage is measured where many worlds are drawn.
func TestEffectsOfTheDefaultDataSetAreThoseThatWerePlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("makes the data set at full scale if it is not there; run without -short")
	}
	t.Parallel()
	base := world(t, "data", synth.NoAreaEffect)
	w, err := synth.Generate(synth.Options{Seed: 1, Scale: 1, World: synth.NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]string{"LEISURE_JOB": "in_leisure_job", "FIRE_CADET": "charged",
		"PROJECT_OR_EVENT": "in_education"}
	asked := 0
	for _, truth := range w.Effects() {
		if columns[truth.Activity] != truth.Outcome {
			continue
		}
		asked++
		text, err := json.Marshal(ask(t, base, fmt.Sprintf(`{
			unadjusted: activityEffect(type: %[1]s, outcome: %[2]s, level: 0.99, method: UNADJUSTED) {
				effect { value lower upper } treated { value } }
			weighted: activityEffect(type: %[1]s, outcome: %[2]s, level: 0.99, method: IPW) {
				effect { value lower upper } treated { value } }
			matched: activityEffect(type: %[1]s, outcome: %[2]s, level: 0.99, method: MATCHING) {
				effect { value lower upper } treated { value } }
			robust: activityEffect(type: %[1]s, outcome: %[2]s, level: 0.99, method: DOUBLY_ROBUST) {
				effect { value lower upper } treated { value } }
			balanced: activityEffect(type: %[1]s, outcome: %[2]s, level: 0.99, method: ENTROPY_BALANCING) {
				effect { value lower upper } treated { value } } }`,
			truth.Activity, strings.ToUpper(truth.Outcome))))
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]struct {
			Effect  interval
			Treated struct{ Value int }
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, method := range []string{"unadjusted", "weighted", "matched", "robust", "balanced"} {
			got := answer[method]
			all := truth.Participants
			if method == "matched" { // a few have nobody within the caliper
				all = max(got.Treated.Value, all*99/100)
			}
			if got.Effect.Lower == nil || got.Effect.Upper == nil || got.Treated.Value != all {
				t.Fatalf("%s by %s: %s; want an interval and %d participants", truth.Activity, method, text, truth.Participants)
			}
			if holds := got.Effect.contains(truth.OnParticipants); holds == (method == "unadjusted") {
				t.Errorf("%s by %s: %.3f (%.3f to %.3f), planted %.3f", truth.Activity, method, *got.Effect.Value,
					*got.Effect.Lower, *got.Effect.Upper, truth.OnParticipants)
			}
		}
	}
	if asked != 3 {
		t.Errorf("%d effects asked for, want 3", asked)
	}
}
