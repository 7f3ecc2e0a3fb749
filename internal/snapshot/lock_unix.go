//go:build unix

package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/kvarter/kvarter/internal/fault"
)

// lock lets one process at a time build in a data folder. The system gives the lock back when
// the process ends, however it ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fault.Unavailablef("another process is making a snapshot in %s; wait for it to end", filepath.Dir(path)), f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
