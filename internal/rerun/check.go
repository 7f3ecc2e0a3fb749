package rerun

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// Check says what is wrong with the options, without running anything: Verify would refuse
// them with the same words. It is for callers that have something costly to make ready first.
func (o Options) Check() error {
	_, _, err := o.read()
	return err
}

// read reads the notebooks and finds out early what would keep them from being verified.
func (o Options) read() (paths []string, notebooks []*Notebook, err error) {
	if paths, err = o.paths(); err != nil {
		return nil, nil, err
	}
	for i, path := range paths {
		for _, other := range paths[:i] {
			if sameFile(path, other) {
				return nil, nil, fault.Invalidf("%s is named twice", path)
			}
		}
		n, err := ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		if err := n.check(); err != nil {
			return nil, nil, fault.Invalidf("%s: %w", path, err)
		}
		if o.Update {
			if err := writable(filepath.Dir(path)); err != nil {
				return nil, nil, fault.Invalidf("%s could not be written anew: %w", path, err)
			}
		}
		notebooks = append(notebooks, n)
	}
	if o.Report != "" {
		if err := reportable(o.Report, paths); err != nil {
			return nil, nil, err
		}
	}
	return paths, notebooks, buildable(o.Repo)
}

// check says what of a notebook keeps it from being run and compared.
func (n *Notebook) check() error {
	if language, kernel := n.language(); language != "" && language != "go" {
		return fault.Invalidf("it is a notebook in %s (kernel %q), "+
			"and verify runs notebooks in Go (kernels %q and \"gonb\")", language, kernel, kernelName)
	}
	code := n.code()
	if len(code) == 0 {
		return fault.Invalidf("it has no code cell to run")
	}
	for i, cell := range code {
		if _, err := n.tolerance(cell); err != nil {
			return fmt.Errorf("cell %d: %w", i+1, err)
		}
	}
	if _, err := n.record(); err != nil {
		return err
	}
	var err error
	n.textCells(func(where string, cell *Cell) {
		if _, e := cell.bindings(); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", where, e)
		}
	})
	return err
}

// language is that of the notebook's code in lower case, "" if it does not say, and the
// kernel it names.
func (n *Notebook) language() (language, kernel string) {
	metadata, _ := n.tree["metadata"].(object)
	spec, _ := metadata["kernelspec"].(object)
	info, _ := metadata["language_info"].(object)
	kernel, _ = spec["name"].(string)
	for _, said := range []any{spec["language"], info["name"]} {
		if text, _ := said.(string); text != "" {
			return strings.ToLower(text), kernel
		}
	}
	if kernel != "" && kernel != kernelName && kernel != "gonb" {
		return "another language", kernel
	}
	return "", kernel
}

// reportable finds out whether the report can be written.
func reportable(path string, notebooks []string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fault.Invalidf("the report cannot be written to %s: there is no folder %s", path, folder)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fault.Invalidf("the report cannot be written to %s: that is a folder; name a file in it", path)
	}
	for _, notebook := range notebooks {
		if sameFile(path, notebook) {
			return fault.Invalidf("the report would be written over the notebook %s", notebook)
		}
	}
	if strings.EqualFold(filepath.Ext(path), ".ipynb") {
		return fault.Invalidf("the report is a page of HTML, and %s names a notebook; call it e.g. report.html", path)
	}
	if err := writable(folder); err != nil {
		return fault.Invalidf("the report cannot be written to %s: %w", path, err)
	}
	return nil
}

// writable says why no file can be made in a folder.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".kvarter-*")
	if err != nil {
		var pathError *os.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err
		}
		return fmt.Errorf("no file can be made in the folder %s: %w", folder, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
