package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// record is what the log's line about a request gathers while it is answered.
type record struct {
	id        string
	operation string // the operation's name
	cost      int
	errors    gqlerror.List
	isQuery   bool
	again     bool // the answer was remembered
	gone      bool // the client went away before the answer
}

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{}
}

func requestID(ctx context.Context) string { return recordOf(ctx).id }

// statusClientGone is nginx's number for a client that closed the connection; only the log shows it.
const statusClientGone = 499

// A request id of the client's own is kept if it can do no harm in a log or a header.
var saneID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)

// logged gives each request its id, writes one line about it, and turns a panic into a 500.
func (s *server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &record{id: r.Header.Get("X-Request-Id")}
		if !saneID.MatchString(rec.id) {
			var random [8]byte
			_, _ = rand.Read(random[:])
			rec.id = hex.EncodeToString(random[:])
		}
		r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
		out := &written{ResponseWriter: w}
		out.Header().Set("X-Request-Id", rec.id)
		out.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			thrown := recover()
			if thrown != nil && thrown != http.ErrAbortHandler {
				s.Log.ErrorContext(r.Context(), "panic", "id", rec.id, "panic", fmt.Sprint(thrown), "stack", string(debug.Stack()))
				if out.status == 0 {
					rec.errors = gqlerror.List{{Message: internalMessage(r.Context()),
						Extensions: map[string]any{"code": codeInternal}}}
					respond(out, http.StatusInternalServerError, legacyJSON, answer{Errors: rec.errors})
				}
			}
			s.logLine(r, rec, out, time.Since(start))
			if thrown == http.ErrAbortHandler {
				panic(thrown)
			}
		}()
		next.ServeHTTP(out, r)
	})
}

func (s *server) logLine(r *http.Request, rec *record, out *written, took time.Duration) {
	level, status := slog.LevelInfo, out.status
	if status == 0 {
		status = http.StatusOK
	}
	attrs := []slog.Attr{
		slog.String("id", rec.id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
	}
	if rec.gone || errors.Is(context.Cause(r.Context()), context.Canceled) {
		status = statusClientGone
	}
	attrs = append(attrs, slog.Int("status", status), slog.Int("bytes", out.bytes),
		slog.Float64("ms", float64(took.Microseconds())/1000))
	switch {
	case r.URL.Path != "/graphql":
		if status < 500 {
			level = slog.LevelDebug // pages and probes
		}
	default:
		attrs = append(attrs, slog.String("operation", rec.operation), slog.Int("cost", rec.cost),
			slog.Int("errors", len(rec.errors)), slog.Bool("remembered", rec.again))
		if len(rec.errors) > 0 {
			attrs = append(attrs, slog.String("codes", codes(rec.errors)),
				slog.String("error", shorten(rec.errors[0].Message, 200)))
		}
	}
	if status == http.StatusServiceUnavailable {
		level = slog.LevelWarn
	} else if status >= 500 || strings.Contains(codes(rec.errors), codeInternal) {
		level = slog.LevelError
	}
	message := "request"
	if status == statusClientGone {
		message, level = "request given up by the client", slog.LevelInfo
	}
	s.Log.LogAttrs(r.Context(), level, message, attrs...)
}

// codes lists the distinct codes of errors, in order of appearance.
func codes(errs gqlerror.List) string {
	var distinct []string
	seen := map[string]bool{}
	for _, e := range errs {
		code, _ := e.Extensions["code"].(string)
		if !seen[code] {
			seen[code] = true
			distinct = append(distinct, code)
		}
	}
	return strings.Join(distinct, ",")
}

// shorten cuts text to most runes, with an ellipsis if it cut.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}

// written remembers what was sent.
type written struct {
	http.ResponseWriter
	status, bytes int
}

func (w *written) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *written) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *written) Unwrap() http.ResponseWriter { return w.ResponseWriter }
