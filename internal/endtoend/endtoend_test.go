// Package endtoend uses Kvarter as its users do: it builds the program, runs its commands, asks
// the server over HTTP and reruns the notebooks through the real kernel.
package endtoend

import (
	"bufio"
	"bytes"
	"context"
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
	"syscall"
	"testing"
	"time"
)

// root is the repository's root.
var root = filepath.Join("..", "..")

// program is the built command.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "kvarter")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
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
	if out, errs, code := command(t, "generate", "--data", folder, "--scale", "0.02", "--seed", "7"); code != 0 {
		t.Fatalf("generate: %d\n%s%s", code, out, errs)
	}
	return folder
}

// start serves a data set and returns the server's address; the process is stopped with the test.
func start(t testing.TB, args ...string) (string, *exec.Cmd) {
	t.Helper()
	c := exec.Command(program, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	c.Dir = root
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", &log)
		}
	})
	lines := bufio.NewScanner(out)
	address := regexp.MustCompile(`http://[0-9.:]+`)
	for lines.Scan() {
		if base := address.FindString(lines.Text()); base != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return base, c
		}
	}
	t.Fatalf("the server named no address: %v\n%s", lines.Err(), &log)
	return "", nil
}

func ask(t testing.TB, base, document string) map[string]any {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": document})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(base+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data   map[string]any
		Errors []any
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) > 0 {
		t.Fatalf("%s gave %v", document, answer.Errors)
	}
	return answer.Data
}

func TestServeAnswersAndShutsDown(t *testing.T) {
	base, c := start(t, "--data", small(t))
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/": "<title>", "/schema.graphqls": "type Query"} {
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
	data := ask(t, base, `{ dataset { synthetic years limits { cells } } children(where: {years: {from: 2016, to: 2016}}) { size { value } share(of: POOR) { numerator denominator } } }`)
	share := data["children"].(map[string]any)["share"].(map[string]any)
	if share["denominator"].(float64) < 5000 || share["numerator"].(float64) < 100 || data["dataset"].(map[string]any)["synthetic"] != true {
		t.Errorf("the small world answers %v", data)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("told to stop, the server ended with %v", err)
	}
}

// Clients that go away in the middle of an answer leave the server as it was.
func TestClosedConnectionsLeaveTheServerHealthy(t *testing.T) {
	base, _ := start(t, "--data", small(t))
	const slow = `{"query":"{ children(with: null) { breakdown(of: POOR, by: [MUNICIPALITY, AGE, YEAR]) { totalCount } } a: children(where: {with: [POOR]}) { breakdown(of: IN_DAY_CARE, by: [MUNICIPALITY, AGE]) { nodes { estimate { value } } } } }"}`
	for i := range 20 {
		connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		request := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(slow), slow)
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
		{[]string{"generate", "--data", t.TempDir(), "--scale", "7"}, "scale"},
		{[]string{"generate", "--data", t.TempDir(), "--world", "flat"}, "no-area-effect"},
		{[]string{"verify", "--data", "nowhere", "notebooks/none.ipynb"}, "none.ipynb"},
	} {
		if strings.Join(test.args, " ") == "verify --data nowhere notebooks/none.ipynb" {
			test.args[2] = small(t)
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
	print := func(args ...string) string {
		out, errs, code := command(t, append([]string{"generate", "--data", t.TempDir(), "--scale", "0.01"}, args...)...)
		match := regexp.MustCompile(`fingerprint ([0-9a-f]{12})`).FindStringSubmatch(out)
		if code != 0 || match == nil {
			t.Fatalf("exit %d\n%s%s", code, out, errs)
		}
		return match[1]
	}
	first := print("--seed", "3")
	if again := print("--seed", "3"); again != first {
		t.Errorf("the same seed gave %s and %s", first, again)
	}
	if other := print("--seed", "4"); other == first {
		t.Errorf("seeds 3 and 4 gave the same %s", first)
	}
	if other := print("--seed", "3", "--world", "area-effect"); other == first {
		t.Errorf("both worlds gave %s", first)
	}
}

// The committed notebooks are rerun on the default data set, through the kernel. One digit
// changed in a committed output is named.
func TestNotebooksRerun(t *testing.T) {
	if testing.Short() {
		t.Skip("reruns every notebook, and makes the default data set if it is not there; run without -short")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	changed := filepath.Join(t.TempDir(), "01-changed.ipynb")
	text, err := os.ReadFile(filepath.Join(root, "notebooks", "01-poor-children.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(text, []byte("<td style=\"text-align: right\">5,860<"), []byte("<td style=\"text-align: right\">5,861<"), 1)
	if bytes.Equal(wrong, text) {
		wrong = bytes.Replace(text, []byte("5,860<"), []byte("5,861<"), 1)
	}
	if bytes.Equal(wrong, text) {
		t.Fatal("the first notebook shows no 5,860 any more")
	}
	if err := os.WriteFile(changed, wrong, 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, program, "verify", "--report", filepath.Join(t.TempDir(), "report.html"))
	c.Dir = root
	out, err := c.CombinedOutput()
	t.Logf("go run . verify\n%s", out)
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	stdout, _, code := command(t, "verify", changed)
	if code != 1 || !strings.Contains(stdout, "was 5,861, is 5,860") || !strings.Contains(stdout, "01-changed.ipynb") || !strings.Contains(stdout, "cell 3") {
		t.Errorf("a changed digit: exit %d\n%s", code, stdout)
	}
}
