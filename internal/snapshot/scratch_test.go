package snapshot

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Those who make scratch folders at the same time remove what was left behind, and nobody's that is in use.
func TestScratchFoldersAtOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				folder, remove, err := Scratch()
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(folder, "rows"), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left %v (%v)", left, err)
	}
}
