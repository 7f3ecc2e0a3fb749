package study_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/study"
)

// counted is a context that ends when it has been asked some times whether it has.
type counted struct {
	context.Context
	left atomic.Int64
}

func (c *counted) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// held is a source whose tables are there already, so that what takes time is the computing.
type held struct {
	cells.Source
	tables map[string]cells.Answer
}

func (h *held) Tables(ctx context.Context, queries []cells.Query) []cells.Answer {
	out := make([]cells.Answer, len(queries))
	for i, q := range queries {
		a, ok := h.tables[q.String()]
		if !ok {
			a = h.Source.Tables(context.WithoutCancel(ctx), queries[i:i+1])[0]
			h.tables[q.String()] = a
		}
		out[i] = a
	}
	return out
}

// Who goes away while an answer is computed gets the reason, wherever it is in its computing, and never a
// part of it.
func TestComputingIsCancelled(t *testing.T) {
	s := study.New(&held{duckdbtest.Open(t, duckdbtest.Contract(t), duckdbtest.World), map[string]cells.Answer{}},
		study.Settings{})
	comparison := &study.Comparison{This: cohort(t, s, "children", "setting=SUPPORTED"),
		Other: cohort(t, s, "children", "setting=REST")}
	gap := study.GapOf{Comparison: comparison, Indicator: "POOR", Level: 0.95}
	by := []string{"AGE", "SEX", "ORIGIN"}
	area := "AREA"
	t.Run("kitagawa", stopped(s, study.DecompositionOf{GapOf: gap, By: by, Method: study.DecompositionMethodKitagawa,
		Components: 2, Reference: study.DecompositionReferencePooled}, 15))
	t.Run("oaxaca", stopped(s, study.DecompositionOf{GapOf: gap, By: by, Method: study.DecompositionMethodOaxacaBlinder,
		Components: 2, Reference: study.DecompositionReferencePooled}, 8))
	t.Run("fairlie", stopped(s, study.DecompositionOf{GapOf: gap, By: by, Method: study.DecompositionMethodFairlie,
		Components: 2, Reference: study.DecompositionReferencePooled}, 20))
	t.Run("adjusted", stopped(s, study.AdjustedOf{GapOf: gap, Controls: by, Model: study.RegressionModelLogit}, 6))
	within := &study.Comparison{This: cohort(t, s, "children", "setting=SUPPORTED&ages=..3"),
		Other: cohort(t, s, "children", "setting=SUPPORTED&ages=4..")}
	t.Run("clustered", stopped(s, study.AdjustedOf{GapOf: study.GapOf{Comparison: within, Indicator: "POOR",
		Level: 0.95}, Controls: []string{"SEX"}, Model: study.RegressionModelLinear, ClusterBy: &area}, 6))
	t.Run("areas", stopped(s, study.BetweenAreasOf{Cohort: comparison.This, Indicator: "POOR",
		Controls: []string{"SEX"}, Level: 0.95}, 5))
	for _, method := range []study.EffectMethod{study.EffectMethodIPW, study.EffectMethodMatching,
		study.EffectMethodDoublyRobust} {
		t.Run(string(method), stopped(s, study.EffectOf{Activity: "LEISURE_JOB", Outcome: "IN_LEISURE_JOB",
			Method: method, Level: 0.95, Caliper: 0.2}, 8))
	}
	t.Run("survey", stopped(s, study.PerceivedOf{By: []study.SurveyDimension{study.SurveyDimensionItem}, Level: 0.95},
		5))
}

// stopped asks a question that ends at each time that it asks whether it should.
func stopped[A any](s *study.Study, q study.Question[A], asks int64) func(*testing.T) {
	return func(t *testing.T) {
		want := asked(context.Background(), s.Request(), q)
		if strings.HasPrefix(want, "error") {
			t.Fatal(want)
		}
		ended := int64(0)
		for ; ; ended++ {
			ctx := &counted{Context: context.Background()}
			ctx.left.Store(ended)
			_, err := study.Ask(ctx, s.Request(), q)
			if err == nil {
				break
			}
			if err != context.Canceled {
				t.Fatalf("ended when it asked for the time %d it gave %v, want context.Canceled", ended+1, err)
			}
		}
		if ended < asks {
			t.Errorf("it asked %d times whether to end, want at least %d", ended, asks)
		}
		if got := asked(context.Background(), s.Request(), q); got != want {
			t.Errorf("afterwards it is\n%s\nwant\n%s", got, want)
		}
	}
}

// A question over many cells asks often whether it should end: no part of its computing takes long.
func TestLongComputingEndsSoon(t *testing.T) {
	source := &held{duckdbtest.Open(t, duckdbtest.Contract(t), manyCells), map[string]cells.Answer{}}
	s := study.New(source, study.Settings{})
	comparison := &study.Comparison{This: cohort(t, s, "children", "sex=MALE"),
		Other: cohort(t, s, "children", "sex=FEMALE")}
	q := study.DecompositionOf{GapOf: study.GapOf{Comparison: comparison, Indicator: "POOR", Level: 0.95},
		Method: study.DecompositionMethodFairlie, Components: 2, Reference: study.DecompositionReferencePooled,
		By: []string{"YEAR", "AGE", "REGISTERED_ORIGIN", "FAMILY_TYPE", "PARENTS_STATUS", "INCOME_GROUP"}}
	const plenty = 1 << 40
	whole := &counted{Context: context.Background()}
	whole.left.Store(plenty)
	start := time.Now()
	if _, err := study.Ask(whole, s.Request(), q); err != nil {
		t.Fatal(err)
	}
	took, asks := time.Since(start), plenty-whole.left.Load()
	if asks < 60 {
		t.Errorf("it asked %d times whether to end, want at least 60", asks)
	}
	half := &counted{Context: context.Background()}
	half.left.Store(asks / 2)
	start = time.Now()
	if _, err := study.Ask(half, s.Request(), q); err != context.Canceled {
		t.Errorf("cancelled half-way it gave %v", err)
	}
	if more := -half.left.Load(); more > 10 {
		t.Errorf("it asked %d times more once it was cancelled", more)
	}
	t.Logf("%v with the counting, asking %d times whether to end; cancelled half-way %v", took, asks, time.Since(start))
}

// A child in each of 30,000 cells.
const manyCells = `CREATE TABLE child_year AS SELECT
	2010 + i % 5 AS year, i // 5 % 5 AS age, ['MALE', 'FEMALE'][i // 25 % 2 + 1] AS sex,
	['DANISH', 'IMMIGRANT_WESTERN', 'DESCENDANT_WESTERN', 'IMMIGRANT_NON_WESTERN',
	       'DESCENDANT_NON_WESTERN'][i // 50 % 5 + 1] AS origin,
	NULL::VARCHAR AS area_id,
	['BOTH_PARENTS', 'MOTHER_AND_PARTNER', 'MOTHER_ALONE', 'FATHER_AND_PARTNER', 'FATHER_ALONE',
	       'NEITHER'][i // 250 % 6 + 1] AS family_type,
	['BOTH_ACTIVE', 'ONE_ACTIVE', 'NONE_ACTIVE', 'UNKNOWN'][i // 1500 % 4 + 1] AS parents_status,
	'Q' || (i // 6000 % 5 + 1) AS income_group, i * 7919 % 11 < 4 AS poor
	FROM range(30000) t(i)`
