package fault

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Message is the error in one sentence for whoever gave the command: what happened to which file,
// without the functions it came through and what the engine adds for its own shell.
func Message(err error) string {
	switch e := err.(type) {
	case *Error:
		return e.Message
	case *traced:
		return Message(e.err)
	case *fs.PathError:
		return onFile(e.Op, e.Path, e.Err)
	case *os.LinkError:
		return onFile(e.Op, e.New, e.Err)
	case interface{ Unwrap() []error }:
		var messages []string
		for _, one := range e.Unwrap() {
			if m := Message(one); !slices.Contains(messages, m) {
				messages = append(messages, m)
			}
		}
		return strings.Join(messages, "; ")
	}
	message := err.Error()
	if inner := errors.Unwrap(err); inner != nil {
		message = strings.Replace(message, inner.Error(), Message(inner), 1)
	}
	return EngineMessage(message)
}

// onFile says what could not be done to a file.
func onFile(op, path string, err error) string {
	done, ok := map[string]string{"open": "opened", "openat": "opened", "read": "read", "write": "written",
		"mkdir": "made", "mkdirat": "made",
		"chmod": "changed", "rename": "given its name", "remove": "removed", "unlinkat": "removed", "stat": "found",
		"lstat": "found", "sync": "written", "truncate": "written"}[op]
	if !ok {
		done = "used (" + op + ")"
	}
	return path + " cannot be " + done + ": " + reason(err)
}

func reason(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full"
	case errors.Is(err, syscall.EROFS):
		return "the disk may only be read"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not"
	}
	return Message(err)
}

// EngineMessage drops what DuckDB adds to a message for its own shell: the kind of error, the line
// of our SQL, and the functions that its search went through. Columns like the one that is not
// there are named.
func EngineMessage(message string) string {
	message = strings.TrimPrefix(message, "Attempting to fetch from an unsuccessful query result\nError: ")
	for _, cut := range []string{"\n\nLINE ", "\nLINE ", "\n\nPossible ", "\n\nStack Trace",
		". You might need to add explicit type casts.\n", "\n\tCandidate ", "\nCandidate functions", "\nCandidate Entries"} {
		message, _, _ = strings.Cut(message, cut)
	}
	if what, columns, ok := strings.Cut(message, "\nCandidate bindings: "); ok {
		message = strings.TrimRight(what, "!. \n") + "; did you mean " + strings.TrimPrefix(columns, ": ") + "?"
	}
	if kind, rest, ok := strings.Cut(message, " Error: "); ok && len(kind) < 20 && !strings.ContainsAny(kind,
		":/") {
		message = rest
	}
	message = strings.ReplaceAll(message, "No space left on device", "the disk is full")
	return strings.Join(strings.Fields(message), " ")
}
