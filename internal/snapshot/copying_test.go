package snapshot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/deadline"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/synth"
)

var ofEachType = []*contract.Column{
	{Name: "row", Type: contract.Int}, {Name: "integer", Type: contract.Int}, {Name: "percent", Type: contract.Decimal},
	{Name: "day", Type: contract.Date}, {Name: "flag", Type: contract.Bool}, {Name: "code", Type: contract.String},
	{Name: "text", Type: contract.String}, {Name: "list", Type: contract.Strings},
}

// manyCodes are as many as a column may have.
func manyCodes() (codes []string) {
	codes = []string{"", "Æblevej", "a long one, beyond what DuckDB keeps inline"}
	for len(codes) < synth.NullCode {
		codes = append(codes, fmt.Sprint(len(codes)))
	}
	return codes
}

// drawRows draws columns of each type, of which each value but the first column's is null with the chance,
// and each row as it should be read.
func drawRows(r *rand.Rand, rows int, null float64) (columns []synth.Column, want []string) {
	for _, c := range ofEachType {
		columns = append(columns, synth.Column{Name: c.Name})
	}
	columns[4].Codes, columns[5].Codes = synth.Bools, manyCodes()
	for row := range rows {
		integers := []int32{int32(row), r.Int32() - r.Int32(), r.Int32N(2_000_000) - 1_000_000, r.Int32N(40_000) - 20_000}
		switch r.IntN(10) {
		case 0:
			integers[1], integers[2] = math.MinInt32+1, math.MinInt32+1
		case 1:
			integers[1], integers[2] = math.MaxInt32, math.MaxInt32
		}
		flag, code := uint8(r.IntN(2)), uint8(r.IntN(synth.NullCode))
		text := strings.Repeat("ø", r.IntN(10)) + fmt.Sprint(r.IntN(3000))
		list := strings.Fields("P1 P2 P3 P4")[:r.IntN(5)]
		words := []string{fmt.Sprint(row), fmt.Sprint(integers[1]), fmt.Sprint(integers[2]),
			time.Unix(int64(integers[3])*86_400, 0).UTC().Format(time.DateOnly), synth.Bools[flag], columns[5].Codes[code], text}
		for i := 1; i < len(words); i++ {
			if r.Float64() >= null {
				continue
			}
			words[i] = "null"
			switch i {
			case 4:
				flag = synth.NullCode
			case 5:
				code = synth.NullCode
			case 6:
				text = synth.NullText
			default:
				integers[i] = synth.NullInt
			}
		}
		columns[0].Int, columns[1].Int = append(columns[0].Int, integers[0]), append(columns[1].Int, integers[1])
		columns[2].Decimal, columns[3].Date = append(columns[2].Decimal, integers[2]), append(columns[3].Date, integers[3])
		columns[4].Code, columns[5].Code = append(columns[4].Code, flag), append(columns[5].Code, code)
		columns[6].Text, columns[7].Texts = append(columns[6].Text, text), append(columns[7].Texts, list)
		want = append(want, fmt.Sprintf("%s [%s]", strings.Join(words, " | "), strings.Join(list, ", ")))
	}
	return columns, want
}

// What is read back is what was written, whatever the numbers of rows, nulls and threads, and so is its sum.
func TestReadBack(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, rows := range []int{0, 1, 63, 2047, 2049, blockRows + 5000} {
		for _, null := range []float64{0, 0.001, 1, 0.3} {
			if rows > blockRows && null != 0.3 {
				continue // which takes seconds
			}
			columns, want := drawRows(rand.New(rand.NewPCG(1, uint64(rows))), rows, null)
			path := filepath.Join(t.TempDir(), "rows.parquet")
			c, err := startCopy(context.Background(), path, ofEachType, columns)
			if err != nil {
				t.Fatal(err)
			}
			for row, step := 0, max(1, rows/3); row < rows; row += step {
				if err := c.send(context.Background(), block{columns, row, min(rows, row+step)}); err != nil {
					t.Fatal(err)
				}
			}
			close(c.blocks)
			<-c.ended
			if c.err != nil {
				t.Fatal(c.err)
			}
			read, err := db.Query("SELECT concat_ws(' | ', row, coalesce(integer::VARCHAR, 'null'), " +
				"coalesce((percent * 10000)::BIGINT::VARCHAR, 'null'), coalesce(day::VARCHAR, 'null'), " +
				"coalesce(flag::VARCHAR, 'null'), coalesce(code, 'null'), coalesce(text, 'null')) || ' ' || list::VARCHAR FROM " +
				duckdb.Parquet(path) + " ORDER BY row")
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for read.Next() {
				var text string
				if err := read.Scan(&text); err != nil {
					t.Fatal(err)
				}
				got = append(got, text)
			}
			if err := errors.Join(read.Err(), read.Close()); err != nil {
				t.Fatal(err)
			}
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("%d rows, nulls %g: read %s, written %s", rows, null, got[i], want[i])
				}
			}
			if len(got) != len(want) {
				t.Errorf("nulls %g: read %d rows, written %d", null, len(got), len(want))
			}
			_, sum, err := contentOf(context.Background(), db, path, &contract.Table{Columns: ofEachType}, fingerprintRule)
			if err != nil || sum.rows != c.sum.rows || sum.text() != c.sum.text() {
				t.Errorf("%d rows, nulls %g: the sum is %s, of the file %s (%v)", rows, null, c.sum.text(), sum.text(), err)
			}
		}
	}
}

// A disk that is full ends the writing, whether more rows come or not.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no disk that is always full")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	columns, _ := drawRows(rand.New(rand.NewPCG(1, 2)), blockRows, 0)
	for _, threads := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(threads)
		for _, blocks := range []int{1, 2, threads + 1, math.MaxInt} {
			path := filepath.Join(t.TempDir(), "full.parquet")
			if err := os.Symlink("/dev/full", path); err != nil {
				t.Fatal(err)
			}
			c, err := startCopy(context.Background(), path, ofEachType[:4], columns[:4])
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < blocks && err == nil; i++ {
				err = c.send(context.Background(), block{columns[:4], 0, blockRows})
			}
			close(c.blocks)
			<-c.ended
			for _, err := range []error{err, c.err} {
				if err != nil && !strings.Contains(err.Error(), "No space left") || c.err == nil {
					t.Errorf("%d threads, %d blocks: error %v", threads, blocks, err)
				}
			}
			allEnd(t)
		}
	}
}

// allEnd waits until nothing of this package runs but tests. Goroutines are not counted as such: Go keeps one for
// a thread of DuckDB that has called it, for as long as the thread lives.
func allEnd(t *testing.T) {
	t.Helper()
	deadline.Until(t, "every goroutine to end", func() bool {
		stacks := make([]byte, 1<<20)
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "kvarter/internal/snapshot.") && !strings.Contains(stack, "testing.tRunner") {
				return false
			}
		}
		return true
	})
}

func manyRows(from, n int) *synth.Batch {
	b := &synth.Batch{Table: "child_year", Rows: n, Columns: []synth.Column{{Name: "child_id", Int: make([]int32, n)},
		{Name: "sex", Code: make([]uint8, n), Codes: synth.Sexes}}}
	for i := range n {
		b.Columns[0].Int[i], b.Columns[1].Code[i] = int32(from+i), uint8(i%2)
	}
	return b
}

// Whenever it is stopped, by its context or an error, a snapshot that is being written ends with why, and
// leaves no file and no goroutine.
func TestStoppedWriting(t *testing.T) {
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	wrong := manyRows(0, 2*blockRows)
	wrong.Columns[1].Code[blockRows+7] = 2
	others := manyRows(0, 1)
	others.Columns[1].Codes = []string{"x", "y"}
	twice := manyRows(0, 1)
	twice.Columns[1].Codes = []string{"x", "x"}
	type writing struct {
		*Writer
		ctx    context.Context
		cancel func()
	}
	rows := func(w writing, table string, b ...*synth.Batch) error {
		return w.Write(w.ctx, table, slices.Values(b), nil)
	}
	area := &synth.Batch{Table: "area", Rows: 1, Columns: []synth.Column{{Name: "area_id", Text: []string{"A"}}}}
	for name, try := range map[string]struct {
		write func(w writing) error
		says  string
	}{
		"cancelled at first": {func(w writing) error {
			w.cancel()
			return rows(w, "child_year", manyRows(0, 5))
		}, "canceled"},
		"cancelled between batches": {func(w writing) error {
			return w.Write(w.ctx, "child_year", iter.Seq[*synth.Batch](func(yield func(*synth.Batch) bool) {
				for i := range 100 {
					if i == 3 {
						w.cancel()
					}
					if !yield(manyRows(i, 3*blockRows)) {
						return
					}
				}
			}), nil)
		}, "canceled"},
		"cancelled between parts": {func(w writing) error {
			err := errors.Join(rows(w, "child_year", manyRows(0, blockRows+5)), rows(w, "area", area))
			w.cancel()
			return errors.Join(err, rows(w, "child_year", manyRows(0, 100*blockRows)))
		}, "canceled"},
		"cancelled at last": {func(w writing) error {
			err := errors.Join(rows(w, "child_year", manyRows(0, blockRows+5)), rows(w, "area", area))
			w.cancel()
			return err
		}, "canceled"},
		"cancelled by the caller alone": {func(w writing) error {
			ctx, cancel := context.WithCancel(w.ctx)
			cancel()
			return w.Write(ctx, "child_year", slices.Values([]*synth.Batch{manyRows(0, 50*blockRows)}), nil)
		}, "canceled"},
		"failed between tables": {func(w writing) error {
			return errors.Join(rows(w, "child_year", manyRows(0, blockRows+5)), rows(w, "area", area), boom)
		}, "boom"},
		"a code that is not there": {func(w writing) error { return rows(w, "child_year", wrong) },
			fmt.Sprintf("column sex: row %d has code number 2 of 2", blockRows+7)},
		"a code that is not there, and more rows": {func(w writing) error {
			return rows(w, "child_year", wrong, manyRows(0, 40*blockRows))
		}, "code number 2 of 2"},
		"a code that is there twice": {func(w writing) error { return rows(w, "child_year", twice) }, "column sex: "},
		"other codes": {func(w writing) error { return rows(w, "child_year", manyRows(0, 1), others) },
			"different codes in column sex"},
		"a failure that is passed over": {func(w writing) error {
			_ = rows(w, "child_year", manyRows(0, 1), others)
			return rows(w, "area", area)
		}, "different codes in column sex"},
	} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Create(ctx, dir, c, Meta{Name: "test"}, func(w *Writer) error {
			return try.write(writing{w, ctx, cancel})
		}, nil)
		cancel()
		if err == nil || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%s: error %v, want one with %q", name, err, try.says)
		}
		if left, err := os.ReadDir(filepath.Join(dir, snapshotsFolder)); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v (%v)", name, left, err)
		}
		allEnd(t)
	}
}

// Until a snapshot is whole and is found to hold no one's data, its owner alone reads its files.
func TestFilesAreTheOwners(t *testing.T) {
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	seen := errors.New("seen")
	_, err = Create(context.Background(), t.TempDir(), c, Meta{Name: "test"}, func(w *Writer) error {
		return w.Write(context.Background(), "child_year", slices.Values([]*synth.Batch{manyRows(0, 5)}), nil)
	}, func(_ context.Context, folder string) error {
		at, err := os.Stat(filepath.Join(folder, "child_year.parquet"))
		if err != nil {
			return err
		}
		if at.Mode().Perm() != 0o600 {
			t.Errorf("child_year.parquet has the mode %s", at.Mode())
		}
		return seen
	})
	if !errors.Is(err, seen) {
		t.Error(err)
	}
}
