package rerun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A rerun that is given up leaves no process and no file behind, not even of a cell's
// program that does not want to end.
func TestCancelLeavesNothingBehind(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	alive := filepath.Join(t.TempDir(), "pid")
	path := write(t, cell{code: first + fmt.Sprintf("signal.Ignore(os.Interrupt)\nos.WriteFile(%q, []byte(fmt.Sprint(os.Getpid(), \" \", os.Getppid())), 0o644)\ntime.Sleep(time.Hour)", alive)})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := Verify(ctx, Options{Repo: "../..", Notebooks: []string{path}})
		result <- err
	}()
	var pids []string
	for deadline := time.Now().Add(time.Minute); len(pids) < 2; {
		if time.Now().After(deadline) {
			t.Fatal("the cell did not start")
		}
		select {
		case err := <-result:
			t.Fatalf("ended early: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		text, _ := os.ReadFile(alive)
		pids = strings.Fields(string(text))
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	for _, pid := range pids {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		// The cell's program was a grandchild, which its new parent has to bury first.
		gone := false
		for range 100 {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n))
			if gone = err != nil || strings.Contains(string(status), ") Z "); gone {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !gone {
			t.Errorf("process %d is still there", n)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "kvarter-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
