// Package command carries out what Kvarter is asked to do on the command line: one file a command,
// which declares its flags and does its work.
package command

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// The exit codes.
const (
	done    = 0
	no      = 1
	trouble = 2
)

// command is one that Kvarter knows.
type command struct {
	name     string
	operands string // as the usage shows them, e.g. RECIPE.yaml
	does     string // in one sentence
	// declare declares the command's flags and returns what carries it out once they are read.
	declare func(*flag.FlagSet) action
}

// action carries a command out with its operands, prints its result to out, logs to log, and returns
// the exit code. What is wrong with the arguments it says before any work.
type action func(ctx context.Context, operands []string, out, log io.Writer) (code int, err error)

// commands are all of them, in the order in which help shows them.
var commands = []command{serve, generate, importing, check, snapshots, verify, jupyter, schema, version}

// Run carries out the command that the arguments name, serve if they name none, and returns the
// exit code: 0 done; 1 the answer is no; 2 wrong use, or it could not be tried. Trouble is told to
// errs.
func Run(ctx context.Context, args []string, out, errs io.Writer) int {
	name := serve.name
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	asked := slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" || a == "-help" })
	if name == "help" || asked {
		if name == "help" && len(args) > 0 {
			name = args[0]
		}
		return help(name, out, errs)
	}
	c, err := find(name)
	if err != nil {
		fmt.Fprintf(errs, "%v; `go run . help` says what each does\n", err)
		return trouble
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	act := c.declare(flags)
	var operands []string
	for rest := args; ; { // flags may stand before or after what a command works on
		if err := flags.Parse(rest); err != nil {
			fmt.Fprintf(errs, "%s: %v%s; `go run . help %s` explains them\n", name, err, instead(flags, err), name)
			return trouble
		}
		if flags.NArg() == 0 {
			break
		}
		operands, rest = append(operands, flags.Arg(0)), flags.Args()[1:]
	}
	if c.operands == "" && len(operands) > 0 {
		fmt.Fprintf(errs, "%s: %q was not expected; `go run . help %s` says what is\n", name, operands[0], name)
		return trouble
	}
	code, err := act(ctx, operands, out, errs)
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintf(errs, "%s: interrupted before it was done; no data set was changed\n", name)
	case err != nil:
		fmt.Fprintf(errs, "%s: %s\n", name, fault.Message(err))
	}
	return code
}

// find returns the command of that name.
func find(name string) (command, error) {
	known := []string{"help"}
	for _, c := range commands {
		if c.name == name {
			return c, nil
		}
		known = append(known, c.name)
	}
	return command{}, fault.NotFoundf("no command %q%s", name, fault.Suggest(name, known))
}

// help prints what all commands do, or how one is used.
func help(name string, out, errs io.Writer) int {
	if name == "help" {
		fmt.Fprint(out, usage())
		return done
	}
	c, err := find(name)
	if err != nil {
		fmt.Fprintf(errs, "%v\n", err)
		return trouble
	}
	fmt.Fprintf(out, "%s\n    %s\n", c.synopsis(), c.does)
	flags := c.flags()
	first := true
	flags.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprintln(out)
			first = false
		}
		value, about := flag.UnquoteUsage(f)
		fmt.Fprintf(out, "  %s\n      %s", strings.TrimSpace("--"+f.Name+" "+value), about)
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(out, "; %s if not given", f.DefValue)
		}
		fmt.Fprintln(out)
	})
	return done
}

// instead ends the message about a flag that the command has not with the one that was meant.
func instead(flags *flag.FlagSet, err error) string {
	unknown, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return ""
	}
	var known []string
	flags.VisitAll(func(f *flag.Flag) { known = append(known, "--"+f.Name) })
	return fault.Suggest("--"+unknown, known)
}

func (c command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.declare(flags)
	return flags
}

// synopsis is the command with its operands and flags, on one line.
func (c command) synopsis() string {
	text := "go run . " + c.name
	if c.name == serve.name {
		text = "go run . [serve]"
	}
	if c.operands != "" {
		text += " " + c.operands
	}
	c.flags().VisitAll(func(f *flag.Flag) {
		value, _ := flag.UnquoteUsage(f)
		text += " [" + strings.TrimSpace("--"+f.Name+" "+value) + "]"
	})
	return text
}

func usage() string {
	var b strings.Builder
	b.WriteString("Kvarter answers questions about housing areas and cohorts of children.\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %s\n      %s\n", c.synopsis(), c.does)
	}
	b.WriteString("\n`go run . help COMMAND` explains the flags of one. DIR is `data` if not given.\n" +
		"Exit codes: 0 done; 1 the answer is no (a notebook differs, a row is invalid); 2 wrong use, or\n" +
		"it could not be tried.\n")
	return b.String()
}

// dataFlag declares the flag that names the data folder.
func dataFlag(flags *flag.FlagSet) *string {
	return flags.String("data", "data", "the folder `DIR` that holds the data sets")
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parseContract() (*contract.Contract, error) {
	return contract.Parse("data/contract.yaml", data.Contract)
}
