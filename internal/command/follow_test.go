package command_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kvarter/kvarter/internal/deadline"
)

// residents asks the total of the areas' residents, which tells the data sets of these tests apart.
const residents = `{ dataset { fingerprint } areas { nodes { keyFigures { residents } } } }`

// get asks by GET, where answers have an ETag.
func (s *server) get(document string) (status int, etag, text string, err error) {
	response, err := http.Get(s.base + "/graphql?query=" + url.QueryEscape(document))
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Get("ETag"), string(body), err
}

// While clients ask without a pause, an import, and then a return to the data set before it, are
// followed by the running server: no request fails, each answer is of one data set, and its ETag
// goes with it.
func TestTheServerFollowsTheDataSetInUse(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "import", recipe(t, 2016, 100, 200), "--data", dir)
	first := only(t, dir)
	s := serve(t, dir)

	var mu sync.Mutex
	etags := map[string]string{} // by answer
	var last atomic.Value
	var count atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// Another name each time: an answer that is remembered asks nothing of the data set.
				status, _, text, err := s.get(fmt.Sprintf("query Q%d %s", count.Add(1), residents))
				if err != nil || status != 200 || strings.Contains(text, "errors") {
					t.Errorf("got %d %s %v", status, text, err)
					return
				}
				_, etag, text, err := s.get(residents)
				mu.Lock()
				if was, ok := etags[text]; err != nil || ok && was != etag {
					t.Errorf("an answer has the ETags %s and %s (%v)", was, etag, err)
				}
				etags[text] = etag
				mu.Unlock()
				last.Store(text)
			}
		})
	}
	answers := func(part string) func() bool {
		return func() bool { text, _ := last.Load().(string); return strings.Contains(text, part) || t.Failed() }
	}
	deadline.Until(t, "the first data set answers", answers(`"residents":200`))

	out := mustRun(t, "import", recipe(t, 2016, 100, 300), "--data", dir)
	if !strings.Contains(out, "The server that is running switches to it by itself") {
		t.Errorf("the import says %s", out)
	}
	deadline.Until(t, "the imported data set answers", answers(`"residents":300`))
	if out := mustRun(t, "snapshots", "use", first, "--data", dir); !strings.Contains(out,
		"switches to it by itself") {
		t.Errorf("use says %s", out)
	}
	deadline.Until(t, "the first data set answers again", answers(`"residents":200`))
	close(stop)
	clients.Wait()
	if len(etags) != 2 {
		t.Errorf("%d different answers, of 2 data sets: %v", len(etags), etags)
	}
	for text, etag := range etags {
		if etag == "" {
			t.Errorf("no ETag with %s", text)
		}
	}
	if len(etags) == 2 {
		seen := map[string]bool{}
		for _, etag := range etags {
			seen[etag] = true
		}
		if len(seen) != 2 {
			t.Errorf("the data sets share an ETag: %v", etags)
		}
	}

	// The imported one is closed once its last request is answered, and can then be removed; the one
	// in use cannot.
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if e.Name() == first {
			if _, errs, code := run(t, "snapshots", "remove", first, "--data", dir); code != 2 ||
				!strings.Contains(errs, "is the data set in use") {
				t.Errorf("exit %d %s", code, errs)
			}
			continue
		}
		deadline.Until(t, e.Name()+" is let go", func() bool {
			_, _, code := run(t, "snapshots", "remove", e.Name(), "--data", dir)
			return code == 0
		})
	}
	s.stop()
	if log := s.log.String(); strings.Count(log, "switched to the data set now in use") != 2 ||
		strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has\n%s", log)
	}
}

// A data set in use that cannot be opened leaves the one before serving, and the log says why, once.
// Put right, it is served.
func TestTheServerKeepsWhatItHas(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "import", recipe(t, 2016, 100), "--data", dir)
	first := only(t, dir)
	mustRun(t, "import", recipe(t, 2016, 200), "--data", dir)
	mustRun(t, "snapshots", "use", first, "--data", dir)
	names, err := filepath.Glob(filepath.Join(dir, "snapshots", "areas-*", "area_year.parquet"))
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	broken := names[0]
	if strings.Contains(broken, first) {
		broken = names[1]
	}
	second := filepath.Base(filepath.Dir(broken))
	text, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	current := filepath.Join(dir, "current")
	point := func(at string) {
		if err := os.WriteFile(current, []byte(at), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	still := func(what string) {
		t.Helper()
		a, err := s.ask(residents, "")
		if err != nil || len(a.Errors) > 0 || !strings.Contains(a.text, `"residents":100`) {
			t.Errorf("%s: %s %v", what, a.text, err)
		}
	}
	spoilt := append([]byte("spoilt"), text[6:]...)
	if err := os.WriteFile(broken, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := run(t, "snapshots", "use", second, "--data", dir); code != 2 || !strings.Contains(errs,
		"area_year.parquet is not as it was made") {
		t.Errorf("a damaged data set is taken into use: exit %d %s", code, errs)
	}
	for range 2 {
		for _, at := range []string{second, "gone", ""} {
			told := s.log.count("level=ERROR")
			point(at)
			deadline.Until(t, "the log says why it is not served", func() bool { return s.log.count("level=ERROR") > told })
			still(fmt.Sprintf("current is %q", at))
		}
	}
	point(first)
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if told := s.log.count("level=ERROR"); told != 6 {
		t.Errorf("the log says %d times why, of 6 changes:\n%s", told, s.log)
	}
	mustRun(t, "snapshots", "use", second, "--data", dir)
	deadline.Until(t, "the one put right answers", func() bool {
		a, err := s.ask(residents, "")
		return err == nil && strings.Contains(a.text, `"residents":200`)
	})
}

// A file changed under the server is not read: what needs it says so, and so does /readyz.
func TestAFileChangedUnderTheServer(t *testing.T) {
	example := filepath.Join("..", "..", "data", "example", "recipe.yaml")
	for name, change := range map[string]func(path string) error{
		"another text": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text[len(text)/2] ^= 1
			return os.WriteFile(path, text, 0o600)
		},
		"the same text again": func(path string) error { // it cannot be told from another of its size
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, text, 0o600)
		},
		"replaced": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", text, 0o600), os.Chtimes(path+".new", info.ModTime(),
				info.ModTime()), os.Rename(path+".new", path))
		},
		"cut":  func(path string) error { return os.Truncate(path, 10) },
		"gone": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustRun(t, "import", example, "--data", dir)
			s := serve(t, dir)
			// With a filter by an indicator no roll-up can answer: the facts are asked.
			const facts = `{ children(where: {with: [POOR]}) { size { value } } }`
			if a, err := s.ask(facts, ""); err != nil || len(a.Errors) > 0 {
				t.Fatalf("%s %v", a.text, err)
			}
			if err := change(filepath.Join(dir, "snapshots", only(t, dir), "child_year.parquet")); err != nil {
				t.Fatal(err)
			}
			a, err := s.ask("query Again "+facts, "")
			if err != nil || len(a.Errors) == 0 || a.Errors[0].Extensions.Code != "UNAVAILABLE" ||
				!strings.Contains(a.Errors[0].Message, "child_year.parquet") {
				t.Errorf("%s %v", a.text, err)
			}
			response, err := http.Get(s.base + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 503 ||
				!strings.Contains(string(text), "child_year.parquet") {
				t.Errorf("/readyz: %d %s %v", response.StatusCode, text, err)
			}
		})
	}
}
