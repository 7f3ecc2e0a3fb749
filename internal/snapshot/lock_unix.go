//go:build unix

package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/kvarter/kvarter/internal/fault"
)

// errReadOnly is what opening a file for writing gives where the disk may only be read.
const errReadOnly = syscall.EROFS

// lock lets one process at a time build in a data folder. The system gives the lock back when
// the process ends, however it ends. The file says what it was last taken for; without a purpose
// it must be there, and stays as it is.
func lock(path, purpose string) (unlock func(), err error) {
	flags := os.O_RDWR
	if purpose != "" {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fault.Unavailablef("another process is making a snapshot in %s; wait for it to end",
			filepath.Dir(path)), f.Close())
	}
	if err == nil && purpose != "" {
		err = writePurpose(f, purpose)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func writePurpose(f *os.File, purpose string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(purpose+"\n"), 0)
	return err
}

// share takes a file so that claim leaves it, until release is called or the process ends.
func share(path string) (release func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	// It waits for a claim to end, after which the file may be gone.
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	sharing.Store(f, true)
	return func() { sharing.Delete(f); _ = f.Close() }, nil
}

// sharing keeps the files that are shared: the garbage collector closes a file that nobody has.
var sharing sync.Map

// claim takes a file for its removal, until release is called; ok is false if anyone shares it.
func claim(path string) (release func(), ok bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, f.Close()
	}
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, true, nil
}
