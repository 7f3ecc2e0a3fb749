// Package nb is the one package that a notebook cell imports: it asks the server a GraphQL
// question, shows tables and charts, and asserts the numbers told in the prose.
//
// The first cell of a notebook makes this module known to the kernel, if it is not yet, and
// keeps the kernel from the network:
//
//	!*test -f go.work || go work init . "${GONB_DIR}/.."
//	%noautoget
//	import "github.com/kvarter/kvarter/notebooks/nb"
//
//	%%
//	nb.Header()
//
// A later one asks:
//
//	%%
//	answer := nb.Query[struct {
//		Children struct{ Share nb.Estimate }
//	}](`{ children(where: {years: {from: 2016, to: 2016}}) { share(of: POOR) { value lower upper denominator } } }`, nil)
//	nb.Want("share of all children who are poor, 2016", answer.Children.Share, 0.0816, 0.00005)
//
// A failure stops the cell: the message goes to standard error and the cell's program ends
// with exit code 1, which the kernel reports as an error. Nothing is ever shown in place of
// an answer that did not come.
//
// In GoNB only declarations outlive a cell, and their initial values are computed again in
// each: a value that later cells need is a func that asks for it.
//
// The package imports nothing else of this module, so that linking a cell stays quick; it
// speaks HTTP to the server named by the environment variable KVARTER_URL. Other worlds have servers
// of their own: QueryOn asks one of them, and a notebook that states with World.Reads that it reads one
// asks that throughout.
package nb

import (
	"encoding/gob"
	"fmt"
	"os"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// The kernel and a cell exchange displays with encoding/gob, which needs to know the types
// that a JSON document is made of.
func init() {
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

const mimeVegaLite protocol.MIMEType = "application/vnd.vegalite.v5+json"

// stop ends the cell's program with a message for its reader.
func stop(err error) {
	fmt.Fprintln(os.Stderr, "kvarter: "+err.Error())
	os.Exit(1)
}

// display is one output of a cell in several forms; the reader's program picks the richest
// that it can show. Outside a notebook, only the text is printed.
type display struct {
	text     string // always there
	html     string // "" for none
	vegaLite map[string]any
	png      []byte
	pngWidth int            // in CSS pixels; the picture itself has twice as many
	about    map[string]any // metadata under the key "kvarter"
}

func (d display) show() {
	if !gonbui.IsNotebook {
		fmt.Println(d.text)
		return
	}
	data := &protocol.DisplayData{
		Data:     map[protocol.MIMEType]any{protocol.MIMETextPlain: d.text},
		Metadata: map[string]any{},
	}
	if d.html != "" {
		data.Data[protocol.MIMETextHTML] = d.html
	}
	if d.vegaLite != nil {
		data.Data[mimeVegaLite] = d.vegaLite
	}
	if d.png != nil {
		data.Data[protocol.MIMEImagePNG] = d.png
		data.Metadata[string(protocol.MIMEImagePNG)] = map[string]any{"width": d.pngWidth}
	}
	if d.about != nil {
		data.Metadata["kvarter"] = d.about
	}
	gonbui.SendData(data)
	if err := gonbui.Error(); err != nil {
		stop(fmt.Errorf("the kernel did not take an output: %w", err))
	}
	// Waiting here keeps the order: what is printed next comes after this display.
	gonbui.Sync()
}
