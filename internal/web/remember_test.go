package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/deadline"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/resolvers"
)

const named = "query A($id: ID!) { area(id: $id) { name } } query B($id: ID!) { area(id: $id) { name } }"

// area is an area that bears its id as its name.
func area(id string) *study.Area {
	return &study.Area{Area: &cells.Area{ID: id, Name: "name of " + id}}
}

func answering(f func(ctx context.Context, id string) (*study.Area, error)) func(*web.Config) {
	return func(c *web.Config) {
		c.Schema = graph.NewExecutableSchema(graph.Config{Resolvers: root{&resolvers.Resolver{}, f}})
	}
}

// The same question is answered from memory, and no other one is.
func TestAnswersAreRemembered(t *testing.T) {
	var asked atomic.Int32
	var mu sync.Mutex
	var log bytes.Buffer
	server := serve(t, func(c *web.Config) {
		answering(func(_ context.Context, id string) (*study.Area, error) {
			asked.Add(1)
			return area(id), nil
		})(c)
		c.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	})
	request := func(media, document, operation, id string) string {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, server.URL+"/graphql",
			strings.NewReader(fmt.Sprintf(`{"query": %q, "operationName": %q, "variables": {"id": %q}}`, document, operation,
				id)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", media)
		got := do(t, r)
		if got.status != 200 || !strings.HasPrefix(got.Get("Content-Type"), media) ||
			got.Get("Cache-Control") != "no-store" || got.Get("ETag") != "" {
			t.Errorf("got %d %v", got.status, got.Header)
		}
		return string(got.body)
	}
	for i, question := range []struct{ media, document, operation, id, want string }{
		{legacyJSON, named, "A", "x", `{"data":{"area":{"name":"name of x"}}}`},
		{legacyJSON, named, "A", "y", `{"data":{"area":{"name":"name of y"}}}`},
		{legacyJSON, named, "B", "x", `{"data":{"area":{"name":"name of x"}}}`},
		{legacyJSON, strings.Replace(named, "{ name }", "{ n: name }", 1), "A", "x", `{"data":{"area":{"n":"name of x"}}}`},
		{graphqlJSON, named, "A", "x", `{"data":{"area":{"name":"name of x"}}}`},
	} {
		for range 3 {
			if got := request(question.media, question.document, question.operation, question.id); got != question.want+"\n" {
				t.Errorf("%+v: got %s", question, got)
			}
		}
		if n := asked.Load(); n != int32(i+1) {
			t.Fatalf("%+v: resolved %d times, want %d", question, n, i+1)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	first, again := strings.Count(log.String(),
		"operation=A cost=2 errors=0 remembered=false"), strings.Count(log.String(), "operation=A cost=2 errors=0 "+
		"remembered=true")
	if first != 4 || again != 8 {
		t.Errorf("the log tells of %d first and %d remembered answers of A, want 4 and 8:\n%s", first, again, log.String())
	}
}

// An error may pass, so what had one is asked anew, and so is what nobody waited for.
func TestErrorsAreNotRemembered(t *testing.T) {
	var asked atomic.Int32
	for name, failure := range map[string]error{"ours": errors.New("broken"), "theirs": fault.Unavailablef("not now")} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			server := serve(t, answering(func(_ context.Context, id string) (*study.Area, error) {
				if asked.Add(1) <= 2 {
					return nil, failure
				}
				return area(id), nil
			}))
			for i := range 4 {
				r := ask(t, server, `{ area(id: "x") { name } }`, nil)
				want := `{"area":null}`
				if i >= 2 {
					want = `{"area":{"name":"name of x"}}`
				}
				if (i < 2) != (r.Errors != nil) || string(r.Data) != want {
					t.Errorf("time %d: got %s %+v", i+1, r.Data, r.Errors)
				}
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("resolved %d times, want 3", n)
			}
		})
	}
	t.Run("given up", func(t *testing.T) {
		asked.Store(0)
		entered := make(chan bool)
		var mu sync.Mutex
		var log bytes.Buffer
		server := serve(t, func(c *web.Config) {
			answering(func(ctx context.Context, id string) (*study.Area, error) {
				if asked.Add(1) == 1 {
					entered <- true
					<-ctx.Done()
					return area("half of " + id), nil
				}
				return area(id), nil
			})(c)
			c.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
		})
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-entered
			cancel()
		}()
		request, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/graphql",
			strings.NewReader(`{"query": "{ area(id: \"x\") { name } }"}`))
		request.Header.Set("Content-Type", "application/json")
		if answer, err := http.DefaultClient.Do(request); err == nil {
			answer.Body.Close()
			t.Error("the request was answered")
		}
		deadline.Until(t, "the line in the log", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(log.String(), "given up by the client")
		})
		if r := ask(t, server, `{ area(id: "x") { name } }`, nil); string(r.Data) != `{"area":{"name":"name of x"}}` ||
			asked.Load() != 2 {
			t.Errorf("got %s, resolved %d times", r.Data, asked.Load())
		}
	})
}

// Many ask many questions at once, the same and different ones, and each gets its own answer.
func TestAnswersAreNotMixed(t *testing.T) {
	server := serve(t, answering(func(_ context.Context, id string) (*study.Area, error) {
		if strings.HasSuffix(id, "7") {
			return nil, fault.NotFoundf("no %s", id)
		}
		return area(id), nil
	}))
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				id := fmt.Sprint((i*(worker+1) + worker) % 50)
				r := ask(t, server, "query($id: ID!) { area(id: $id) { id name } }", map[string]any{"id": id})
				want := fmt.Sprintf(`{"area":{"id":"Area:%s","name":"name of %s"}}`, id, id)
				if strings.HasSuffix(id, "7") {
					want = `{"area":null}`
				}
				if string(r.Data) != want || strings.HasSuffix(id, "7") != (r.message() == "no "+id) {
					t.Errorf("asked for %s, got %s %q", id, r.Data, r.message())
				}
			}
		})
	}
	all.Wait()
}
