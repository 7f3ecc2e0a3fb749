package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/unicode/norm"

	"github.com/kvarter/kvarter/internal/fault"
)

// sources are the user's files that a recipe reads. Each is looked at, to its end, before DuckDB
// reads it. A file that is not UTF-8 in composed letters (NFC) is read from a copy that is: the
// copies lie in a folder of their own, in one below it for each encoding, at the place that the
// file has in the recipe's folder, so that patterns and the names of folders mean the same there.
type sources struct {
	ctx    context.Context
	folder string // the recipe's
	copies string // the folder of the copies; made when there is one
	looked map[look]looked
	lines  map[string]int64  // of each text looked at, by its file
	sums   map[string]uint64 // the hashes of the same
	issues []Issue
}

// look is a file as it is read: what is right for one reading may be wrong for another.
type look struct {
	file, format, encoding, compression string
	skips                               bool
}

// looked is what came of it.
type looked struct {
	wrong bool // an issue says why it cannot be read
	copy  bool // DuckDB reads it from a copy
}

// The formats of files, by what reads them.
const (
	csvFormat     = "csv"
	jsonFormat    = "json"
	parquetFormat = "parquet"
	textFormat    = "text"
)

// format returns in which format a function reads files, or "" where it takes any bytes.
func (r read) format() string {
	for _, format := range []string{csvFormat, jsonFormat, parquetFormat, textFormat} {
		if strings.Contains(r.function, format) {
			return format
		}
	}
	return ""
}

// The compressions of files.
const (
	plain       = "none"
	gzipped     = "gzip"
	zstandarded = "zstd"
)

// compressionOf returns how a file is compressed for DuckDB: as stated, else by its name.
func (r read) compressionOf(file string) string {
	name := strings.ToLower(file)
	switch format := r.format(); {
	case format == parquetFormat, format == textFormat, format == "":
		return plain
	case r.compression != "" && r.compression != "auto" && r.compression != "auto_detect":
		return strings.Replace(r.compression, "uncompressed", plain, 1)
	case strings.HasSuffix(name, ".gz"):
		return gzipped
	case strings.HasSuffix(name, ".zst"):
		return zstandarded
	}
	return plain
}

// open looks at the files of a reading and returns the name, or pattern of names, under which
// DuckDB is to read them. What is wrong with a file is an issue; an error is a failure of ours.
func (s *sources) open(r read) (path string, err error) {
	copied, broken := false, false
	for _, file := range r.files {
		id := look{file, r.format(), r.encoding, r.compressionOf(file), r.skips}
		result, ok := s.looked[id]
		if !ok {
			found, copied, err := s.look(r, file)
			if err != nil {
				return "", err
			}
			for i := range found {
				found[i].File = nameWithin(s.folder, file)
			}
			s.issues = append(s.issues, found...)
			wrong, _ := Count(found)
			result = looked{wrong: wrong > 0, copy: copied}
			if s.looked == nil {
				s.looked = map[look]looked{}
			}
			s.looked[id] = result
		}
		copied, broken = copied || result.copy, broken || result.wrong
	}
	if broken || !copied {
		return literal(s.folder, r.path), nil
	}
	for _, file := range r.files {
		if err := s.copy(r, file); err != nil {
			return "", err
		}
	}
	return literal(s.copies, s.copyOf(r, r.path)), nil
}

// literal writes a path or pattern of files in a folder so that DuckDB takes the folder's own name
// as no pattern.
func literal(folder, path string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(folder) + strings.TrimPrefix(path, folder)
}

// wrong reports whether one of the files of a SELECT cannot be read.
func (s *sources) wrong(reads []read) bool {
	for _, r := range reads {
		for _, file := range r.files {
			if s.looked[look{file, r.format(), r.encoding, r.compressionOf(file), r.skips}].wrong {
				return true
			}
		}
	}
	return false
}

// copyOf is where the copy of a file lies.
func (s *sources) copyOf(r read, file string) string {
	encoding := r.encoding
	if encoding == "" {
		encoding = utf8Name
	}
	return filepath.Join(s.copies, encoding, strings.TrimPrefix(file, s.folder))
}

// readable returns the copy of a file, or the file itself where DuckDB reads it as it is.
func (s *sources) readable(r read, file string) string {
	copied := s.copyOf(r, file)
	if _, err := os.Stat(copied); s.copies == "" || err != nil {
		return file
	}
	return copied
}

// original returns the user's file of which a file is a copy, or the file itself.
func (s *sources) original(file string) string {
	rest, ok := strings.CutPrefix(file, s.copies+string(filepath.Separator))
	if !ok || s.copies == "" {
		return file
	}
	_, rest, _ = strings.Cut(rest, string(filepath.Separator))
	return filepath.Join(s.folder, rest)
}

// originals writes a message of DuckDB's with the names of the user's files.
func (s *sources) originals(message string) string {
	if s.copies == "" {
		return message
	}
	encodings, _ := os.ReadDir(s.copies) // no folder, no copies
	for _, e := range encodings {
		message = strings.ReplaceAll(message, filepath.Join(s.copies, e.Name()), s.folder)
	}
	return message
}

// look looks at one file, and reports what is wrong with it and whether it is read from a copy.
func (s *sources) look(r read, file string) (found []Issue, copied bool, err error) {
	wrong := func(message string) ([]Issue, bool, error) {
		return []Issue{{Severity: Error, Rule: "file", Message: message, Rows: 1}}, false, nil
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return wrong(unreadable(err))
	case info.IsDir():
		return wrong("this is a folder; a file was expected")
	case !info.Mode().IsRegular():
		return wrong("this is a device or a pipe; a file was expected, which can be read more than once")
	case info.Size() == 0:
		return wrong("the file is empty; rows were expected")
	}
	format := r.format()
	if format == "" {
		return nil, false, nil
	}
	if problem, err := checkBytes(r, file); err != nil || problem != "" {
		if err != nil {
			problem = unreadable(err)
		}
		return wrong(problem)
	}
	if format == parquetFormat {
		problem, err := checkParquet(s.ctx, file)
		if err != nil {
			return nil, false, err
		}
		if problem != "" {
			return wrong(problem)
		}
		return nil, false, nil
	}
	text, problem, err := s.scan(r, file)
	if err != nil {
		return nil, false, err
	}
	if s.lines == nil {
		s.lines, s.sums = map[string]int64{}, map[string]uint64{}
	}
	s.lines[file], s.sums[file] = text.count, text.sum
	if problem != "" {
		if format == csvFormat {
			if found := checkCSV(r, text.head); len(found) > 0 && found[0].Severity == Error {
				return found, false, nil // what the file is tells more than how it is written
			}
		}
		return wrong(problem)
	}
	found = text.warnings(r)
	copied = r.encoding != "" || text.decomposed.count > 0 || text.marked && format == jsonFormat
	switch format {
	case csvFormat:
		found = append(found, checkCSV(r, text.head)...)
	case jsonFormat:
		if problem := jsonStat(text.head); problem != "" {
			return wrong(problem)
		}
		more, err := checkJSON(func() (io.ReadCloser, error) { return s.reader(r, file) }, text.mixed())
		if err != nil {
			return nil, false, err
		}
		found = append(found, more...)
	}
	return found, copied, nil
}

// unreadable says in words why a file cannot be read.
func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "the file cannot be read: its permissions keep it from you"
	case errors.Is(err, fs.ErrNotExist):
		return "the file is no longer there; was it moved while it was read?"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Sprintf("the file cannot be read: %v", err)
}

// brokenFile is a file that cannot be read to its end as what it is.
type brokenFile struct{ message string }

func (e *brokenFile) Error() string { return e.message }

// reader reads the text of a file as UTF-8, decompressed and without the mark of its encoding. An
// error that is the file's own fault is a brokenFile.
func (s *sources) reader(r read, file string) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, &brokenFile{unreadable(err)}
	}
	raw, err := decompressed(bufio.NewReaderSize(&interruptible{s.ctx, f}, 1<<18), r.compressionOf(file))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	text := bufio.NewReaderSize(raw, 1<<18)
	out := &sourceReader{Reader: text, close: func() error { raw.Close(); return f.Close() }}
	if r.encoding != "" {
		out.Reader, err = decoded(text, r)
	} else if start, peekErr := text.Peek(len(utf8Mark)); peekErr == nil && string(start) == utf8Mark {
		_, err = text.Discard(len(utf8Mark))
		out.marked = true
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// firstLine returns the first line of a text, or the first hundred bytes of it.
func (s *sources) firstLine(r read, file string) (_ string, err error) {
	in, err := s.reader(r, file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	text, err := io.ReadAll(io.LimitReader(in, 100))
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), err
}

type sourceReader struct {
	io.Reader
	marked bool // the file began with the mark of UTF-8
	close  func() error
}

func (r *sourceReader) Close() error { return r.close() }

// interruptible ends reading when the context does.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &brokenFile{unreadable(err)}
	}
	return n, err
}

// decompressed reads what a compressed file holds, all members or frames of it, and tests their
// checksums.
func decompressed(in io.Reader, compression string) (io.ReadCloser, error) {
	switch compression {
	case plain:
		return io.NopCloser(in), nil
	case gzipped:
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, brokenGzip(err, false)
		}
		return &gzipReader{z, false}, nil
	case zstandarded:
		// DuckDB, too, takes windows of up to 128 MB.
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return &zstdReader{z.IOReadCloser(), false}, nil
	}
	return nil, &brokenFile{fmt.Sprintf("the recipe states compression = %q; 'gzip', 'zstd' or 'none' was expected",
		compression)}
}

type gzipReader struct {
	*gzip.Reader
	begun bool
}

func (r *gzipReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.begun = r.begun || n > 0
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, brokenGzip(err, r.begun)
}

// brokenGzip says in words what is wrong with a gzip file; begun if a part of it could be read.
func brokenGzip(err error, begun bool) error {
	switch {
	case errors.Is(err, gzip.ErrHeader) && begun:
		return &brokenFile{"after the end of the compressed rows the file holds something else; was it put together from " +
			"several, or damaged? Compress it again"}
	case errors.Is(err, gzip.ErrHeader):
		return &brokenFile{"this is no gzip file, which its name or the recipe says it is; name it after what it is, or " +
			"read it with compression = 'none'"}
	case errors.Is(err, gzip.ErrChecksum):
		return &brokenFile{"the compressed file is damaged: its checksum is that of another content; get it again"}
	}
	return brokenCompressed(err)
}

type zstdReader struct {
	io.ReadCloser
	begun bool
}

func (r *zstdReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.begun = r.begun || n > 0
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case errors.Is(err, zstd.ErrMagicMismatch) && r.begun:
		return n, brokenGzip(gzip.ErrHeader, true)
	case errors.Is(err, zstd.ErrMagicMismatch):
		return n, &brokenFile{"this is no Zstandard file, which its name or the recipe says it is; name it after what it " +
			"is, or read it with compression = 'none'"}
	case errors.Is(err, zstd.ErrCRCMismatch):
		return n, brokenGzip(gzip.ErrChecksum, true)
	}
	return n, brokenCompressed(err)
}

// brokenCompressed says what is wrong with a compressed file of any kind.
func brokenCompressed(err error) error {
	var broken *brokenFile
	switch {
	case errors.As(err, &broken), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &brokenFile{"the compressed file ends too early; was it cut off when it was copied? Get it again"}
	}
	return &brokenFile{fmt.Sprintf("the compressed file is damaged (%v); get it again", err)}
}

// copy writes the copy of a file that DuckDB reads: in UTF-8, with composed letters, and
// compressed as the file is, so that little rows do not become a full disk.
func (s *sources) copy(r read, file string) (err error) {
	target := s.copyOf(r, file)
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	in, err := s.reader(r, file)
	if err != nil {
		return fault.Invalidf("%s: %w", nameWithin(s.folder, file), err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	// Under its name only when whole: another table's SELECT may read it again.
	f, err := os.OpenFile(target+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f, in, r.compressionOf(file)), f.Close()); errors.Is(err, syscall.ENOSPC) {
		return fault.Unavailablef("%s is read from a copy in UTF-8, for which the disk of %s has no room",
			nameWithin(s.folder, file), filepath.Dir(filepath.Dir(s.copies)))
	} else if err != nil {
		return err
	}
	return os.Rename(target+".new", target)
}

// write writes a text with composed letters.
func write(file io.Writer, text io.Reader, compression string) error {
	var out io.WriteCloser
	switch compression {
	case gzipped:
		z, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
		if err != nil {
			return err
		}
		out = z
	case zstandarded:
		z, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		out = z
	default:
		out = writeCloser{file}
	}
	composed := norm.NFC.Writer(out)
	_, err := io.CopyBuffer(struct{ io.Writer }{composed}, text, make([]byte, 1<<18))
	return errors.Join(err, composed.Close(), out.Close())
}

type writeCloser struct{ io.Writer }

func (writeCloser) Close() error { return nil }

// isMissing says in words why a name that a recipe gives stands for no file, or "" where nothing is there.
func isMissing(path string) string {
	info, err := os.Stat(path)
	switch link, linkErr := os.Readlink(path); {
	case err == nil && info.IsDir():
		return "is a folder; a file was expected, or a pattern such as " + filepath.Base(path) + "/*.csv"
	case errors.Is(err, syscall.ELOOP):
		return "is a link that leads back to itself; put the file itself there"
	case err != nil && linkErr == nil:
		return "is a link to " + link + ", where no file is; put the file itself there"
	case errors.Is(err, fs.ErrPermission):
		return "cannot be reached: the permissions of its folder keep it from you"
	}
	return ""
}

// checkBytes returns what is wrong with a file that is no text of the kind it is read as.
func checkBytes(r read, file string) (problem string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	start := make([]byte, 512)
	n, err := io.ReadFull(f, start)
	if err != nil && err != io.ErrUnexpectedEOF {
		return "", err
	}
	k := kindOf(file, start[:n])
	if k == nil || k.compression != "" && k.compression == r.compressionOf(file) || k.format != "" &&
		k.format == r.format() {
		return "", nil
	}
	return "this is " + k.name + "; " + k.advice, nil
}
