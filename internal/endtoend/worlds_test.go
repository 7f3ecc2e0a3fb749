package endtoend

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kvarter/kvarter/internal/deadline"
	"github.com/kvarter/kvarter/internal/synth"
)

// remains asks what is left of the gap in day care at ages 1-2 in 2014 when age, origin, the
// parents' work, family type and income are held equal, by every method.
const remains = `{ children(where: {years: {from: 2014, to: 2014}, ages: {from: 1, to: 2}, setting: [SUPPORTED]}) {
  compare(to: {years: {from: 2014, to: 2014}, ages: {from: 1, to: 2}, setting: [REST]}) {
    crude: gap(of: IN_DAY_CARE) { value lower upper }
    kitagawa: decomposition(of: IN_DAY_CARE,
      by: [AGE, ORIGIN, PARENTS_STATUS, FAMILY_TYPE, INCOME_GROUP]) {
      estimate: rate { value lower upper } }
    oaxaca: decomposition(of: IN_DAY_CARE, method: OAXACA_BLINDER,
      by: [AGE, ORIGIN, PARENTS_STATUS, FAMILY_TYPE, INCOME_GROUP]) {
      estimate: rate { value lower upper } }
    fairlie: decomposition(of: IN_DAY_CARE, method: FAIRLIE,
      by: [AGE, ORIGIN, PARENTS_STATUS, FAMILY_TYPE, INCOME_GROUP]) {
      estimate: rate { value lower upper } }
    linear: adjusted(of: IN_DAY_CARE, model: LINEAR,
      controls: [AGE, ORIGIN, PARENTS_STATUS, FAMILY_TYPE, INCOME_GROUP]) {
      estimate: adjusted { value lower upper } }
    logit: adjusted(of: IN_DAY_CARE, model: LOGIT,
      controls: [AGE, ORIGIN, PARENTS_STATUS, FAMILY_TYPE, INCOME_GROUP]) {
      estimate: adjusted { value lower upper } }
  } } }`

type interval struct{ Value, Lower, Upper *float64 }

func (i interval) contains(x float64) bool { return *i.Lower <= x && x <= *i.Upper }

// The world without an area effect and the one with a planted one differ in nothing else, and
// every method tells them apart: where there is no effect the crude gap is not zero and the
// adjusted one may be; where there is one, each interval contains its size and leaves zero out.
func TestMethodsTellTheTwoWorldsApart(t *testing.T) {
	if testing.Short() {
		t.Skip("makes the data sets of both worlds at full scale if they are not there; run without -short")
	}
	t.Parallel()
	for _, test := range []struct {
		world   synth.Kind
		data    string
		planted float64
	}{
		{synth.NoAreaEffect, "data", 0},
		{synth.WithAreaEffect, filepath.Join("data", "area-effect"), synth.AreaEffect},
	} {
		t.Run(string(test.world), func(t *testing.T) {
			base := world(t, test.data, test.world)
			var answer struct {
				Children struct{ Compare map[string]json.RawMessage }
			}
			text, err := json.Marshal(ask(t, base, remains))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				t.Fatal(err)
			}
			read := func(method string, into any) {
				if err := json.Unmarshal(answer.Children.Compare[method], into); err != nil {
					t.Fatalf("%s: %v", method, err)
				}
			}
			var crude interval
			if read("crude", &crude); crude.Value == nil || *crude.Upper >= 0 {
				t.Errorf("the crude gap is %s; want one below 0", answer.Children.Compare["crude"])
			}
			for _, method := range []string{"kitagawa", "oaxaca", "fairlie", "linear", "logit"} {
				var got struct{ Estimate interval }
				read(method, &got)
				e := got.Estimate
				if e.Value == nil || e.Lower == nil || e.Upper == nil {
					t.Fatalf("%s has no interval: %s", method, answer.Children.Compare[method])
				}
				t.Logf("%-8s %+.4f (%+.4f to %+.4f)", method, *e.Value, *e.Lower, *e.Upper)
				if !e.contains(test.planted) {
					t.Errorf("%s: %.4f (%.4f to %.4f) does not contain the planted %g", method, *e.Value, *e.Lower, *e.Upper,
						test.planted)
				}
				if test.planted != 0 && e.contains(0) {
					t.Errorf("%s: %.4f (%.4f to %.4f) does not tell the effect from 0", method, *e.Value, *e.Lower, *e.Upper)
				}
				if width := *e.Upper - *e.Lower; width > 0.04 {
					t.Errorf("%s: the interval is %.3f wide; it would contain anything", method, width)
				}
			}
		})
	}
}

// worlds are the servers of the data sets at full scale, by folder: what is dear to make and to open
// all tests share.
var worlds sync.Map

// opened is a server that is started once, and stopped when all tests have ended.
type opened struct {
	once    sync.Once
	base    string
	process *exec.Cmd
}

func stopWorlds() {
	worlds.Range(func(_, w any) bool {
		if c := w.(*opened).process; c != nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		return true
	})
}

// world serves the data set of a world at full scale, and makes it first if it is not in data.
func world(t *testing.T, data string, kind synth.Kind) string {
	t.Helper()
	found, _ := worlds.LoadOrStore(data, new(opened))
	w := found.(*opened)
	w.once.Do(func() {
		deadline.Until(t, "the data set is there", func() bool {
			_, err := os.Stat(filepath.Join(root, data, "current"))
			if err == nil || !errors.Is(err, fs.ErrNotExist) {
				return true
			}
			out, errs, code := command(t, "generate", "--data", data, "--world", string(kind))
			// A server just started in another terminal makes the same one.
			if code != 0 && !strings.Contains(errs, "another process is making a snapshot") {
				t.Fatalf("generate: exit %d\n%s%s", code, out, errs)
			}
			return code == 0
		})
		base, process, _ := launch(t, "--data", data)
		w.process = process
		deadline.Until(t, "it is ready", func() bool { // one made under another contract is made anew first
			response, err := http.Get(base + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
		w.base = base
	})
	if w.base == "" {
		t.Fatalf("the data set in %s could not be made or served; the test that tried says why", data)
	}
	return w.base
}

// A notebook that asks the world with an area effect is not run on a data set of the other one.
func TestVerifyWantsTheWorldItNames(t *testing.T) {
	t.Parallel()
	folder := small(t)
	other := filepath.Join(folder, "area-effect")
	if out, errs, code := command(t, "generate", "--data", other, "--scale", "0.01"); code != 0 {
		t.Fatalf("generate: exit %d\n%s%s", code, out, errs)
	}
	_, errs, code := command(t, "verify", "--data", folder, filepath.Join("notebooks",
		"04-day-care-composition-or-area.ipynb"))
	if want := "go run . generate --data " + other + " --world area-effect"; code != 2 || !strings.Contains(errs, want) {
		t.Errorf("exit %d, %q; want exit 2 and …%s…", code, errs, want)
	}
}

// What the plans change is found as it was planted, year by year, and where nothing was planted no year is told
// from 0: intervals that hold for all years at once contain the truth that the data set states.
func TestPlansEffect(t *testing.T) {
	if testing.Short() {
		t.Skip("makes the default data set at full scale if it is not there; run without -short")
	}
	t.Parallel()
	const question = `{
  dataset { planted { indicator of yearsSinceStart size } }
  residents { on: planEffect(of: OUTSIDE_WORK_AND_EDUCATION) { ...all } none: planEffect(of: CONVICTED) { ...all } }
}
fragment all on PlanEffect { started effects { yearsSinceStart effect { value } simultaneous { value lower upper } } }`
	type effect struct {
		Started int
		Effects []struct {
			YearsSinceStart int
			Simultaneous    interval
		}
	}
	var answer struct {
		Dataset struct {
			Planted []struct {
				Indicator, Of   string
				YearsSinceStart int
				Size            float64
			}
		}
		Residents struct{ On, None effect }
	}
	text, err := json.Marshal(ask(t, world(t, "data", synth.NoAreaEffect), question))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	for indicator, got := range map[string]effect{"OUTSIDE_WORK_AND_EDUCATION": answer.Residents.On,
		"CONVICTED": answer.Residents.None} {
		planted := map[int]float64{}
		for _, p := range answer.Dataset.Planted {
			if p.Of == "PLANS" && p.Indicator == indicator {
				planted[p.YearsSinceStart] = p.Size
			}
		}
		if len(planted) == 0 || got.Started < 90 {
			t.Fatalf("%s: planted is %v, started in %d areas", indicator, planted, got.Started)
		}
		after := 0
		for _, e := range got.Effects {
			i := e.Simultaneous
			if i.Lower == nil { // the year that the others are compared with
				continue
			}
			t.Logf("%s, %+d years: %+.4f (%+.4f to %+.4f), planted %+.4f", indicator, e.YearsSinceStart, *i.Value,
				*i.Lower, *i.Upper, planted[e.YearsSinceStart])
			if !i.contains(planted[e.YearsSinceStart]) {
				t.Errorf("%s, %d years: the planted %g is not from %g to %g", indicator, e.YearsSinceStart,
					planted[e.YearsSinceStart], *i.Lower, *i.Upper)
			}
			if e.YearsSinceStart >= 0 {
				after++
			}
			if e.YearsSinceStart == 1 && indicator == "OUTSIDE_WORK_AND_EDUCATION" && i.contains(0) {
				t.Errorf("%s: a year after the start %g to %g is not told from 0", indicator, *i.Lower, *i.Upper)
			}
		}
		if after < 2 {
			t.Errorf("%s has effects of %d years from the start on", indicator, after)
		}
	}
}
