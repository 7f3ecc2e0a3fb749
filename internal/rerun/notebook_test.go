package rerun

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestANotebookIsKeptAsItIs(t *testing.T) {
	committed, err := os.ReadFile("testdata/two-groups.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	foreign := `{
 "cells": [
  {
   "attachments": {
    "a.png": {
     "image/png": "AAAA"
    }
   },
   "cell_type": "markdown",
   "metadata": {
    "tags": [
     "x"
    ]
   },
   "source": [
    "Ærø <b>&</b>\n",
    "\n",
    "end"
   ]
  },
  {
   "cell_type": "raw",
   "metadata": {},
   "source": []
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [
    {
     "data": {
      "application/json": {
       "a": [
        1.50,
        12345678901234567890
       ]
      },
      "image/svg+xml": [
       "<svg>\n",
       "</svg>"
      ],
      "text/plain": [
       "a\n",
       "b"
      ]
     },
     "execution_count": 7,
     "metadata": {},
     "output_type": "execute_result"
    },
    {
     "ename": "ERROR",
     "evalue": "x",
     "output_type": "error",
     "traceback": []
    }
   ],
   "source": []
  }
 ],
 "metadata": {
  "unknown": {
   "key": null
  }
 },
 "nbformat": 4,
 "nbformat_minor": 4
}
`
	for _, want := range []string{string(committed), foreign} {
		n, err := Read(strings.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := n.Write(&got); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("read and written:\n%s\nwas:\n%s", got.String(), want)
		}
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{"", "not a notebook"},
		{"[]", "not a notebook"},
		{"{\n\"cells\": ]}", "(line 2)"},
		{"{} {}", "something follows"},
		{`{"nbformat":3}`, "nbformat is 3; it should be 4"},
		{`{"nbformat":4}`, "no list of cells"},
		{`{"nbformat":4,"cells":[7]}`, "cell 1 of 1: it is not a JSON object"},
		{`{"nbformat":4,"cells":[{"cell_type":"heading","source":""}]}`, "its cell_type is heading"},
		{`{"nbformat":4,"cells":[{"cell_type":"raw","source":[1]}]}`, "source is neither"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":""}]}`, "no list of outputs"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":[{"output_type":"pyout"}]}]}`,
			"output 1: its output_type is pyout"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":[{"output_type":"stream","name":"stdout"}]}]}`,
			"needs a name and a text"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","execution_count":1.5,"outputs":[]}]}`,
			"execution_count is 1.5"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":[{"output_type":"display_data","data":[]}]}]}`,
			"needs data"},
	} {
		if _, err := Read(strings.NewReader(test.source)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error = %v, want one with %q", test.source, err, test.want)
		}
	}
}

// What is read is written so that it reads as the same again.
func FuzzRead(f *testing.F) {
	committed, err := os.ReadFile("testdata/two-groups.ipynb")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(committed)
	f.Add([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":["a","b"],"outputs":[` +
		`{"output_type":"stream","name":"stdout","text":["x\n"]},` +
		`{"output_type":"display_data","data":{"text/html":"<p>","a+json":["x"]}}]}]}`))
	f.Fuzz(func(t *testing.T, source []byte) {
		n, err := Read(bytes.NewReader(source))
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := n.Write(&once); err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(once.Bytes()))
		if err != nil {
			t.Fatalf("%s\ncannot be read again: %v", &once, err)
		}
		if err := again.Write(&twice); err != nil {
			t.Fatal(err)
		}
		if once.String() != twice.String() {
			t.Fatalf("written once:\n%s\nwritten twice:\n%s", &once, &twice)
		}
		for i, cell := range n.code() {
			c := comparer{}
			c.outputs(cell.Outputs, again.code()[i].Outputs)
			for _, d := range c.found {
				// A picture that is none is told of, even if it is committed so.
				if !strings.HasSuffix(d.Where, ", picture") {
					t.Fatalf("read again, cell %d differs: %v", i+1, d)
				}
			}
		}
	})
}
