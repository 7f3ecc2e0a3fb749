package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

// Whoever gave a command reads what happened, once, and neither our functions nor DuckDB's search.
func TestMessage(t *testing.T) {
	through := func(inner error) (err error) {
		defer fault.Wrap(&err, "snapshot.Create(data, x)")
		return func() (err error) {
			defer fault.Wrap(&err, "snapshot.Write(child_year)")
			return inner
		}()
	}
	missing := &fs.PathError{Op: "open", Path: "data/lock", Err: syscall.EACCES}
	for _, test := range []struct {
		err  error
		want string
	}{
		{through(errors.New("boom")), "boom"},
		{through(fault.Invalidf("scale %g is not between 0.001 and 1", 7.0)), "scale 7 is not between 0.001 and 1"},
		{fmt.Errorf("roll-up child_place: %w", through(missing)),
			"roll-up child_place: data/lock cannot be opened: this user may not"},
		{through(errors.Join(missing, missing, errors.New("and more"))),
			"data/lock cannot be opened: this user may not; and more"},
		{&fs.PathError{Op: "mkdir", Path: "data", Err: syscall.EROFS},
			"data cannot be made: the disk may only be read"},
		{&fs.PathError{Op: "write", Path: "data/x", Err: syscall.ENOSPC},
			"data/x cannot be written: the disk is full"},
		{&fs.PathError{Op: "read", Path: "data/current", Err: syscall.EISDIR},
			"data/current cannot be read: is a directory"},
		{&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EEXIST},
			"b cannot be given its name: file exists"},
		{errors.New("Binder Error: Referenced column \"plan\" not found in FROM clause!\nCandidate bindings: \"plan_id\", " +
			"\"name\"\n\nLINE 1: SELECT plan\n               ^"),
			`Referenced column "plan" not found in FROM clause; did you mean "plan_id", "name"?`},
		{errors.New("Binder Error: No function matches the given name and argument types 'sum(VARCHAR)'. You might need to " +
			"add explicit type casts.\n\tCandidate functions:\n\tsum(DECIMAL) -> DECIMAL\n\nLINE 1: x"),
			"No function matches the given name and argument types 'sum(VARCHAR)'"},
		{errors.New(`IO Error: Could not write file "/x/child_year.parquet": No space left on device`),
			`Could not write file "/x/child_year.parquet": the disk is full`},
	} {
		if got := fault.Message(test.err); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	_, err := os.ReadFile(filepath.Join(t.TempDir(), "x", "y"))
	if got := fault.Message(err); !strings.HasSuffix(got, filepath.Join("x",
		"y")+" cannot be opened: no such file or directory") {
		t.Error(got)
	}
}
