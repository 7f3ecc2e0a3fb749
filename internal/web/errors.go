package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/kvarter/kvarter/internal/fault"
)

// Codes of errors beside the kinds of package fault.
const (
	codeParse      = "GRAPHQL_PARSE_FAILED"
	codeValidation = "GRAPHQL_VALIDATION_FAILED"
	codeInternal   = "INTERNAL"
)

// mostErrors is how many validation errors of one document are shown.
const mostErrors = 20

// httpError is a request that cannot be answered as GraphQL at all.
type httpError struct {
	status int
	shown  *gqlerror.Error
}

func badRequest(format string, args ...any) *httpError {
	return &httpError{http.StatusBadRequest, refused(fault.Invalid, format, args...)}
}

func refused(kind fault.Kind, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": string(kind)}}
}

// coded gives errors of the parser or the validator their code, and says so if it leaves some out.
func coded(errs gqlerror.List, code string) gqlerror.List {
	left := len(errs) - mostErrors
	if left > 0 {
		errs = append(errs[:mostErrors:mostErrors], gqlerror.Errorf("and %s more errors", thousands(left)))
	}
	for _, e := range errs {
		e.Extensions = map[string]any{"code": code}
	}
	return errs
}

// withoutRepeats joins the errors of checkLiterals and of the validator, without what the validator says
// again of the same values, and of the variables whose defaults they are.
func withoutRepeats(ours, validator gqlerror.List) gqlerror.List {
	said := map[gqlerror.Location]bool{}
	for _, e := range ours {
		said[e.Locations[0]] = true
	}
	return append(ours, slices.DeleteFunc(validator, func(e *gqlerror.Error) bool {
		return e.Rule == "ValuesOfCorrectType" && len(ours) > 0 && len(e.Locations) > 0 &&
			(said[e.Locations[0]] || ofVariable.MatchString(e.Message))
	})...)
}

var ofVariable = regexp.MustCompile(`(value:|found) \$\w+\.?$`)

// The validator's words for a code that an enum does not have, when none is like it.
var unknownCode = regexp.MustCompile(` does not exist in "\[*(\w+)[\]!]*" enum\.?$`)

// withCodes adds the codes of the enum to a message that one of them was expected.
func (s *server) withCodes(message string) string {
	found := unknownCode.FindStringSubmatch(message)
	if found == nil {
		return message
	}
	enum := s.schema.Types[found[1]]
	if enum == nil || len(enum.EnumValues) == 0 {
		return message
	}
	var codes []string
	for _, value := range enum.EnumValues {
		codes = append(codes, value.Name)
	}
	return strings.TrimSuffix(message, ".") + "; its codes are " + strings.Join(codes, ", ")
}

// panicked is a panic while a field was resolved; it is logged where it was caught.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (s *server) recovered(ctx context.Context, value any) error {
	s.Log.ErrorContext(ctx, "panic", "id", requestID(ctx), "path", graphql.GetPath(ctx).String(), "panic",
		fmt.Sprint(value), "stack", string(debug.Stack()))
	return &panicked{value}
}

// present turns the error of a field into what the user sees. An error of package fault is
// shown as it is; of all else but a wrong argument only the id of the request, and the log has it.
func (s *server) present(ctx context.Context, err error) *gqlerror.Error {
	shown := *graphql.DefaultErrorPresenter(ctx, err) // a copy: fields may share the error
	var known *fault.Error
	var thrown *panicked
	switch {
	case errors.As(err, &thrown):
		shown.Message = internalMessage(ctx)
		shown.Extensions = map[string]any{"code": codeInternal}
	case errors.As(err, &known):
		shown.Message = known.Message
		shown.Extensions = map[string]any{"code": string(known.Kind)}
		if known.Limit != "" {
			shown.Extensions["limit"], shown.Extensions["max"] = known.Limit, known.Max
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		late := s.tooLate()
		shown.Message, shown.Extensions = late.Message, late.Extensions
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		gone := cancelled()
		shown.Message, shown.Extensions = gone.Message, gone.Extensions
	case isArgumentError(ctx):
		shown.Extensions = map[string]any{"code": string(fault.Invalid)}
	default:
		s.Log.ErrorContext(ctx, "internal error", "id", requestID(ctx), "path", shown.Path.String(), "error", err.Error())
		shown.Message = internalMessage(ctx)
		shown.Extensions = map[string]any{"code": codeInternal}
	}
	return &shown
}

// isArgumentError reports whether the error of the context's field comes from reading its
// arguments: gqlgen sets them when all of them were read, and runs no resolver before.
func isArgumentError(ctx context.Context) bool {
	fc := graphql.GetFieldContext(ctx)
	return fc != nil && fc.Args == nil && fc.Field.Field != nil && fc.Field.Definition != nil &&
		len(fc.Field.Definition.Arguments) > 0
}

func internalMessage(ctx context.Context) string {
	return "internal error; the log has it under id " + requestID(ctx)
}

func (s *server) tooLate() *gqlerror.Error {
	return overLimit("timeoutMs", 0, s.Limits.TimeoutMS,
		"the answer took longer than the limit of %s ms and was stopped; ask for less at a "+
			"time", thousands(s.Limits.TimeoutMS))
}

func cancelled() *gqlerror.Error {
	return refused(fault.Unavailable, "the request was cancelled before it was answered")
}
