// Package fault holds the few kinds of error that a user can meet.
//
// An error made here is meant to be read by the person who caused it: it says what was
// wrong and what would be right. Every other error is internal: the API shows an id only,
// and the log has the rest.
package fault

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Kind is what a caller can do about an error. It is the `extensions.code` of the API.
type Kind string

const (
	Invalid     Kind = "INVALID"      // the question is wrong; ask another
	NotFound    Kind = "NOT_FOUND"    // what was named does not exist
	Forbidden   Kind = "FORBIDDEN"    // the question is over a stated limit
	NotRecorded Kind = "NOT_RECORDED" // the data set does not hold it
	Unavailable Kind = "UNAVAILABLE"  // it cannot be answered now: the server is not ready, or its files were changed
)

// Error is an error that a user may read as it stands.
type Error struct {
	Kind    Kind
	Message string
	Limit   string // the limit that was passed, by its name in `dataset.limits`; "" if it is none of them
	Max     int    // what it allows
	cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause given to the message with %w, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Invalidf reports a question that is wrong, e.g. `year 1992 is before the data starts (2010)`.
func Invalidf(format string, args ...any) error { return newf(Invalid, format, args) }

// NotFoundf reports something that was named and does not exist.
func NotFoundf(format string, args ...any) error { return newf(NotFound, format, args) }

// Forbiddenf reports a question over a limit that is none of `dataset.limits`; the message gives it.
func Forbiddenf(format string, args ...any) error { return newf(Forbidden, format, args) }

// Overf reports a question over the limit of that name in `dataset.limits`, which allows most.
func Overf(limit string, most int, format string, args ...any) error {
	err := newf(Forbidden, format, args)
	err.Limit, err.Max = limit, most
	return err
}

// NotRecordedf reports something that this data set does not hold, with what it does hold.
func NotRecordedf(format string, args ...any) error { return newf(NotRecorded, format, args) }

// Unavailablef reports something that cannot be had now, with what has to change.
func Unavailablef(format string, args ...any) error { return newf(Unavailable, format, args) }

func newf(kind Kind, format string, args []any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: wrapped.Error(), cause: errors.Unwrap(wrapped)}
}

// KindOf returns the kind of err, or "" if err is internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Wrap adds context to *errp if it is set. It is deferred as a function's first line:
//
//	defer fault.Wrap(&err, "store.Cells(%s)", q)
//
// An Error stays readable: its message is kept as it is, since the context speaks of our
// functions and not of the user's question.
func Wrap(errp *error, format string, args ...any) {
	if *errp == nil || KindOf(*errp) != "" {
		return
	}
	*errp = &traced{fmt.Sprintf(format, args...), *errp}
}

// traced is an error with the function it came through, for those who look for its cause.
type traced struct {
	context string
	err     error
}

func (t *traced) Error() string { return t.context + ": " + t.err.Error() }
func (t *traced) Unwrap() error { return t.err }

// Suggest ends a message about an unknown name: `; did you mean ORIGIN?` if one of the
// known names is close to it, else `; known are A, B, C`.
func Suggest(name string, known []string) string {
	if len(known) == 0 {
		return "; there are none"
	}
	best, distance := "", len(name)/2+1
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	sorted := append([]string(nil), known...)
	sort.Strings(sorted)
	if len(sorted) > 20 {
		sorted = append(sorted[:20], "…")
	}
	return "; known are " + strings.Join(sorted, ", ")
}
