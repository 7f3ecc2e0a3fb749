package command

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/web"
)

// front is a handler that can be exchanged while it is used. A request is answered by the one that
// was there when it came.
type front struct {
	mu  sync.Mutex
	now *behind
}

// behind is a handler with the requests that it is answering.
type behind struct {
	http.Handler
	requests sync.WaitGroup
	unused   func()
}

// set exchanges the handler. unused is called once it is exchanged in turn and has answered its last
// request.
func (f *front) set(h http.Handler, unused func()) {
	f.mu.Lock()
	old := f.now
	f.now = &behind{Handler: h, unused: unused}
	f.mu.Unlock()
	if old != nil {
		go func() { old.requests.Wait(); old.unused() }()
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	b := f.now
	b.requests.Add(1)
	f.mu.Unlock()
	defer b.requests.Done()
	b.ServeHTTP(w, r)
}

// follower serves the data set in use, whichever that becomes.
type follower struct {
	dir    string
	front  *front
	config web.Config
	now    *opened
}

// serve serves from the data set, and closes the one before when its last request is answered.
func (f *follower) serve(d *opened) {
	f.now = d
	f.front.set(d.handler(f.config), func() {
		if err := d.close(); err != nil {
			f.config.Log.Error("the data set that was served before was not closed", "error", err.Error())
		}
	})
}

// everyLook is how often the data folder is looked at: two small files are read.
const everyLook = time.Second

// follow switches to the data set in use whenever it is another, until ctx ends. One that cannot be
// opened is told to the log, once, and the server goes on with the one it has.
func (f *follower) follow(ctx context.Context) {
	look := time.NewTicker(everyLook)
	defer look.Stop()
	var refused time.Time // when the switch was made to what cannot be opened
	told := ""            // the last that the log was told
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		folder, info, err := snapshot.Current(f.dir)
		if err == nil && folder == f.now.folder {
			told = ""
			continue
		}
		if err == nil {
			switched, _ := snapshot.Switched(f.dir)
			if switched.Equal(refused) {
				continue
			}
			if err = f.turnTo(ctx, folder, info); err != nil {
				refused = switched
			}
		}
		if err != nil && ctx.Err() == nil && told != err.Error() {
			told = err.Error()
			f.config.Log.Error("the data set in use cannot be opened; the one before is served on", "served",
				f.now.info.Name, "error", fault.Message(err))
		}
	}
}

func (f *follower) turnTo(ctx context.Context, folder string, info snapshot.Info) error {
	c, err := parseContract()
	if err != nil {
		return err
	}
	d, err := openFolder(ctx, folder, info, c, f.config.Limits)
	if err != nil {
		return err
	}
	f.serve(d)
	f.config.Log.Info("switched to the data set now in use", "name", info.Name, "title", info.Title, "fingerprint",
		info.Fingerprint)
	return nil
}
