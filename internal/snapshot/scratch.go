package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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
	if folder, err = os.MkdirTemp("", scratchPrefix); err != nil {
		return "", nil, err
	}
	unlock, err := lock(filepath.Join(folder, lockFile), "scratch")
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	return folder, func() error { unlock(); return os.RemoveAll(folder) }, nil
}
