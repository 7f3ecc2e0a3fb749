package rerun

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// Notebook is a notebook of nbformat 4. Everything in the file is kept, known here or not,
// and is written as Jupyter writes it: keys sorted, indented by one space, texts as lists of
// lines.
type Notebook struct {
	tree  object
	Cells []*Cell
}

// Cell is a cell of a notebook; what is not named here is kept in its tree.
type Cell struct {
	tree   object
	Kind   string // code, markdown or raw
	Source string
	// Of code cells only. An output is as on disk, but with every text joined.
	Count   int // the execution counter; 0 for none
	Outputs []object
}

type object = map[string]any

// Read reads a notebook.
func Read(r io.Reader) (*Notebook, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var n Notebook
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fault.Invalidf("it is not a notebook: the file is empty")
	}
	if err := decoder.Decode(&n.tree); err != nil {
		var other *json.UnmarshalTypeError
		if errors.As(err, &other) {
			return nil, fault.Invalidf("it is not a notebook: it is a JSON %s, not an object", other.Value)
		}
		return nil, fault.Invalidf("it is not a notebook: %w%s", err, lineOf(data, err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.Invalidf("it is not a notebook: something follows the end of its JSON object")
	}
	version, there := n.tree["nbformat"]
	if !there {
		return nil, fault.Invalidf("it is not a notebook: it is JSON without an nbformat")
	}
	if version != json.Number("4") {
		return nil, fault.Invalidf("its nbformat is %v; it should be 4. Open and save it in a current Jupyter",
			n.tree["nbformat"])
	}
	cells, ok := n.tree["cells"].([]any)
	if !ok {
		return nil, fault.Invalidf("it has no list of cells")
	}
	for i, tree := range cells {
		cell, err := readCell(tree)
		if err != nil {
			return nil, fault.Invalidf("cell %d of %d: %w", i+1, len(cells), err)
		}
		n.Cells = append(n.Cells, cell)
	}
	return &n, nil
}

// lineOf says on which line a JSON error is, if it knows.
func lineOf(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return ""
	}
	return fmt.Sprintf(" (line %d)", 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")))
}

func readCell(tree any) (*Cell, error) {
	t, ok := tree.(object)
	if !ok {
		return nil, fmt.Errorf("it is not a JSON object")
	}
	c := &Cell{tree: t}
	if c.Kind, ok = t["cell_type"].(string); !ok || !slices.Contains([]string{"code", "markdown", "raw"}, c.Kind) {
		return nil, fmt.Errorf("its cell_type is %v; it should be code, markdown or raw", t["cell_type"])
	}
	if c.Source, ok = joined(t["source"]); !ok {
		return nil, fmt.Errorf("its source is neither a text nor a list of lines")
	}
	if c.Kind != "code" {
		return c, nil
	}
	if count, ok := t["execution_count"].(json.Number); ok {
		n, err := count.Int64()
		if err != nil {
			return nil, fmt.Errorf("its execution_count is %s; it should be a whole number", count)
		}
		c.Count = int(n)
	}
	outputs, ok := t["outputs"].([]any)
	if !ok {
		return nil, fmt.Errorf("it has no list of outputs")
	}
	for i, tree := range outputs {
		output, err := readOutput(tree)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i+1, err)
		}
		c.Outputs = append(c.Outputs, output)
	}
	return c, nil
}

// readOutput checks an output and joins its texts.
func readOutput(tree any) (object, error) {
	o, ok := tree.(object)
	if !ok {
		return nil, fmt.Errorf("it is not a JSON object")
	}
	switch kind := o["output_type"]; kind {
	case "stream":
		text, ok := joined(o["text"])
		if _, named := o["name"].(string); !ok || !named {
			return nil, fmt.Errorf("a stream needs a name and a text")
		}
		o["text"] = text
	case "display_data", "execute_result":
		data, ok := o["data"].(object)
		if !ok {
			return nil, fmt.Errorf("a %s needs data", kind)
		}
		for mime, value := range data {
			if text, ok := joined(value); ok && !isJSON(mime) {
				data[mime] = text
			}
		}
	case "error":
	default:
		return nil, fmt.Errorf("its output_type is %v; it should be stream, display_data, execute_result or error", kind)
	}
	return o, nil
}

// joined is a text that a notebook may hold as a list of lines.
func joined(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case []any:
		var b strings.Builder
		for _, line := range value {
			text, ok := line.(string)
			if !ok {
				return "", false
			}
			b.WriteString(text)
		}
		return b.String(), true
	}
	return "", false
}

func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasSuffix(mime, "+json")
}

// Write writes the notebook as Jupyter does.
func (n *Notebook) Write(w io.Writer) error {
	cells := make([]any, len(n.Cells))
	for i, c := range n.Cells {
		cells[i] = c.onDisk()
	}
	n.tree["cells"] = cells
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	return encoder.Encode(n.tree)
}

func (c *Cell) onDisk() object {
	c.tree["source"] = lines(c.Source)
	if c.Kind != "code" {
		return c.tree
	}
	c.tree["execution_count"] = nil
	if c.Count != 0 {
		c.tree["execution_count"] = c.Count
	}
	outputs := []any{}
	for _, output := range c.Outputs {
		o := object{}
		for key, value := range output {
			o[key] = value
		}
		if text, ok := o["text"].(string); ok {
			o["text"] = lines(text)
		}
		if data, ok := o["data"].(object); ok {
			split := object{}
			for mime, value := range data {
				split[mime] = value
				// Jupyter splits these and leaves the rest in one piece.
				if text, ok := value.(string); ok && (strings.HasPrefix(mime, "text/") || mime == "application/javascript" ||
					mime == "image/svg+xml") {
					split[mime] = lines(text)
				}
			}
			o["data"] = split
		}
		outputs = append(outputs, o)
	}
	c.tree["outputs"] = outputs
	return c.tree
}

// lines splits a text after each line end.
func lines(text string) []any {
	out := []any{}
	for _, line := range strings.SplitAfter(text, "\n") {
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}

// ReadFile reads the notebook in a file.
func ReadFile(path string) (_ *Notebook, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.NotFoundf("there is no notebook %s", path)
	}
	if info, e := os.Stat(path); e == nil && info.IsDir() {
		return nil, fault.Invalidf("%s is a folder; name a notebook in it, e.g. %s", path, filepath.Join(path, "NAME.ipynb"))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := Read(f)
	if err != nil {
		return nil, fault.Invalidf("%s cannot be read: %w", path, err)
	}
	return n, nil
}

// WriteFile replaces the notebook in a file; a crash leaves the old one or the new one.
func (n *Notebook) WriteFile(path string) (err error) {
	defer fault.Wrap(&err, "writing %s", path)
	f, err := os.CreateTemp(filepath.Dir(path), ".notebook-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := n.Write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// code is the code cells that are executed: those that are not blank.
func (n *Notebook) code() []*Cell {
	var code []*Cell
	for _, c := range n.Cells {
		if c.Kind == "code" && strings.TrimSpace(c.Source) != "" {
			code = append(code, c)
		}
	}
	return code
}

// tolerance is how far a number of the cell may be off, which its metadata may state, or
// else the notebook's, under kvarter.tolerance: a number, which is relative, or an object
// with relative and absolute.
func (n *Notebook) tolerance(c *Cell) (Tolerance, error) {
	for _, tree := range []object{c.tree, n.tree} {
		switch value := ours(tree)["tolerance"].(type) {
		case nil:
			continue
		case json.Number:
			relative, err := value.Float64()
			return Tolerance{Relative: relative}, errors.Join(err, checkTolerance(relative), checkRelative(relative))
		case object:
			var t Tolerance
			for key, value := range value {
				number, _ := value.(json.Number)
				x, err := number.Float64()
				if err := errors.Join(err, checkTolerance(x)); err != nil {
					return t, err
				}
				switch key {
				case "relative":
					if err := checkRelative(x); err != nil {
						return t, err
					}
					t.Relative = x
				case "absolute":
					t.Absolute = x
				default:
					return t, fault.Invalidf("kvarter.tolerance has %q; it can have relative and absolute", key)
				}
			}
			return t, nil
		default:
			return Tolerance{}, fault.Invalidf("kvarter.tolerance is %v; it should be a number, or an object with relative "+
				"and absolute", value)
		}
	}
	return DefaultTolerance, nil
}

// checkRelative refuses a tolerance by which any two numbers of the same sign are the same.
func checkRelative(x float64) error {
	if x >= 1 {
		return fault.Invalidf("kvarter.tolerance is relative %v, by which any figure is the same as any other; it should "+
			"be below 1", x)
	}
	return nil
}

func checkTolerance(x float64) error {
	if !(x >= 0 && x < 1e9) {
		return fault.Invalidf("kvarter.tolerance is %v; it should be zero or more", x)
	}
	return nil
}
