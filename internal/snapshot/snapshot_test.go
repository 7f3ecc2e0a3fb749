package snapshot_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/progress"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/synth"
)

// pinnedFingerprint is of seed 1 at scale 0.01 in the default world.
const pinnedFingerprint = "9af4108f967597f20a328b82d40b946ebf91a12457f6ffeb67e7db2c769f0325"

var meta = snapshot.Meta{Name: "test", Title: "A test", Licence: "CC0-1.0", Citation: "none"}

// plans is a batch of the table plan with one plan for each name; a name of "" has no start.
func plans(names ...string) *synth.Batch {
	var id []string
	var start []int32
	for i, name := range names {
		id = append(id, fmt.Sprintf("P%d", i))
		if name == "" {
			start = append(start, synth.NullInt)
		} else {
			start = append(start, int32(15_000+i))
		}
	}
	return &synth.Batch{Table: "plan", Rows: len(names), Columns: []synth.Column{{Name: "plan_id", Text: id},
		{Name: "name", Text: names}, {Name: "start", Date: start}}}
}

func each(batches ...*synth.Batch) iter.Seq[*synth.Batch] { return slices.Values(batches) }

func create(t testing.TB, dir string, batches ...*synth.Batch) (snapshot.Info, error) {
	t.Helper()
	return snapshot.Create(context.Background(), dir, theContract(t), meta, func(w *snapshot.Writer) error {
		return w.Write(context.Background(), "plan", each(batches...), nil)
	}, nil)
}

func mustCreate(t testing.TB, dir string, batches ...*synth.Batch) snapshot.Info {
	t.Helper()
	info, err := create(t, dir, batches...)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func currentFolder(t testing.TB, dir string) string {
	t.Helper()
	folder, _, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func snapshots(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The fingerprint of two plans, computed by hand as its description says, with numbers as wide as they
// come.
func TestFingerprintIsWhatItsDescriptionSays(t *testing.T) {
	dir := t.TempDir()
	info := mustCreate(t, dir, plans("Blå", ""))
	word := func(text string) *big.Int {
		sum := md5.Sum([]byte(text))
		return new(big.Int).SetUint64(binary.LittleEndian.Uint64(sum[:8]))
	}
	folded := func(x, factor *big.Int) *big.Int {
		product := new(big.Int).Mul(x, factor)
		low := new(big.Int).And(product, new(big.Int).SetUint64(math.MaxUint64))
		return low.Xor(low, product.Rsh(product, 64))
	}
	sum, golden := new(big.Int), new(big.Int).SetUint64(0x9e3779b97f4a7c15)
	days := new(big.Int).Lsh(big.NewInt(1), 63)
	days.Add(days, big.NewInt(15_000)) // 2011-01-26
	factor := word("start\x1e")
	start := folded(days.Xor(days, word("start")), factor.Or(factor, big.NewInt(1)))
	for _, row := range [][3]*big.Int{
		{word("plan_id\x1fP0"), word("name\x1fBlå"), start},
		{word("plan_id\x1fP1"), word("name\x1f"), word("start\x1f\x00")},
	} {
		x := new(big.Int).Xor(row[0], row[1])
		sum.Add(sum, folded(x.Xor(x, row[2]), golden))
	}
	whole := sha256.Sum256(fmt.Appendf(nil, "plan\nplan_id name start\n2 %s\n", sum))
	if want := hex.EncodeToString(whole[:]); info.Fingerprint != want {
		t.Errorf("fingerprint %s, want %s", info.Fingerprint, want)
	}
	// That of a data set that was made by the earlier rule is computed by it.
	var lower, upper big.Int
	for _, row := range []string{"2:P0\x1f3:Blå\x1f2011-01-26", "2:P1\x1f0:\x1f\x00"} {
		sum := md5.Sum([]byte(row))
		lower.Add(&lower, new(big.Int).SetUint64(binary.LittleEndian.Uint64(sum[:8])))
		upper.Add(&upper, new(big.Int).SetUint64(binary.LittleEndian.Uint64(sum[8:])))
	}
	whole = sha256.Sum256(fmt.Appendf(nil, "plan\nplan_id name start\n2 %s %s\n", &lower, &upper))
	info.FingerprintRule = 0
	earlier, err := snapshot.Describe(context.Background(), currentFolder(t, dir), info, theContract(t))
	if want := hex.EncodeToString(whole[:]); err != nil || earlier.Fingerprint != want {
		t.Errorf("by the earlier rule %s (%v), want %s", earlier.Fingerprint, err, want)
	}
	info.FingerprintRule = 3
	if _, err := snapshot.Describe(context.Background(), currentFolder(t, dir), info, theContract(t)); err == nil ||
		!strings.Contains(err.Error(), "rule 3") {
		t.Errorf("a rule of a later program gives %v", err)
	}
}

// What is computed as rows are written is what DuckDB computes of the file, for every table of a
// register and so for every type, with nulls.
func TestFingerprintOfColumnsIsThatOfTheFile(t *testing.T) {
	dir := t.TempDir()
	info := generate(t, dir, synth.Options{Seed: 5, Scale: 0.01, World: synth.NoAreaEffect}).info
	again, err := snapshot.Describe(context.Background(), currentFolder(t, dir), info, theContract(t))
	if err != nil {
		t.Fatal(err)
	}
	if again.Fingerprint != info.Fingerprint || !slices.EqualFunc(again.Tables, info.Tables,
		func(a, b snapshot.Table) bool { return a.Fingerprint == b.Fingerprint && a.Rows == b.Rows }) {
		t.Errorf("of the file %+v, of the columns %+v", again.Tables, info.Tables)
	}
}

func TestFingerprintIsOfContentAlone(t *testing.T) {
	one := mustCreate(t, t.TempDir(), plans("a", "b", "", "d")).Fingerprint
	reversed := plans("a", "b", "", "d")
	for _, c := range reversed.Columns {
		slices.Reverse(c.Text)
		slices.Reverse(c.Date)
	}
	if two := mustCreate(t, t.TempDir(), reversed).Fingerprint; two != one {
		t.Error("the order of rows changes the fingerprint")
	}
	for name, b := range map[string]*synth.Batch{
		"another value":      plans("a", "b", "", "e"),
		"null or not":        plans("a", "b", "c", "d"),
		"a row more":         plans("a", "b", "", "d", "d"),
		"a row twice":        plans("a", "b", "", "d", "e", "e"),
		"values moved about": plans("ab", "", "", "d"),
	} {
		if mustCreate(t, t.TempDir(), b).Fingerprint == one {
			t.Errorf("%s does not change the fingerprint", name)
		}
	}
	folder := currentFolder(t, func() string { d := t.TempDir(); mustCreate(t, d, plans("a", "b", "", "d")); return d }())
	again, err := snapshot.Describe(context.Background(), folder,
		mustCreate(t, t.TempDir(), plans("a", "b", "", "d")), theContract(t))
	if err != nil || again.Fingerprint != one {
		t.Errorf("computed anew it is %s (%v), want %s", again.Fingerprint, err, one)
	}
}

// The same seed gives the same content on any number of threads; another seed, another content.
func TestSameSeedSameFingerprint(t *testing.T) {
	c := theContract(t)
	drawn := func(o synth.Options, threads int) snapshot.Info {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		o.World = synth.NoAreaEffect
		info, err := snapshot.Generate(context.Background(), t.TempDir(), c, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	var one string
	for _, o := range []synth.Options{{Seed: 1, Scale: 0.025, Part: 0.01}, {Seed: 1, Scale: 0.01}} {
		alone := drawn(o, 1)
		for _, threads := range []int{2, 7} {
			got := drawn(o, threads)
			if got.Fingerprint != alone.Fingerprint {
				t.Errorf("%+v: %d threads give another fingerprint than one: %s, %s", o, threads, got.Fingerprint,
					alone.Fingerprint)
			}
		}
		one = alone.Fingerprint
	}
	if drawn(synth.Options{Seed: 2, Scale: 0.01}, 2).Fingerprint == one {
		t.Error("another seed gives the same fingerprint")
	}
	// Pinned, so that a change of the default data set is seen, and another processor that
	// computes otherwise is found.
	if want := pinnedFingerprint; one != want {
		t.Errorf("seed 1 at scale 0.01 has the fingerprint %s, was %s: if the generator was changed on purpose, pin the "+
			"new one", one, want)
	}
}

func TestSnapshotDescribesItself(t *testing.T) {
	dir := t.TempDir()
	g := generate(t, dir, synth.Options{Seed: 7, Scale: 0.001, World: synth.NoAreaEffect})
	_, info, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(info) != fmt.Sprint(g.info) && info.Generator == nil {
		t.Errorf("read back %+v, made %+v", info, g.info)
	}
	if !info.Synthetic || info.Generator.Seed != 7 || info.Generator.World != "no-area-effect" {
		t.Errorf("%+v does not say what it is", info)
	}
	want := synth.Options{Seed: 7, World: synth.NoAreaEffect}.Planted()
	if len(want) < 10 || !reflect.DeepEqual(info.Planted, want) {
		t.Errorf("%+v is said to be planted, want %+v", info.Planted, want)
	}
	if !slices.Equal(info.Years, []int{2010, 2011, 2012, 2013, 2014, 2015, 2016, 2017}) {
		t.Errorf("years %v", info.Years)
	}
	for _, table := range info.Tables {
		if rows := g.number(t, "SELECT count(*) FROM "+table.Name); rows != float64(table.Rows) {
			t.Errorf("%s has %.0f rows, said are %d", table.Name, rows, table.Rows)
		}
	}
	// Every column of the contract is there, with its type.
	for _, table := range theContract(t).Tables {
		i := slices.IndexFunc(info.Tables, func(x snapshot.Table) bool { return x.Name == table.Name })
		if i < 0 {
			t.Errorf("no table %s", table.Name)
			continue
		}
		for _, column := range table.Columns {
			switch table.Name + "." + column.Name {
			case "area_year.on_official_list": // no ministry lists an invented area
				continue
			case "area_year.averaged": // the key figures are of single years
				continue
			}
			if !slices.Contains(info.Tables[i].Columns, column.Name) {
				t.Errorf("%s has no column %s", table.Name, column.Name)
				continue
			}
			var kind string
			if err := g.db.QueryRow(fmt.Sprintf(`SELECT typeof("%s") FROM %s LIMIT 1`, column.Name,
				table.Name)).Scan(&kind); err != nil {
				t.Fatal(err)
			}
			if kind != column.Type.SQL() {
				t.Errorf("%s.%s is %s, want %s", table.Name, column.Name, kind, column.Type.SQL())
			}
			if column.Codes == nil {
				continue
			}
			var codes []string
			for _, code := range column.Codes.Codes {
				codes = append(codes, "'"+code.Code+"'")
			}
			if n := g.number(t, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s NOT IN (%s)", table.Name, column.Name,
				strings.Join(codes, ", "))); n != 0 {
				t.Errorf("%.0f rows of %s have codes in %s that the contract lacks", n, table.Name, column.Name)
			}
		}
	}
}

// Large batches are cut into blocks that several threads take: every row arrives once.
func TestEveryRowIsWrittenOnce(t *testing.T) {
	const rows, per = 700_000, 230_000
	var batches []*synth.Batch
	for from := 0; from < rows; from += per {
		n := min(per, rows-from)
		b := &synth.Batch{Table: "child_year", Rows: n, Columns: []synth.Column{{Name: "child_id", Int: make([]int32, n)},
			{Name: "year", Int: make([]int32, n)}, {Name: "age", Int: make([]int32, n)}}}
		for i := range n {
			b.Columns[0].Int[i], b.Columns[1].Int[i] = int32(from+i), int32(2010+from/per)
		}
		batches = append(batches, b)
	}
	dir := t.TempDir()
	added := make(chan int, rows)
	_, err := snapshot.Create(context.Background(), dir, theContract(t), meta, func(w *snapshot.Writer) error {
		return w.Write(context.Background(), "child_year", each(batches...), func(n int) { added <- n })
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	close(added)
	total := 0
	for n := range added {
		total += n
	}
	g := &generated{db: openDuckDB(t)}
	file := "'" + filepath.Join(currentFolder(t, dir), "child_year.parquet") + "'"
	if n := g.number(t, "SELECT count(DISTINCT child_id) FROM "+file); n != rows || total != rows {
		t.Errorf("%.0f different rows of %d, %d counted", n, rows, total)
	}
	// A year is in few row groups, so that a question about one year skips the others.
	if n := g.number(t, "SELECT max(k) FROM (SELECT count(*) FILTER (stats_min_value <= '2011' AND stats_max_value >= "+
		"'2011') AS k FROM parquet_metadata("+file+") WHERE path_in_schema = 'year')"); n > 4 {
		t.Errorf("2011 is in %.0f row groups", n)
	}
}

func TestFailuresLeaveTheCurrentSnapshot(t *testing.T) {
	dir := t.TempDir()
	mustCreate(t, dir, plans("one"))
	current := currentFolder(t, dir)
	ctx := context.Background()
	c := theContract(t)
	write := func(table string, b *synth.Batch) func(*snapshot.Writer) error {
		return func(w *snapshot.Writer) error { return w.Write(ctx, table, each(b), nil) }
	}
	wrongCode := &synth.Batch{Rows: 1, Columns: []synth.Column{{Name: "sex", Code: []uint8{7}, Codes: synth.Sexes}}}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	boom := errors.New("boom")
	for name, try := range map[string]struct {
		ctx   context.Context
		meta  snapshot.Meta
		write func(*snapshot.Writer) error
		cells func(context.Context, string) error
		says  string
	}{
		"unknown table":  {ctx, meta, write("plans", plans("a")), nil, `no table "plans"`},
		"unknown column": {ctx, meta, write("area", plans("a")), nil, `no column "plan_id"`},
		"wrong type": {ctx, meta, write("plan", &synth.Batch{Rows: 1,
			Columns: []synth.Column{{Name: "start", Text: []string{"x"}}}}), nil, "type date"},
		"code not there": {ctx, meta, write("child_year", wrongCode), nil, "code number 7 of 2"},
		"no rows": {ctx, meta, func(w *snapshot.Writer) error { return w.Write(ctx, "plan", each(), nil) }, nil,
			"no rows"},
		"nothing written": {ctx, meta, func(*snapshot.Writer) error { return nil }, nil, "no table"},
		"cells fail": {ctx, meta, write("plan", plans("a")), func(context.Context, string) error { return boom },
			"boom"},
		"cancelled": {canceled, meta, write("plan", plans("a")), nil, "cancel"},
		"bad name":  {ctx, snapshot.Meta{Name: "../x"}, write("plan", plans("a")), nil, "letters"},
	} {
		_, err := snapshot.Create(try.ctx, dir, c, try.meta, try.write, try.cells)
		if err == nil || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%s: error %v, want one with %q", name, err, try.says)
		}
		if now := currentFolder(t, dir); now != current {
			t.Errorf("%s: current is %s", name, now)
		}
		if got := snapshots(t, dir); len(got) != 1 {
			t.Errorf("%s: left %v behind", name, got)
		}
	}
	for _, scale := range []float64{0, 0.0001, 201} { // 0 is no scale, and no word for 1
		if _, err := synth.Generate(synth.Options{Scale: scale,
			World: synth.NoAreaEffect}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("scale %g gives %v", scale, err)
		}
	}
	if _, err := synth.Generate(synth.Options{Scale: 1, World: "area-efect"}); err == nil ||
		!strings.Contains(err.Error(), "did you mean area-effect") {
		t.Errorf("a mistyped world gives %v", err)
	}
}

// A build killed at any moment leaves the old snapshot current; the next build removes what it
// left. The child process of this test kills itself at the point that it is told.
func TestKilledBuildLeavesTheOldCurrent(t *testing.T) {
	if dir := os.Getenv("KVARTER_TEST_KILLED_IN"); dir != "" {
		killedBuild(t, dir, os.Getenv("KVARTER_TEST_KILLED_AT"))
		return
	}
	for _, at := range []string{"start", "rows", "cells"} {
		dir := t.TempDir()
		mustCreate(t, dir, plans("old"))
		old := currentFolder(t, dir)
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledBuildLeavesTheOldCurrent$")
		cmd.Env = append(os.Environ(), "KVARTER_TEST_KILLED_IN="+dir, "KVARTER_TEST_KILLED_AT="+at)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		ready := false
		for lines.Scan() {
			if lines.Text() == "ready" {
				ready = true
				break
			}
		}
		if _, err := create(t, dir, plans("meanwhile")); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: a second build at the same time gives %v", at, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if !ready {
			t.Fatalf("%s: the build never came so far", at)
		}
		if now := currentFolder(t, dir); now != old {
			t.Errorf("%s: current is %s, was %s", at, now, old)
		}
		if left := snapshots(t, dir); len(left) != 2 {
			t.Errorf("%s: %v: the killed build should have left its folder", at, left)
		}
		mustCreate(t, dir, plans("new"))
		for _, name := range snapshots(t, dir) {
			if strings.HasPrefix(name, ".") {
				t.Errorf("%s: %s is still there after the next build", at, name)
			}
		}
	}
}

func killedBuild(t *testing.T, dir, at string) {
	wait := func(point string) {
		if point == at {
			fmt.Println("ready")
			select {}
		}
	}
	_, _ = snapshot.Create(context.Background(), dir, theContract(t), meta, func(w *snapshot.Writer) error {
		wait("start")
		return w.Write(context.Background(), "plan", func(yield func(*synth.Batch) bool) {
			if yield(plans("a", "b")) {
				wait("rows")
			}
		}, nil)
	}, func(context.Context, string) error {
		wait("cells")
		return nil
	})
}

func TestProgressIsPlainLinesElsewhere(t *testing.T) {
	var out strings.Builder
	if _, err := snapshot.Generate(context.Background(), t.TempDir(), theContract(t),
		synth.Options{Scale: 0.001, World: synth.NoAreaEffect}, nil, progress.New(&out)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "Writing the facts\n") || strings.Contains(got, "\r") {
		t.Errorf("wrote %q", got)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for _, scale := range []float64{0.01, 1} {
		b.Run(fmt.Sprintf("scale=%g", scale), func(b *testing.B) {
			c := theContract(b)
			for b.Loop() {
				if _, err := snapshot.Generate(context.Background(), b.TempDir(), c,
					synth.Options{Seed: 1, Scale: scale, World: synth.NoAreaEffect}, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// inParts draws a register in that many parts of the scale, and returns its rows and the most bytes
// that were in use on the way.
func inParts(t testing.TB, parts int, part float64) (rows, peak int64) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // so that what is held is what is in use
	stop := peakBytes()
	info, err := snapshot.Generate(context.Background(), t.TempDir(), theContract(t),
		synth.Options{Seed: 1, Scale: part * float64(parts), World: synth.NoAreaEffect, Part: part}, nil, nil)
	peak = stop()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range info.Tables {
		rows += table.Rows
	}
	return rows, peak
}

// The most memory that is in use does not grow with the number of parts.
func TestMemoryHoldsOnePart(t *testing.T) {
	_, one := inParts(t, 1, 0.05)
	if _, four := inParts(t, 4, 0.05); four > one*3/2 {
		t.Errorf("four parts take %d bytes, one takes %d", four, one)
	}
}

// Time grows with the rows, memory not.
func BenchmarkGenerateInParts(b *testing.B) {
	for _, parts := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("parts=%d", parts), func(b *testing.B) {
			var rows, most int64
			for b.Loop() {
				n, peak := inParts(b, parts, 0.05)
				rows, most = n, max(most, peak)
			}
			b.ReportMetric(float64(most), "peak-bytes")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}

// peakBytes measures what Go's heap takes until the function is called, which returns the most.
func peakBytes() func() int64 {
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		peak := int64(0)
		for {
			metrics.Read(sample)
			peak = max(peak, int64(sample[0].Value.Uint64()))
			select {
			case <-done:
				most <- peak
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int64 { close(done); return <-most }
}

// The fingerprint of a table is of its content alone: another table beside it, the order of its rows
// and how its file is laid out change nothing, a value does.
func TestFingerprintsOfTables(t *testing.T) {
	prints := func(area string, plans *synth.Batch, split bool) map[string]string {
		info, err := snapshot.Create(context.Background(), t.TempDir(), theContract(t), meta, func(w *snapshot.Writer) error {
			areas := &synth.Batch{Table: "area", Rows: 1, Columns: []synth.Column{{Name: "area_id", Text: []string{area}},
				{Name: "name", Text: []string{"Et"}}, {Name: "source", Text: []string{"invented"}}}}
			if err := w.Write(context.Background(), "area", each(areas), nil); err != nil {
				return err
			}
			batches := []*synth.Batch{plans}
			if split {
				batches = nil
				for i := range plans.Rows {
					b := &synth.Batch{Table: "plan", Rows: 1}
					for _, c := range plans.Columns {
						one := synth.Column{Name: c.Name}
						if c.Text != nil {
							one.Text = c.Text[i : i+1]
						} else {
							one.Date = c.Date[i : i+1]
						}
						b.Columns = append(b.Columns, one)
					}
					batches = append([]*synth.Batch{b}, batches...)
				}
			}
			return w.Write(context.Background(), "plan", each(batches...), nil)
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{"": info.Fingerprint}
		for _, table := range info.Tables {
			out[table.Name] = table.Fingerprint
		}
		return out
	}
	one := prints("A1", plans("a", "b", ""), false)
	if len(one) != 3 || one["plan"] == one["area"] || len(one["plan"]) != 64 {
		t.Fatalf("fingerprints %v", one)
	}
	if again := prints("A1", plans("a", "b", ""), true); fmt.Sprint(again) != fmt.Sprint(one) {
		t.Errorf("other batches and another order give %v, want %v", again, one)
	}
	if other := prints("A2", plans("a", "b", ""), false); other["plan"] != one["plan"] || other["area"] == one["area"] ||
		other[""] == one[""] {
		t.Errorf("another area gives %v, was %v", other, one)
	}
	if other := prints("A1", plans("a", "b", "c"), false); other["plan"] == one["plan"] || other["area"] != one["area"] ||
		other[""] == one[""] {
		t.Errorf("another plan gives %v, was %v", other, one)
	}
}
