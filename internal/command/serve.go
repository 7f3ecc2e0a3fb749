package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/web"
)

var serve = command{
	name: "serve",
	does: "serve GraphQL and the console page; makes the default data set first if DIR has none",
	declare: func(flags *flag.FlagSet) action {
		dir := dataFlag(flags)
		addr := flags.String("addr", "127.0.0.1:8080", "listen on `HOST:PORT`; port 0 is any that is free")
		var origins list
		flags.Var(&origins, "allow-origin",
			"let pages of the origin `URL` read answers, e.g. https://maps.example.org; may be repeated")
		var names list
		flags.Func("allow-host", "answer also to the name `NAME`, e.g. kvarter.example.org; may be repeated",
			func(name string) error {
				if name == "" || strings.ContainsAny(name, "/ ") {
					return fault.Invalidf("a name such as kvarter.example.org was expected, without https:// and path")
				}
				return names.Set(name)
			})
		logger := func(log io.Writer) slog.Handler { return slog.NewTextHandler(log, nil) }
		flags.Func("log", "log to standard error as `text|json`; text if not given", func(format string) error {
			switch format {
			case "text":
			case "json":
				logger = func(log io.Writer) slog.Handler { return slog.NewJSONHandler(log, nil) }
			default:
				return fault.Invalidf("text and json are known")
			}
			return nil
		})
		return func(ctx context.Context, _ []string, out, log io.Writer) (int, error) {
			c := web.Config{Limits: web.DefaultLimits(), AllowedOrigins: origins, Log: slog.New(logger(log))}
			return serving(ctx, *dir, *addr, names, c, out)
		}
	},
}

// hosts are the names that the server answers to: on a loopback address those of this machine and
// what is allowed, so that no other site's page can ask under a name of its own. A server bound to
// other addresses has names that it cannot know, and answers to any unless some are allowed.
func hosts(addr string, allowed []string, listener net.Listener) []string {
	address, ok := listener.Addr().(*net.TCPAddr)
	if ok && !address.IP.IsLoopback() && len(allowed) == 0 {
		return nil
	}
	out := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		out = append(out, host)
	}
	out = append(out, allowed...)
	slices.Sort(out)
	return slices.Compact(out)
}

// serving serves the data folder dir on addr, as c says for the rest.
func serving(ctx context.Context, dir, addr string, allowed []string, c web.Config, out io.Writer) (code int,
	err error) {
	// The address is taken first: twenty seconds of making data should not end in "in use".
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return trouble, fmt.Errorf("cannot listen on %s (%w); choose another address with --addr, e.g. --addr 127.0.0.1:0 "+
			"for any free port", addr, err)
	}
	defer listener.Close()
	c.AllowedHosts = hosts(addr, allowed, listener)
	base := "http://" + listener.Addr().String()

	var f front
	life, end := context.WithCancel(ctx)
	defer end()
	stopped := make(chan error, 1)
	begin := sync.OnceFunc(func() { go func() { stopped <- serveOn(life, listener, &f) }() })
	d, err := open(ctx, dir, "", c.Limits, out, func(doing string) {
		f.set(web.Starting(c, doing), func() {})
		begin()
		fmt.Fprintf(out, "%s/ shows when it is there.\n", base)
	})
	if err != nil {
		return trouble, err
	}
	following := &follower{dir: dir, front: &f, config: c}
	following.serve(d)
	begin()
	fmt.Fprintf(out,
		"Kvarter serves %s\n\n  Look at it      %s/\n  GraphQL         %s/graphql\n  Notebooks       go run . jupyter\n  "+
			"Stop            Ctrl-C\n\n",
		about(d.info), base, base)
	followed := make(chan struct{})
	go func() { defer close(followed); following.follow(life) }()
	err = <-stopped
	end()
	<-followed
	return done, errors.Join(err, following.now.close())
}

// about says what a data set is.
func about(info snapshot.Info) string {
	text := fmt.Sprintf("%q", info.Title)
	if n := len(info.Years); n > 0 {
		text += fmt.Sprintf(", years %d-%d", info.Years[0], info.Years[n-1])
	}
	text += fmt.Sprintf(", fingerprint %.12s.", info.Fingerprint)
	if info.Synthetic {
		text += "\n  This data set is synthetic: no real person is in it."
	}
	return text
}

// serveOn serves until ctx ends, then lets requests under way finish.
func serveOn(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}
