package rerun

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// An update records in the notebook what it wrote: under kvarter.cells of its metadata each
// cell in order, with a digest of its source and the kinds of its outputs, and under
// kvarter.figures of a markdown cell's metadata the check of each figure. A rerun can tell by
// it what was changed by hand where the outputs cannot: a word, a cell that is gone, a cell's
// place.
type entry struct {
	id, kind, digest string
	outputs          []string
}

func (e entry) String() string {
	return strings.Join(append([]string{e.id, e.kind, e.digest}, e.outputs...), " ")
}

// entry is what is recorded of a cell as it is.
func (c *Cell) entry() entry {
	id, _ := c.tree["id"].(string)
	e := entry{id: id, kind: c.Kind}
	if c.Kind == "code" && strings.TrimSpace(c.Source) == "" {
		e.kind = "blank" // it is not executed and has no number
	}
	source := strings.Join(strings.Fields(c.Source), " ")
	if pictures, ok := c.tree["attachments"].(object); ok {
		source += "\n" + compact(pictures)
	}
	sum := sha256.Sum256([]byte(source))
	e.digest = hex.EncodeToString(sum[:8])
	for _, o := range c.Outputs {
		kind := fmt.Sprint(o["output_type"])
		if name, ok := o["name"].(string); ok {
			kind = name
		}
		e.outputs = append(e.outputs, kind)
	}
	return e
}

// ours is the part of a notebook's or a cell's metadata that is this program's.
func ours(tree object) object {
	metadata, _ := tree["metadata"].(object)
	ours, _ := metadata["kvarter"].(object)
	return ours
}

// setOurs sets one value there, or takes it out if it is nil.
func setOurs(tree object, key string, value any) {
	metadata, ok := tree["metadata"].(object)
	if !ok {
		metadata = object{}
		tree["metadata"] = metadata
	}
	ours, ok := metadata["kvarter"].(object)
	if !ok {
		ours = object{}
	}
	if ours[key] = value; value == nil {
		delete(ours, key)
	}
	if metadata["kvarter"] = ours; len(ours) == 0 {
		delete(metadata, "kvarter")
	}
}

// written says whether an update has recorded what it wrote.
func (n *Notebook) written() bool {
	_, ok := ours(n.tree)["cells"]
	return ok
}

// record is what an update wrote.
func (n *Notebook) record() ([]entry, error) {
	cells, there := ours(n.tree)["cells"]
	list, ok := cells.([]any)
	if there && !ok {
		return nil, fault.Invalidf("kvarter.cells in its metadata is not a list; take it out and run verify --update")
	}
	var out []entry
	for i, value := range list {
		text, _ := value.(string)
		words := strings.Fields(text)
		if len(words) < 3 {
			return nil, fault.Invalidf("kvarter.cells in its metadata has %q at place %d, "+
				"which is not id, kind and digest; take the list out and run verify --update", text, i+1)
		}
		out = append(out, entry{words[0], words[1], words[2], words[3:]})
	}
	return out, nil
}

// setRecord records the cells as they are.
func (n *Notebook) setRecord() {
	var list []any
	for _, c := range n.Cells {
		list = append(list, c.entry().String())
	}
	setOurs(n.tree, "cells", list)
}

// cellName is how a reader finds the cell at place i.
func (n *Notebook) cellName(i int) string {
	var cells []entry
	for _, c := range n.Cells {
		cells = append(cells, c.entry())
	}
	return cellName(cells, i)
}

// cellName numbers the code cells, and names a text by the cell that follows it, with its
// place where several do.
func cellName(cells []entry, i int) string {
	code, place, run := 0, 0, 0 // run counts the texts between two code cells
	for j, c := range cells {
		if c.kind == "code" {
			if j >= i {
				break
			}
			code, run = code+1, 0
			continue
		}
		run++
		if j == i {
			place = run
		}
	}
	if cells[i].kind == "code" {
		return fmt.Sprintf("cell %d", code+1)
	}
	total := 0
	for _, c := range cells {
		if c.kind == "code" {
			total++
		}
	}
	name := fmt.Sprintf("the text before cell %d", code+1)
	if code == total {
		name = fmt.Sprintf("the text after cell %d", code)
	}
	if run > 1 {
		name += fmt.Sprintf(" (%d of %d)", place, run)
	}
	return name
}

// compareRecord tells which cells are missing, new, moved or changed since an update wrote the
// notebook.
func (n *Notebook) compareRecord() ([]Difference, error) {
	old, err := n.record()
	if err != nil || !n.written() {
		return nil, err
	}
	now := make([]entry, len(n.Cells))
	for i, c := range n.Cells {
		now[i] = c.entry()
	}
	after := func(cells []entry, i int) string {
		if i == 0 {
			return "first"
		}
		return "after " + cellName(cells, i-1)
	}
	var out []Difference
	same := func(i, j int) bool { return old[i].id == now[j].id && old[i].kind == now[j].kind }
	alike := func(i, j int) bool { return old[i].kind == now[j].kind && old[i].digest == now[j].digest }
	for _, p := range align(len(old), len(now), same, alike) {
		switch {
		case p.new < 0:
			was := "the cell, which stood " + after(old, p.old)
			out = append(out, Difference{Kind: Missing, Where: cellName(old, p.old), Old: was})
			continue
		case p.old < 0:
			is := "this cell; verify --update takes it in"
			out = append(out, Difference{Kind: Additional, Where: n.cellName(p.new), New: is})
			continue
		}
		a, b, where := old[p.old], now[p.new], n.cellName(p.new)
		if p.moved {
			out = append(out, Difference{Kind: Moved, Where: where, Old: after(old, p.old), New: after(now, p.new)})
		}
		if a.kind != b.kind || a.digest != b.digest {
			what := "its text"
			if b.kind == "code" {
				what = "its code"
			}
			what += " is another; if that is meant, verify --update writes it anew"
			out = append(out, Difference{Kind: Changed, Where: where, New: what})
		}
		if !slices.Equal(a.outputs, b.outputs) {
			what := fmt.Sprintf("its outputs are %s, and were written as %s", list(b.outputs), list(a.outputs))
			out = append(out, Difference{Kind: Changed, Where: where, New: what})
		}
	}
	return out, nil
}

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// counters are the execution counters that an update gave the cells of code, 0 for those that
// it did not write.
func (n *Notebook) counters(code []*Cell) ([]int, error) {
	old, err := n.record()
	out := make([]int, len(code))
	count := 0
	for _, e := range old {
		if e.kind != "code" {
			continue
		}
		count++
		for i, c := range code {
			if id, _ := c.tree["id"].(string); id == e.id {
				out[i] = count
			}
		}
	}
	return out, err
}

// bindings are those of the figures of a markdown cell.
func (c *Cell) bindings() ([]binding, error) {
	value, there := ours(c.tree)["figures"]
	list, ok := value.([]any)
	if there && !ok {
		return nil, fault.Invalidf("kvarter.figures in its metadata is not a list; take it out and run verify --update")
	}
	var out []binding
	for i, value := range list {
		tree, _ := value.(object)
		var b binding
		for key, value := range tree {
			text, ok := value.(string)
			if !ok {
				return nil, fault.Invalidf("kvarter.figures in its metadata has %s at place %d; it should hold texts",
					compact(value), i+1)
			}
			switch key {
			case "text":
				b.text = text
			case "check":
				b.check = text
			case "of":
				b.of = text
			case "stated":
				b.stated = text
			default:
				return nil, fault.Invalidf("kvarter.figures in its metadata has %q at place %d; "+
					"it can have text, check, of and stated", key, i+1)
			}
		}
		if b.text == "" {
			return nil, fault.Invalidf("kvarter.figures in its metadata has no text at place %d", i+1)
		}
		out = append(out, b)
	}
	return out, nil
}

// bindTo writes the bindings into the metadata of the cell.
func (c *Cell) bindTo(bindings []binding) {
	var list []any
	for _, b := range bindings {
		tree := object{"text": b.text}
		for key, value := range map[string]string{"check": b.check, "of": b.of, "stated": b.stated} {
			if value != "" {
				tree[key] = value
			}
		}
		list = append(list, tree)
	}
	if list == nil {
		setOurs(c.tree, "figures", nil)
		return
	}
	setOurs(c.tree, "figures", list)
}
