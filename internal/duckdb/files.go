package duckdb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kvarter/kvarter/internal/fault"
)

// File is what a file of a snapshot was when the snapshot was made.
type File struct {
	Name   string `json:"name"` // within the snapshot's folder, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of its bytes, in hex
}

// ReadFile reads a file of the folder and says what it is now.
func ReadFile(folder, name string) (File, error) {
	f, _, err := readFile(folder, name)
	return f, err
}

func readFile(folder, name string) (_ File, _ fs.FileInfo, err error) {
	f, err := os.Open(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		return File{}, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return File{}, nil, err
	}
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	return File{name, n, hex.EncodeToString(hash.Sum(nil))}, info, err
}

// Differs says how the file of that name in the folder differs from what f says; "" if it does not.
func (f File) Differs(folder string) (string, error) {
	difference, _, err := f.differs(folder)
	return difference, err
}

func (f File) path(folder string) string { return filepath.Join(folder, filepath.FromSlash(f.Name)) }

func (f File) differs(folder string) (string, fs.FileInfo, error) {
	now, info, err := readFile(folder, f.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it is missing", nil, nil
	case err != nil:
		return "", nil, err
	case now.Bytes != f.Bytes:
		return fmt.Sprintf("it has %d bytes, and had %d when the data set was made", now.Bytes, f.Bytes), info, nil
	case now.SHA256 != f.SHA256:
		return fmt.Sprintf("its %d bytes are not those of when the data set was made", now.Bytes), info, nil
	}
	return "", info, nil
}

// seen is a file of the open snapshot as it was when the snapshot was opened.
type seen struct {
	path string
	info fs.FileInfo
}

// see remembers what the Parquet files of the folder are now. Where it is known what they were made
// as, all that was made is compared with it first, byte by byte, and no other file is seen.
func (s *Store) see(folder string, made []File) error {
	if made == nil {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if !strings.HasSuffix(path, ".parquet") {
				continue
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			s.seen = append(s.seen, seen{path, info})
		}
		return nil
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	infos, errs := make([]fs.FileInfo, len(made)), make([]error, len(made))
	for i, f := range made {
		group.Go(func() error {
			var difference string
			if difference, infos[i], errs[i] = f.differs(folder); difference != "" {
				errs[i] = fault.Invalidf("%s is not as it was made: %s; put the file back, or make the data set again",
					f.path(folder), difference)
			}
			return nil
		})
	}
	_ = group.Wait() // what failed is in errs
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for i, f := range made {
		if strings.HasSuffix(f.Name, ".parquet") {
			s.seen = append(s.seen, seen{f.path(folder), infos[i]})
		}
	}
	return nil
}

// sees reports whether the file is one of the open snapshot.
func (s *Store) sees(path string) bool {
	return slices.ContainsFunc(s.seen, func(f seen) bool { return f.path == path })
}

// unchanged returns an Unavailable fault if a file of the snapshot, by its name, size, time or
// inode, is not the one that was opened.
func (s *Store) unchanged() error {
	for _, was := range s.seen {
		now, err := os.Stat(was.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fault.Unavailablef("the data set was changed while it is served: %s is gone; %s",
				filepath.Base(was.path), putBack)
		case err != nil:
			return err
		case !os.SameFile(now, was.info) || now.Size() != was.info.Size() ||
			!now.ModTime().Equal(was.info.ModTime()):
			return fault.Unavailablef("the data set was changed while it is served: %s was %s, and is %s; %s",
				filepath.Base(was.path), described(was.info), described(now), putBack)
		}
	}
	return nil
}

const putBack = "put the file back or make the data set again, and start the server again"

func described(info fs.FileInfo) string {
	return fmt.Sprintf("%d bytes of %s", info.Size(), strings.Replace(info.ModTime().UTC().Format(time.RFC3339Nano),
		"T", " ", 1))
}
