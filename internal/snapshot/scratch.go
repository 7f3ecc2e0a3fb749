package snapshot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// scratchPrefix begins the names of scratch folders among the system's temporary ones.
const scratchPrefix = "kvarter-scratch-"

// Scratch makes a folder that only this user reads, for what does not fit in memory, until remove
// is called. Those of processes that were killed are removed first: rows of persons may be in them.
func Scratch() (folder string, remove func() error, err error) {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		old := filepath.Join(os.TempDir(), e.Name())
		unlock, err := lock(filepath.Join(old, lockFile), "")
		if err != nil {
			continue // in use, or another user's
		}
		err = os.RemoveAll(old)
		unlock()
		if err != nil {
			return "", nil, err
		}
	}
	for {
		if folder, err = os.MkdirTemp("", scratchPrefix); err != nil {
			return "", nil, err
		}
		path := filepath.Join(folder, lockFile)
		unlock, err := lock(path, "scratch")
		if err == nil {
			if _, err = os.Stat(path); err == nil {
				return folder, func() error { unlock(); return os.RemoveAll(folder) }, nil
			}
			unlock()
		}
		// Until it was locked, another process may have taken it for one that was left behind.
		if fault.KindOf(err) != fault.Unavailable && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
}
