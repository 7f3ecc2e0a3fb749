// Package endtoend uses Kvarter as its users do: it builds the program, runs its commands, asks
// the server over HTTP and reruns the notebooks through the real kernel.
package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/kvarter/kvarter/internal/deadline"
	"github.com/kvarter/kvarter/internal/synth"
)

// root is the repository's root.
var root = filepath.Join("..", "..")

// program is the built command, and scratch a folder that goes with the tests.
var program, scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "kvarter")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		defer stopWorlds()
		scratch = folder
		program = filepath.Join(folder, "kvarter")
		build := exec.Command("go", "build", "-o", program, ".")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// command runs the program in the repository's root and returns what it printed and its exit code.
func command(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := exec.Command(program, args...)
	c.Dir = root
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// small makes a small synthetic data set and returns its folder.
func small(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	makeSmall(t, folder)
	return folder
}

func makeSmall(t testing.TB, folder string) {
	t.Helper()
	if out, errs, code := command(t, "generate", "--data", folder, "--scale", "0.02", "--seed", "7"); code != 0 {
		t.Fatalf("generate: %d\n%s%s", code, out, errs)
	}
}

var sharedOnce sync.Once

// shared is the folder of a small data set for tests that leave it as it is.
func shared(t testing.TB) string {
	t.Helper()
	folder := filepath.Join(scratch, "shared")
	sharedOnce.Do(func() { makeSmall(t, folder) })
	if _, err := os.Stat(filepath.Join(folder, "current")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// start serves a data set and returns the server's address; the process is stopped with the test.
func start(t testing.TB, args ...string) (string, *exec.Cmd) {
	t.Helper()
	base, c, log := launch(t, args...)
	t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log)
		}
	})
	return base, c
}

// launch starts a server and returns its address, the process, and what it logs, which may be read
// when the process has been waited for.
func launch(t testing.TB, args ...string) (base string, c *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	c = exec.Command(program, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	c.Dir = root
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	address := regexp.MustCompile(`http://[0-9.:]+`)
	for lines.Scan() {
		if base := address.FindString(lines.Text()); base != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return base, c, log
		}
	}
	_ = c.Wait()
	t.Fatalf("the server named no address: %v\n%s", lines.Err(), log)
	return "", nil, nil
}

type answer struct {
	Data   map[string]any
	Errors []any
}

func post(t testing.TB, base, body string) (a answer) {
	t.Helper()
	response, err := http.Post(base+"/graphql", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

func ask(t testing.TB, base, document string) map[string]any {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": document})
	if err != nil {
		t.Fatal(err)
	}
	answer := post(t, base, string(body))
	if len(answer.Errors) > 0 {
		t.Fatalf("%s gave %v", document, answer.Errors)
	}
	return answer.Data
}

func TestServeAnswersAndShutsDown(t *testing.T) {
	base, c := start(t, "--data", shared(t))
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/": "<title>",
		"/schema.graphqls": "type Query"} {
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s gave %d %.200s (%v), want …%s…", path, response.StatusCode, text, err, want)
		}
	}
	data := ask(t, base, `{ dataset { synthetic years limits { cells } }
		children(where: {years: {from: 2016, to: 2016}}) { size { value } share(of: POOR) { numerator denominator } } }`)
	share := data["children"].(map[string]any)["share"].(map[string]any)
	if share["denominator"].(float64) < 5000 || share["numerator"].(float64) < 100 ||
		data["dataset"].(map[string]any)["synthetic"] != true {
		t.Errorf("the small world answers %v", data)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("told to stop, the server ended with %v", err)
	}
}

// A server that has to make its data set first says so from the start, and then answers.
func TestServeWhileTheDataSetIsMade(t *testing.T) {
	folder := small(t)
	current, err := os.ReadFile(filepath.Join(folder, "current"))
	if err != nil {
		t.Fatal(err)
	}
	// A synthetic data set of tables with another structure is made anew.
	about := filepath.Join(folder, "snapshots", strings.TrimSpace(string(current)), "snapshot.json")
	text, err := os.ReadFile(about)
	if err != nil {
		t.Fatal(err)
	}
	other := regexp.MustCompile(`"structure": "[0-9a-f]+"`).ReplaceAll(text, []byte(`"structure": "00"`))
	if bytes.Equal(text, other) {
		t.Fatalf("no structure in %s", text)
	}
	rewrite(t, about, other)
	base, _ := start(t, "--data", folder)
	get := func(path string) (int, http.Header, string) {
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header, string(text)
	}
	for path, want := range map[string]struct {
		status int
		text   string
	}{"/readyz": {503, "being made"}, "/healthz": {200, "ok"}, "/graphql?query={__typename}": {503,
		`"code":"UNAVAILABLE"`}, "/": {503, `http-equiv="refresh"`}} {
		status, header, text := get(path)
		if status != want.status || !strings.Contains(text, want.text) || status == 503 && header.Get("Retry-After") == "" {
			t.Errorf("%s gave %d %v %.200s, want %d and …%s…", path, status, header, text, want.status, want.text)
		}
	}
	deadline.Until(t, "it is ready", func() bool {
		status, _, _ := get("/readyz")
		return status == 200
	})
	if size := ask(t, base, `{ children { size { value } } }`)["children"]; size == nil {
		t.Error("ready, it does not answer")
	}
	if _, _, text := get("/"); !strings.Contains(text, "Synthetic register") {
		t.Errorf("ready, the page is %.300s", text)
	}
}

// rewrite replaces a snapshot.json together with its hash, as if it had been written so.
func rewrite(t testing.TB, about string, text []byte) {
	t.Helper()
	sum := fmt.Sprintf("%x  snapshot.json\n", sha256.Sum256(text))
	for path, content := range map[string][]byte{about: text, about + ".sha256": []byte(sum)} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Told to stop while it makes the data set, the server leaves nothing of it.
func TestInterruptedWhileTheDataSetIsMade(t *testing.T) {
	folder := t.TempDir()
	_, c := start(t, "--data", folder)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
	var left []string
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "lock" {
			left = append(left, path)
		}
		return err
	})
	if err != nil || len(left) > 0 {
		t.Errorf("left are %v (%v)", left, err)
	}
}

// A server on a loopback address answers to this machine's names and those it was given.
func TestServeAnswersToItsNames(t *testing.T) {
	base, _ := start(t, "--data", shared(t), "--allow-host", "kvarter.example.org")
	for host, want := range map[string]int{"localhost:1": 200, "kvarter.example.org": 200, "evil.example.org": 421} {
		request, err := http.NewRequest(http.MethodGet, base+"/graphql?query={__typename}", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("as %s: got %d, want %d", host, response.StatusCode, want)
		}
	}
}

// Clients that go away in the middle of an answer leave the server as it was.
func TestClosedConnectionsLeaveTheServerHealthy(t *testing.T) {
	base, _ := start(t, "--data", shared(t))
	host := strings.TrimPrefix(base, "http://")
	const slow = `{"query":"{ a: children { breakdown(of: POOR, by: [MUNICIPALITY, AGE, YEAR]) { totalCount } } ` +
		`b: children(where: {with: [POOR]}) { breakdown(of: IN_DAY_CARE, by: [MUNICIPALITY, AGE]) { nodes { estimate ` +
		`{ value } } } } }"}`
	if answer := post(t, base, slow); len(answer.Errors) > 0 {
		t.Fatalf("the question is wrong: %v", answer.Errors)
	}
	for i := range 20 {
		connection, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		// Another document each time: an answer that is remembered has no middle.
		body := strings.Replace(slow, "{ a:", fmt.Sprintf("query Q%d { a:", i), 1)
		request := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: "+
			"%d\r\n\r\n%s", host, len(body), body)
		if i%2 == 0 {
			request = request[:len(request)-40] // the body breaks off
		}
		if _, err := io.WriteString(connection, request); err != nil {
			t.Fatal(err)
		}
		if err := connection.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if size := ask(t, base, `{ children { size { value } } }`)["children"]; size == nil {
		t.Error("the server answers nothing any more")
	}
}

func TestWrongUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"serv"}, "did you mean serve?"},
		{[]string{"serve", "--port", "80"}, "flag provided but not defined: -port"},
		{[]string{"serve", "now"}, `"now" was not expected`},
		{[]string{"serve", "--addr", taken.Addr().String()}, "choose another address with --addr"},
		{[]string{"serve", "--log", "xml"}, "text and json are known"},
		{[]string{"serve", "--addr", "127.0.0.1:0", "--allow-host", "https://kvarter.example.org"},
			"without https:// and path"},
		{[]string{"generate", "--data", t.TempDir(), "--scale", "700"}, "scale"},
		{[]string{"generate", "--data", t.TempDir(), "--world", "flat"}, "no-area-effect"},
		{[]string{"verify", "--data", "nowhere", "notebooks/none.ipynb"}, "none.ipynb"},
	} {
		if strings.Join(test.args, " ") == "verify --data nowhere notebooks/none.ipynb" {
			test.args[2] = shared(t)
		}
		_, errs, code := command(t, test.args...)
		if code != 2 || !strings.Contains(errs, test.want) {
			t.Errorf("%v: exit %d, %q; want exit 2 and …%s…", test.args, code, errs, test.want)
		}
	}
	if out, _, code := command(t, "help"); code != 0 || !strings.Contains(out, "go run . verify") {
		t.Errorf("help: exit %d, %q", code, out)
	}
	if out, _, code := command(t, "schema"); code != 0 || !strings.Contains(out, "input CohortFilter") {
		t.Errorf("schema: exit %d, %.200q", code, out)
	}
}

// Two worlds from one seed differ, and the same seed gives the same fingerprint.
func TestGenerateIsReproducible(t *testing.T) {
	t.Parallel()
	fingerprint := func(args ...string) string {
		out, errs, code := command(t, append([]string{"generate", "--data", t.TempDir(), "--scale", "0.01"}, args...)...)
		match := regexp.MustCompile(`fingerprint ([0-9a-f]{12})`).FindStringSubmatch(out)
		if code != 0 || match == nil {
			t.Fatalf("exit %d\n%s%s", code, out, errs)
		}
		return match[1]
	}
	first := fingerprint("--seed", "3")
	if again := fingerprint("--seed", "3"); again != first {
		t.Errorf("the same seed gave %s and %s", first, again)
	}
	if other := fingerprint("--seed", "4"); other == first {
		t.Errorf("seeds 3 and 4 gave the same %s", first)
	}
	if other := fingerprint("--seed", "3", "--world", "area-effect"); other == first {
		t.Errorf("both worlds gave %s", first)
	}
}

// The committed notebooks are rerun on the default data set, through the kernel. One digit
// changed in a committed output is named.
func TestNotebooksRerun(t *testing.T) {
	if testing.Short() {
		t.Skip("reruns every notebook, and makes the default data set if it is not there; run without -short")
	}
	t.Parallel()
	world(t, "data", synth.NoAreaEffect)
	world(t, filepath.Join("data", "area-effect"), synth.WithAreaEffect)
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithDeadline(context.Background(), deadline.Of(t))
		defer cancel()
		c := exec.CommandContext(ctx, program, "verify", "--report", filepath.Join(t.TempDir(), "report.html"))
		c.Dir = root
		out, err := c.CombinedOutput()
		t.Logf("go run . verify\n%s", out)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
	})
	t.Run("one digit changed", func(t *testing.T) {
		t.Parallel()
		changed := filepath.Join(t.TempDir(), "01-changed.ipynb")
		text, err := os.ReadFile(filepath.Join(root, "notebooks", "01-poor-children.ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		wrong := bytes.Replace(text, []byte("5,860<"), []byte("5,861<"), 1)
		if bytes.Equal(wrong, text) {
			t.Fatal("the first notebook shows no 5,860 any more")
		}
		if err := os.WriteFile(changed, wrong, 0o644); err != nil {
			t.Fatal(err)
		}
		stdout, _, code := command(t, "verify", changed)
		if code != 1 || !strings.Contains(stdout, "was 5,861, is 5,860") || !strings.Contains(stdout, "01-changed.ipynb") ||
			!strings.Contains(stdout, "cell 3") {
			t.Errorf("exit %d\n%s", code, stdout)
		}
	})
}
