// Package rerun executes notebooks and compares what comes out with what is committed.
//
// It starts the GoNB kernel that this module pins, speaks the Jupyter messaging protocol to
// it, and runs the code cells from top to bottom. Numbers are compared by a stated
// tolerance, tables cell by cell, charts by their data, everything else exactly.
package rerun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kvarter/kvarter/internal/fault"
)

// Options say what to verify.
type Options struct {
	Repo      string   // the folder of the repository
	Notebooks []string // paths; none means notebooks/*.ipynb of the repository
	URL       string   // the GraphQL endpoint that the cells ask; "" leaves KVARTER_URL as it is
	Env       []string // more of the cells' environment, as NAME=value
	Update    bool     // write the executed notebooks back
	Report    string   // a path for the HTML report; "" for none
	Out       io.Writer
	// Progress, if set, is told when a cell starts; notebooks run at once, so calls for
	// several may be mixed, but never overlap.
	Progress func(notebook string, cell, cells int)

	CellTimeout time.Duration // 0 means two minutes
	Parallel    int           // notebooks that run at once; 0 means two
}

// Verdict is the outcome for all notebooks.
type Verdict struct {
	About     about
	Notebooks []Result
	Elapsed   time.Duration
}

// Same says whether every notebook gave what is committed.
func (v Verdict) Same() bool {
	for _, n := range v.Notebooks {
		if !n.Same() {
			return false
		}
	}
	return true
}

// Settled says whether nothing is left to do: every notebook gave what is committed or has
// been written anew, and every figure of its text is what its check gives.
func (v Verdict) Settled() bool {
	for _, n := range v.Notebooks {
		if !n.Same() && !(n.Updated && len(n.Text) == 0) {
			return false
		}
	}
	return true
}

// Result is the outcome for one notebook.
type Result struct {
	Path    string // as it was given, or relative to the repository
	Cells   []CellResult
	Text    []Difference // what differs of the text, and in which cells there are
	Figures []bound      // each figure of the text and what gives it
	Bound   []string     // the figures that an update has bound to a check, in words
	Old     string       // the fingerprint of the data set behind the committed outputs; "" if it names none
	New     string       // and of the one that the server has
	Data    string       // whether that is synthetic, in words; "" if no cell shows it
	Updated bool         // the file has been rewritten
	Kept    string       // why it was not, where Options.Update asked for it
	Elapsed time.Duration
}

// Same says whether the notebook gave what is committed.
func (r Result) Same() bool { return r.differences() == 0 }

func (r Result) differences() int {
	n := len(r.Text)
	for _, c := range r.Cells {
		n += len(c.Differences)
	}
	return n
}

// CellResult is the outcome for one code cell.
type CellResult struct {
	Number      int    // counted from 1 over the code cells that are executed, as Jupyter shows it
	Code        string // the source
	Compared    string // what was compared, in words
	Tolerance   Tolerance
	Differences []Difference
	Elapsed     time.Duration
}

// Verify reruns notebooks and prints, for each and for each cell, what is the same and what
// differs. The error is about what kept it from trying; that a notebook differs, fails or
// takes its kernel down is in the verdict.
func Verify(ctx context.Context, o Options) (v Verdict, err error) {
	start := time.Now()
	if o.Repo, err = filepath.Abs(o.Repo); err != nil {
		return v, err
	}
	if o.CellTimeout == 0 {
		o.CellTimeout = 2 * time.Minute
	}
	if o.Parallel == 0 {
		o.Parallel = 2
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if progress := o.Progress; progress != nil {
		var one sync.Mutex
		o.Progress = func(notebook string, cell, cells int) {
			one.Lock()
			defer one.Unlock()
			progress(notebook, cell, cells)
		}
	}
	// Every notebook is read before any is run: a mistyped name should not cost minutes.
	paths, notebooks, err := o.read()
	if err != nil {
		return v, err
	}
	fmt.Fprintln(o.Out, "Building the Go kernel")
	tools, err := buildKernel(ctx, o.Repo, kernelDir())
	if err != nil {
		return v, err
	}
	v.About = newAbout(ctx, o.Repo, tools)
	v.Notebooks = make([]Result, len(paths))
	errs := make([]error, len(paths))
	done := make([]chan struct{}, len(paths))
	free := make(chan struct{}, max(o.Parallel, 1))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	for i := range paths {
		done[i] = make(chan struct{})
		running.Add(1)
		go func() {
			defer running.Done()
			defer close(done[i])
			free <- struct{}{}
			defer func() { <-free }()
			v.Notebooks[i], errs[i] = o.verify(ctx, tools, paths[i], notebooks[i])
		}()
	}
	for i, path := range paths {
		fmt.Fprintf(o.Out, "Running %s\n", o.name(path))
		<-done[i]
		if errs[i] != nil {
			cancel()
			break
		}
		v.Notebooks[i].print(o.Out)
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			for _, err := range errs {
				if err != nil && !errors.Is(err, context.Canceled) {
					return v, err
				}
			}
			return v, context.Canceled
		}
		return v, err
	}
	v.Elapsed = time.Since(start)
	v.print(o.Out)
	if o.Report != "" {
		if err := v.writeReport(o.Report); err != nil {
			return v, err
		}
		fmt.Fprintf(o.Out, "The report is in %s\n", o.Report)
	}
	return v, nil
}

// paths is the notebooks to run.
func (o Options) paths() ([]string, error) {
	if len(o.Notebooks) > 0 {
		return o.Notebooks, nil
	}
	paths, err := filepath.Glob(filepath.Join(o.Repo, "notebooks", "*.ipynb"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fault.NotFoundf("there is no notebook in %s", filepath.Join(o.Repo, "notebooks"))
	}
	return paths, nil
}

// Mention says whether any of the notebooks to run contains the text, so that what only some
// notebooks need is made ready for those alone. A notebook that cannot be read contains
// nothing: Verify says what is wrong with it.
func (o Options) Mention(text string) bool {
	paths, err := o.paths()
	if err != nil {
		return false
	}
	for _, path := range paths {
		if notebook, err := os.ReadFile(path); err == nil && bytes.Contains(notebook, []byte(text)) {
			return true
		}
	}
	return false
}

// name is a path as a reader knows it.
func (o Options) name(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		if relative, err := filepath.Rel(o.Repo, absolute); err == nil && !strings.HasPrefix(relative, "..") {
			return filepath.ToSlash(relative)
		}
	}
	return path
}

// verify reruns one notebook.
func (o Options) verify(ctx context.Context, tools toolchain, path string, n *Notebook) (r Result, err error) {
	start := time.Now()
	r.Path = o.name(path)
	defer func() { r.Elapsed = time.Since(start) }()
	code := n.code()
	counters, err := n.counters(code)
	if err != nil {
		return r, fault.Invalidf("%s: %w", r.Path, err)
	}
	tolerances := make([]Tolerance, len(code))
	for i, cell := range code {
		if tolerances[i], err = n.tolerance(cell); err != nil {
			return r, fault.Invalidf("%s, cell %d: %w", r.Path, i+1, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return r, err
	}
	k, err := startKernel(ctx, tools, o.Repo, folder, o.URL, o.Env)
	if err != nil {
		return r, err
	}
	defer k.stop()
	fresh := make([][]object, len(code))
	var gone string // why the kernel is of no use any more
	for i, cell := range code {
		if o.Progress != nil && gone == "" {
			o.Progress(r.Path, i+1, len(code))
		}
		result := CellResult{Number: i + 1, Code: cell.Source, Tolerance: tolerances[i], Compared: "not compared"}
		if gone != "" {
			result.Differences = []Difference{{Kind: NotRun, New: gone}}
			r.Cells = append(r.Cells, result)
			continue
		}
		e, err := k.execute(ctx, cell.Source, o.CellTimeout)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		result.Elapsed, fresh[i] = e.elapsed, e.outputs
		switch {
		case errors.Is(err, errDied):
			result.Differences = []Difference{{Kind: Died, New: err.Error()}}
			gone = fmt.Sprintf("the kernel ended in cell %d", i+1)
		case errors.Is(err, errTimeout):
			result.Differences = []Difference{{Kind: TimedOut, New: fmt.Sprintf("it took longer than %s", o.CellTimeout)}}
			gone = fmt.Sprintf("cell %d was stopped", i+1)
		case err != nil:
			return r, fmt.Errorf("%s, cell %d: %w", r.Path, i+1, err)
		default:
			result.compare(cell, e, counters[i], k.withoutPaths)
		}
		if r.Old == "" {
			r.Old = fingerprint(cell.Outputs)
		}
		if r.New == "" {
			r.New = fingerprint(e.outputs)
			r.Data = synthetic(e.outputs)
		}
		r.Cells = append(r.Cells, result)
	}
	if r.Text, r.Figures, err = n.compareText(code, fresh, r.ran()); err != nil {
		return r, fault.Invalidf("%s: %w", r.Path, err)
	}
	if o.Update {
		r.Kept = r.unfit(fresh, []string{k.dir, o.Repo})
		if r.Kept == "" {
			n.adopt(code, fresh)
			if r.Bound, err = n.bind(code, fresh); err == nil {
				r.Text, r.Figures, err = n.compareText(code, fresh, true)
			}
			if err != nil {
				return r, fault.Invalidf("%s: %w", r.Path, err)
			}
			if err := n.WriteFile(path); err != nil {
				return r, err
			}
			r.Updated = true
		}
	}
	return r, nil
}

// compareText compares what a rerun does not make: the text, the code, and which cells there
// are.
func (n *Notebook) compareText(code []*Cell, fresh [][]object, ran bool) ([]Difference, []bound, error) {
	cells, err := n.compareRecord()
	if err != nil {
		return nil, nil, err
	}
	prose, table, err := n.prose(code, fresh, ran)
	return append(cells, prose...), table, err
}

// compare fills in what is different between the cell as committed and as executed. counter
// is its execution counter when the notebook was written, 0 if that is not known.
func (r *CellResult) compare(cell *Cell, e execution, counter int, withoutPaths func(string) string) {
	c := comparer{tolerance: r.Tolerance}
	c.outputs(cell.Outputs, e.outputs)
	r.Compared = c.seen.String()
	if e.failure != "" {
		// What a failing cell did not get to is no news. What it wrote on standard error is
		// the message to the reader.
		message := strings.TrimSpace(withoutPaths(stream(e.outputs, "stderr")))
		message = strings.TrimSpace(strings.TrimSuffix(message, e.failure))
		if message == "" {
			message = e.failure
		}
		r.Differences = append(r.Differences, Difference{Kind: Failed, New: message})
		for _, d := range c.found {
			if d.Kind != Missing && d.Where != "stderr" {
				r.Differences = append(r.Differences, d)
			}
		}
		return
	}
	for _, o := range cell.Outputs {
		if o["output_type"] == "error" {
			r.Differences = append(r.Differences, Difference{Kind: Missing, Where: "error", Old: fmt.Sprint(o["evalue"])})
		}
	}
	if old, fresh := fingerprint(cell.Outputs), fingerprint(e.outputs); old != "" && fresh != "" && old != fresh {
		was, is := changed(old, fresh)
		r.Differences = append(r.Differences, Difference{Kind: OtherData, Old: was, New: is})
		c.found = withoutMention(c.found, was)
	}
	if counter == 0 {
		counter = r.Number
	}
	if cell.Count != counter {
		old := "missing"
		if cell.Count != 0 {
			old = fmt.Sprint(cell.Count)
		}
		r.Differences = append(r.Differences, Difference{Kind: Order, Old: old, New: fmt.Sprint(counter)})
	}
	r.Differences = append(r.Differences, c.found...)
}

// ran says whether every cell ran to its end: a cell that did not has asserted nothing.
func (r Result) ran() bool {
	for _, c := range r.Cells {
		for _, d := range c.Differences {
			switch d.Kind {
			case Failed, Died, TimedOut, NotRun:
				return false
			}
		}
	}
	return true
}

// changed returns the fingerprints of the one that are not among those of the other, and the reverse.
func changed(old, fresh string) (was, is string) {
	before, after := strings.Split(old, ", "), strings.Split(fresh, ", ")
	without := func(list, other []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(list), func(p string) bool { return slices.Contains(other, p) }),
			", ")
	}
	return without(before, after), without(after, before)
}

// withoutMention drops the differences that only show another of the fingerprints.
func withoutMention(found []Difference, fingerprints string) []Difference {
	return slices.DeleteFunc(slices.Clone(found), func(d Difference) bool {
		return slices.ContainsFunc(strings.Split(fingerprints, ", "), func(p string) bool {
			return strings.Contains(d.Old, p[strings.LastIndex(p, " ")+1:]) && p != ""
		})
	})
}

// unfit says why the outputs should not be committed, "" if they may.
func (r Result) unfit(fresh [][]object, private []string) string {
	for i, c := range r.Cells {
		for _, d := range c.Differences {
			switch d.Kind {
			case Failed, Died, TimedOut, NotRun:
				return fmt.Sprintf("cell %d: %s", c.Number, d)
			}
		}
		for _, o := range fresh[i] {
			if o["output_type"] == "stream" && o["name"] == "stderr" {
				return fmt.Sprintf("cell %d writes on standard error: %s", c.Number, quote(fmt.Sprint(o["text"])))
			}
		}
		text := compact(fresh[i])
		for _, path := range private {
			if strings.Contains(text, strings.Trim(compact(path), `"`)) {
				return fmt.Sprintf("cell %d shows a path of this machine, %s", c.Number, path)
			}
		}
	}
	return ""
}

// adopt takes the outputs of a rerun into the notebook: counters from 1, and nothing that
// the next rerun would change without need, such as times and versions.
func (n *Notebook) adopt(code []*Cell, fresh [][]object) {
	for i, cell := range n.Cells {
		if metadata, ok := cell.tree["metadata"].(object); ok {
			delete(metadata, "execution")
			delete(metadata, "ExecuteTime")
		}
		if id, _ := cell.tree["id"].(string); id == "" {
			cell.tree["id"] = fmt.Sprintf("cell-%02d", i+1)
		}
		if cell.Kind == "code" {
			cell.Count, cell.Outputs = 0, nil
		}
	}
	for i, cell := range code {
		cell.Count, cell.Outputs = i+1, fresh[i]
		for _, o := range cell.Outputs {
			if o["output_type"] == "execute_result" {
				o["execution_count"] = cell.Count
			}
		}
	}
	if metadata, ok := n.tree["metadata"].(object); ok {
		if language, ok := metadata["language_info"].(object); ok {
			delete(language, "version")
		}
	}
	n.tree["nbformat_minor"] = 5 // the first with ids of cells
	n.setRecord()
}

// The kernel names its temporary folder after a random number, and colours its errors.
var (
	madeProgram = regexp.MustCompile(`^# gonb_[0-9a-f]+`)
	madePlace   = regexp.MustCompile(`^\S*main\.go:\d+:\d+: `)
	cellLine    = regexp.MustCompile(`^Cell\[\d+\]: Line (\d+)`)
	gonbFolder  = regexp.MustCompile(`\S*gonb_[0-9a-f]+[/\\]`)
	ansi        = regexp.MustCompile("\x1b\\[[0-9;]*m")
)

// kernelDir is where the kernel's programs are kept, so that they are built once: the user's
// cache folder, or the one for temporary files where that cannot be written.
func kernelDir() string {
	if base, err := os.UserCacheDir(); err == nil {
		if dir := filepath.Join(base, "kvarter", "kernel"); os.MkdirAll(dir, 0o755) == nil {
			return dir
		}
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("kvarter-%d", os.Getuid()), "kernel")
}
