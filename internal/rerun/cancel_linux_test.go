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

	"github.com/kvarter/kvarter/internal/deadline"
)

// A rerun that is given up leaves no process and no file behind, not even of a cell's
// program that does not want to end.
func TestCancelLeavesNothingBehind(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	alive := filepath.Join(t.TempDir(), "pid")
	path := write(t, cell{code: first +
		fmt.Sprintf("signal.Ignore(os.Interrupt)\nos.WriteFile(%q, []byte(fmt.Sprint(os.Getpid(), \" \", os.Getppid())), "+
			"0o644)\ntime.Sleep(time.Hour)", alive)})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := Verify(ctx, Options{Repo: "../..", Notebooks: []string{path}})
		result <- err
	}()
	var pids []string
	deadline.Until(t, "the cell starts", func() bool {
		select {
		case err := <-result:
			t.Fatalf("ended early: %v", err)
		default:
		}
		text, _ := os.ReadFile(alive)
		pids = strings.Fields(string(text))
		return len(pids) == 2
	})
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
		deadline.Until(t, "process "+pid+" is gone", func() bool {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n))
			return err != nil || strings.Contains(string(status), ") Z ")
		})
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "kvarter-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
