package ingest_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/cells/cellstest"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// invented imports some hundred invented children and residents, and returns their data folder.
func invented(t testing.TB) (dir string) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	year, origin := []string{"2014", "2015", "2016"}, []string{"DANISH", "IMMIGRANT_NON_WESTERN", "DESCENDANT_NON_WESTERN",
		""}
	work, place := []string{"EMPLOYED", "IN_EDUCATION", "NEITHER", "UNKNOWN"}, []string{"101,A2", "101,", "751,A3", "851,",
		"851,A1"}
	areas := "area_id,name,municipality,supported,source\n" +
		"A1,Et,851,true,invented\nA2,To,101,true,invented\nA3,Tre,751,true,invented\n"
	children := "year,age,sex,origin,municipality,area_id,income_group,mother_status,poor,equivalised_income\n"
	residents := "year,age_group,sex,origin,municipality,area_id,work_status,convicted\n"
	for i := range 400 {
		children += strings.Join([]string{pick(year...), pick("0", "1", "2", "3", "4", "5", "6"), pick("FEMALE", "MALE"),
			pick(origin...),
			pick(place...), pick("Q1", "Q2", "Q5"), pick(work...), pick("true", "false",
				""), fmt.Sprint(100_000 + 731*i)}, ",") + "\n"
		residents += strings.Join([]string{pick(year...), pick("AGE_18_24", "AGE_30_59"), pick("FEMALE", "MALE"),
			pick(origin...),
			pick(place...), pick(work...), pick("true", "false")}, ",") + "\n"
	}
	folder := t.TempDir()
	recipe := head + "tables:\n  area:\n    select: SELECT * FROM read_csv('areas.csv')\n  child_year:\n    select: " +
		"SELECT * FROM read_csv('children.csv')\n  resident_year:\n    select: SELECT * FROM read_csv('residents.csv')\n"
	for name, text := range map[string]string{"areas.csv": areas, "children.csv": children, "residents.csv": residents,
		"recipe.yaml": recipe} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir = t.TempDir()
	if _, issues, err := ingest.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), dir, theContract(t),
		nil); err != nil {
		t.Fatalf("%v\n%v", err, issues)
	}
	return dir
}

// edited is the contract with texts replaced, in pairs, each of which must be there.
func edited(t testing.TB, pairs ...string) *contract.Contract {
	t.Helper()
	text := string(data.Contract)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the contract has no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	c, err := contract.Parse("contract.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// opened opens the data set of a data folder as a start does.
func opened(t testing.TB, dir string, c *contract.Contract) (*duckdb.Store, snapshot.Cells, error) {
	t.Helper()
	folder, info, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	fit, err := ingest.Fit(context.Background(), folder, t.TempDir(), info, c)
	if err != nil {
		return nil, fit, err
	}
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{Files: info.Facts(), Cells: fit.Folder,
		CellFiles: fit.Files})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, fit, err
}

// agrees compares the answers of the store with those of its facts alone.
func agrees(t *testing.T, dir string, s *duckdb.Store) {
	t.Helper()
	folder, _, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	plain := *s.Catalogue().Contract
	plain.Rollups = nil
	facts, err := duckdb.Open(context.Background(), folder, &plain, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer facts.Close()
	cellstest.Agree(t, s, facts)
}

const (
	aColumn    = "      wealth: {type: int, optional: true,"
	aRollup    = "rollups:\n"
	anotherOne = aRollup + "  another: {table: child_year, by: [YEAR, SEX, MOTHER_STATUS, MUNICIPALITY]}\n"
	labels     = "label: {da: Ny, en: New}, "
)

// What decides nothing about the rows or their roll-ups leaves a data set as it is: nothing is built.
func TestEditsThatDecideNothing(t *testing.T) {
	dir := invented(t)
	for name, c := range map[string]*contract.Contract{
		"none":     theContract(t),
		"a label":  edited(t, "label: {da: Fattig, en: Poor}", "label: {da: Fattige, en: In poverty}"),
		"a source": edited(t, "publisher: Landsbyggefonden", "publisher: The fund"),
		"an optional column": edited(t, aColumn,
			"      hobby: {type: text, optional: true, "+labels+"source: kvarter}\n"+aColumn),
		"a table": edited(t, "tables:\n  area:\n",
			"tables:\n  club:\n    label: {da: Klub, en: Club}\n    definition: {da: En klub., en: A club.}\n    key: "+
				"[club_id]\n    columns:\n      club_id: {type: text, "+labels+"source: kvarter}\n  area:\n"),
		"the order of columns": edited(t, "    columns:\n      child_id:",
			"    columns:\n      sex: {type: text, optional: true, codes: sex, label: {da: Køn, en: Sex}, source: "+
				"statistics}\n      child_id:", "unit: years, label: {da: Alder, en: Age}, source: statistics}\n      sex: "+
				"{type: text, optional: true, codes: sex, label: {da: Køn, en: Sex}, source: statistics}\n", "unit: years, "+
				"label: {da: Alder, en: Age}, source: statistics}\n"),
		"a column not held": edited(t, aColumn, strings.Replace(aColumn, "int", "decimal", 1)),
		"a table not held": edited(t, "      residents: {type: int, optional: true, min: 0,",
			"      residents: {type: int, min: 1,"),
		"the order of municipals": edited(t,
			"      - {code: \"849\", group: NORDJYLLAND, label: {da: \"Jammerbugt\", en: \"Jammerbugt\"}}\n", "", "      - "+
				"{code: \"851\"", "      - {code: \"849\", group: NORDJYLLAND, label: {da: \"Jammerbugt\", en: "+
				"\"Jammerbugt\"}}\n      - {code: \"851\""),
	} {
		t.Run(name, func(t *testing.T) {
			s, fit, err := opened(t, dir, c)
			if err != nil {
				t.Fatal(err)
			}
			if got := filepath.Base(fit.Folder); got != snapshot.CellsFolder {
				t.Errorf("its cells are in %s", got)
			}
			agrees(t, dir, s)
			issues, err := ingest.Check(context.Background(), dir, c, nil)
			if errors, _ := ingest.Count(issues); err != nil || errors > 0 {
				t.Errorf("checked: %v, %v", err, issues)
			}
		})
	}
}

// Roll-ups that hold something else are built from the facts, once, and answer as the facts do.
func TestRollupsAreBuiltFromTheFacts(t *testing.T) {
	for name, c := range map[string]*contract.Contract{
		"a roll-up": edited(t, aRollup, anotherOne),
		"a roll-up less": edited(t,
			"  child_overview: {table: child_year, by: [YEAR, AGE, REGISTERED_ORIGIN, SETTING]}\n", ""),
		"an indicator": edited(t, "indicators:\n",
			"indicators:\n  MOTHER_STUDIES: {tables: [child_year], when: {column: mother_status, in: "+
				"[IN_EDUCATION]}, "+labels+"definition: {da: Ny, en: New}, source: kvarter}\n"),
		"an indicator's condition": edited(t, "when: {column: poor, is: true}", "when: {column: poor, is: false}"),
		"a measure": edited(t, "measures:\n",
			"measures:\n  AGE_IN_YEARS: {columns: [child_year.age], unit: years, "+labels+"definition: {da: Ny, en: New}, "+
				"source: kvarter}\n"),
		"a code that is not held": edited(t, "      - {code: \"849\"",
			"      - {code: \"999\", group: NORDJYLLAND, label: {da: Ny, en: New}}\n      - {code: \"849\""),
		"a bound that all keep": edited(t, "age: {type: int, min: 0, max: 6,", "age: {type: int, min: 0, max: 7,"),
		"a column required now": edited(t, "equivalised_income: {type: int, optional: true,",
			"equivalised_income: {type: int,"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := invented(t)
			s, first, err := opened(t, dir, c)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(first.Folder) == snapshot.CellsFolder || filepath.Dir(first.Folder) == os.TempDir() {
				t.Errorf("its cells are in %s", first.Folder)
			}
			agrees(t, dir, s)
			if name == "a roll-up" {
				if _, err := os.Stat(filepath.Join(first.Folder, "another.parquet")); err != nil {
					t.Error(err)
				}
			}
			before := modified(t, first.Folder)
			if _, second, err := opened(t, dir, c); err != nil || second.Folder != first.Folder ||
				modified(t, second.Folder) != before {
				t.Errorf("opened again: %v, cells in %s", err, second.Folder)
			}
			if _, old, err := opened(t, dir, theContract(t)); err != nil || filepath.Base(old.Folder) != snapshot.CellsFolder {
				t.Errorf("with the contract of before: %v, cells in %s", err, old.Folder)
			}
			issues, err := ingest.Check(context.Background(), dir, c, nil)
			if errors, _ := ingest.Count(issues); err != nil || errors > 0 {
				t.Errorf("checked: %v, %v", err, issues)
			}
		})
	}
}

func modified(t testing.TB, folder string) (out string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		at, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintln(e.Name(), at.ModTime(), at.Mode())
	}
	return out
}

// An indicator over columns that are there is asked of a data set that was imported before it.
func TestANewIndicatorIsAskedOfAnOldDataSet(t *testing.T) {
	dir := invented(t)
	c := edited(t, "indicators:\n",
		"indicators:\n  MOTHER_STUDIES: {tables: [child_year], when: {column: mother_status, in: "+
			"[IN_EDUCATION]}, "+labels+"definition: {da: Ny, en: New}, source: kvarter}\n")
	s, _, err := opened(t, dir, c)
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.Indicator("MOTHER_STUDIES")
	if err != nil {
		t.Fatal(err)
	}
	table, err := cells.One(context.Background(), s, cells.Observations{Table: c.Table("child_year"),
		Indicators: []*contract.Indicator{i}})
	if err != nil {
		t.Fatal(err)
	}
	folder, _, _ := snapshot.Current(dir)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var want int64
	if err := db.QueryRow("SELECT count(*) FROM " + duckdb.Parquet(filepath.Join(folder, "child_year.parquet")) +
		" WHERE mother_status = 'IN_EDUCATION'").Scan(&want); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", table.Total().Indicators[0]); want == 0 || !strings.Contains(got, fmt.Sprint(want)) {
		t.Errorf("%s have a mother who studies, want %d", got, want)
	}
}

// What the data no longer fit is named by table and column, with what would be right.
func TestAStructureThatBreaks(t *testing.T) {
	dir := invented(t)
	for name, test := range map[string]struct {
		contract *contract.Contract
		want     []string
	}{
		"a required column": {edited(t, aColumn, "      hobby: {type: text, "+labels+"source: kvarter}\n"+aColumn),
			[]string{"child_year", "hobby", "requires"}},
		"another type": {edited(t, "convicted: {type: bool, optional: true, label: {da: Dømt",
			"convicted: {type: int, optional: true, label: {da: Dømt", "when: {column: convicted, is: true}", "when: {column: "+
				"convicted, from: 1}", "CONVICTED: {tables: [resident_year, adult_year]", "CONVICTED: {tables: [resident_year]"),
			[]string{"resident_year", "convicted", "BOOLEAN", "BIGINT"}},
		"a code less": {edited(t,
			"      - {code: \"851\", group: NORDJYLLAND, label: {da: \"Aalborg\", en: "+
				"\"Aalborg\"}}\n", ""), []string{"child_year", "municipality", "851", "more like these"}},
		"a bound": {edited(t, "age: {type: int, min: 0, max: 6,", "age: {type: int, min: 0, max: 5,"),
			[]string{"child_year", "age", "6"}},
		"required of all": {edited(t, "poor: {type: bool, optional: true,", "poor: {type: bool,"),
			[]string{"child_year", "poor"}},
		"another key": {edited(t, "    person: child_id\n    key: [child_id, year]",
			"    person: child_id\n    key: [municipality]"), []string{"child_year", "municipality"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := opened(t, dir, test.contract)
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("got %v", err)
			}
			for _, want := range append(test.want, "take that change of the contract back") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if _, _, err := opened(t, dir, theContract(t)); err != nil {
				t.Errorf("with the contract of before: %v", err)
			}
		})
	}
}

// Starts at the same time do not disturb each other: each has its cells, and one folder of them lasts.
func TestStartsAtTheSameTime(t *testing.T) {
	dir := invented(t)
	c := edited(t, aRollup, anotherOne)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s, _, err := opened(t, dir, c)
			if err != nil {
				t.Error(err)
				return
			}
			agrees(t, dir, s)
		})
	}
	group.Wait()
	folder, _, _ := snapshot.Current(dir)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var beside []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), snapshot.CellsFolder+"-") || strings.HasPrefix(e.Name(), ".") {
			beside = append(beside, e.Name())
		}
	}
	if len(beside) != 1 {
		t.Errorf("beside the snapshot are %q", beside)
	}
}

// While another process builds in the data folder, or where it may not be written to, the cells are
// built in the scratch folder.
func TestCellsThatCannotLast(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root, every folder can be written to")
	}
	dir := invented(t)
	folder, _, _ := snapshot.Current(dir)
	c := edited(t, aRollup, anotherOne)
	err := snapshot.Use(dir, filepath.Base(folder), func(string, snapshot.Info) error { // which locks the data folder
		s, fit, err := opened(t, dir, c)
		if err != nil {
			return err
		}
		if strings.HasPrefix(fit.Folder, folder) {
			t.Errorf("locked, its cells are in %s", fit.Folder)
		}
		agrees(t, dir, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(folder, 0o700)
	s, fit, err := opened(t, dir, c)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 && strings.HasPrefix(fit.Folder, folder) {
		t.Errorf("not to be written to, its cells are in %s", fit.Folder)
	}
	agrees(t, dir, s)
}

// Facts that were changed are not rolled up, and cells that were changed are not served.
func TestCellsOfChangedFiles(t *testing.T) {
	dir := invented(t)
	c := edited(t, aRollup, anotherOne)
	_, fit, err := opened(t, dir, c)
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(path string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("x"); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	spoil(filepath.Join(fit.Folder, "another.parquet"))
	if _, _, err := opened(t, dir, c); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "another.parquet") {
		t.Errorf("with changed cells: %v", err)
	}
	issues, err := ingest.Check(context.Background(), dir, c, nil)
	if err != nil || !strings.Contains(fmt.Sprint(issues), "another.parquet") {
		t.Errorf("checked: %v, %v", err, issues)
	}
	if err := os.RemoveAll(fit.Folder); err != nil {
		t.Fatal(err)
	}
	if _, _, err := opened(t, dir, c); err != nil {
		t.Errorf("the changed cells taken away: %v", err)
	}
	folder, _, _ := snapshot.Current(dir)
	if err := os.RemoveAll(fit.Folder); err != nil {
		t.Fatal(err)
	}
	spoil(filepath.Join(folder, "child_year.parquet"))
	if _, _, err := opened(t, dir, c); err == nil {
		t.Error("cells were built of changed facts")
	}
}

// A data set imported before its structure was kept is checked and rolled up once, and served.
func TestADataSetOfAnEarlierVersion(t *testing.T) {
	dir := invented(t)
	folder, _, _ := snapshot.Current(dir)
	about := filepath.Join(folder, "snapshot.json")
	text, err := os.ReadFile(about)
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]any
	if err := json.Unmarshal(text, &info); err != nil {
		t.Fatal(err)
	}
	delete(info, "rollups")
	info["contractHash"] = "00"
	for _, table := range info["tables"].([]any) {
		delete(table.(map[string]any), "structure")
		delete(table.(map[string]any), "fingerprint")
	}
	if text, err = json.Marshal(info); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{about: string(text),
		about + ".sha256": fmt.Sprintf("%x  snapshot.json\n", sha256.Sum256(text))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, fit, err := opened(t, dir, theContract(t))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(fit.Folder) == snapshot.CellsFolder {
		t.Error("cells of which it is not known what they hold are served")
	}
	agrees(t, dir, s)
	issues, err := ingest.Check(context.Background(), dir, theContract(t), nil)
	if errors, _ := ingest.Count(issues); err != nil || errors > 0 {
		t.Errorf("checked: %v, %v", err, issues)
	}
}
