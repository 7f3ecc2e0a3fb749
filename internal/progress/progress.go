// Package progress tells a person how far a long step has come, and how long it will still take: a
// bar on a terminal, plain lines elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A Reporter reports one step at a time. A nil Reporter reports nothing. It is safe for
// concurrent use.
type Reporter struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	title    string
	total    int64
	done     int64
	shown    time.Time
	started  time.Time
}

// every is how often a bar is redrawn and a plain line written.
const (
	everyBar  = 100 * time.Millisecond
	everyLine = 5 * time.Second
)

// New reports to out, with a bar if it is a terminal.
func New(out io.Writer) *Reporter {
	r := &Reporter{out: out}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			r.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return r
}

// Start begins a step of total units; 0 if the number is not known.
func (r *Reporter) Start(title string, total int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.title, r.total, r.done = title, int64(total), 0
	r.started = time.Now()
	r.shown = r.started
	if r.terminal {
		r.draw()
	} else {
		fmt.Fprintln(r.out, title)
	}
}

// Add counts n units of the step as done.
func (r *Reporter) Add(n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += int64(n)
	switch since := time.Since(r.shown); {
	case r.terminal && since >= everyBar:
		r.draw()
	case !r.terminal && since >= everyLine && r.total > 0:
		r.shown = time.Now()
		fmt.Fprintf(r.out, "%s: %s\n", r.title, state(r.done, r.total, time.Since(r.started)))
	}
}

// Done ends the step.
func (r *Reporter) Done() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.terminal {
		fmt.Fprintf(r.out, "\r\x1b[K%s: %.1f s\n", r.title, time.Since(r.started).Seconds())
	}
}

func (r *Reporter) draw() {
	r.shown = time.Now()
	const width = 30
	if r.total <= 0 {
		fmt.Fprintf(r.out, "\r\x1b[K%s …", r.title)
		return
	}
	full := int(min(r.done, r.total) * width / r.total)
	fmt.Fprintf(r.out, "\r\x1b[K%s [%s%s] %s", r.title, strings.Repeat("#", full), strings.Repeat(" ", width-full),
		state(r.done, r.total, time.Since(r.started)))
}

// state says how much of a step is done, and what it will still take if it goes on as it has.
func state(done, total int64, since time.Duration) string {
	done = min(done, total)
	percent := fmt.Sprintf("%d %%", 100*done/total)
	if done == 0 || done == total || since < everyLine {
		return percent
	}
	switch left := time.Duration(float64(since) * float64(total-done) / float64(done)); {
	case left < 90*time.Second:
		return fmt.Sprintf("%s, about %d s left", percent, int(left.Seconds()+1))
	case left < 90*time.Minute:
		return fmt.Sprintf("%s, about %d min left", percent, int(left.Minutes()+1))
	default:
		return fmt.Sprintf("%s, about %d h left", percent, int(left.Hours()+1))
	}
}
