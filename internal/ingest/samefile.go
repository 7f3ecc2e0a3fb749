package ingest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// sameFiles warns of files of one reading that hold the same, as data.csv and "data (1).csv" of a
// second download do under a pattern: their rows are all there twice.
func (s *staged) sameFiles(reads []read) error {
	var first map[string]string // file, by its content
	var sizes map[int64]int     // how many files have them
	for i, r := range reads {
		if i == 0 || reads[i-1].one != r.one {
			first, sizes = map[string]string{}, map[int64]int{}
			for _, other := range reads[i:] {
				for _, file := range other.files {
					if info, err := os.Stat(file); err == nil && other.one == r.one {
						sizes[info.Size()]++
					}
				}
			}
		}
		for _, file := range r.files {
			content, err := s.contentOf(r, file, sizes)
			if err != nil {
				return err
			}
			if content == "" {
				continue
			}
			other, ok := first[content]
			if !ok {
				first[content] = file
				continue
			}
			what := fmt.Sprintf("the file holds the same as %s, and the SELECT reads both: their rows are there twice; was it "+
				"downloaded or copied a second time? Delete one, or name the files one by one", nameWithin(s.recipe.folder, other))
			if other == file {
				what = "the SELECT names the file twice in one reading, and its rows are there twice; name it once"
			}
			issue := Issue{Severity: Warning, File: nameWithin(s.recipe.folder, file), Rule: "file", Rows: 1, Message: what}
			if !slices.Contains(s.issues, issue) { // another table may read the same files
				s.add(issue)
			}
		}
	}
	return nil
}

// contentOf returns what tells the content of a file from others, or "" where it has no rows or, by
// the number of files of each size, is not like another.
func (s *staged) contentOf(r read, file string, sizes map[int64]int) (_ string, err error) {
	if lines, isText := s.sources.lines[file]; isText {
		if lines < 2 && r.format() == csvFormat { // a header alone
			return "", nil
		}
		return fmt.Sprintf("%d lines, %x", lines, s.sources.sums[file]), nil
	}
	info, err := os.Stat(file)
	if err != nil || sizes[info.Size()] < 2 {
		return "", nil // that it went is said where it is read
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, &interruptible{s.ctx, f}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
