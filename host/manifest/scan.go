package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// window is how much of a file is in memory at once.
	window = 1 << 20
	// maxCandidates bounds the work on a file full of header lines: each costs
	// a hash over up to MaxManifest bytes.
	maxCandidates = 64
)

// Errors of Scan. They are wrapped with the file's name.
var (
	// ErrNoManifest: no marker with a fitting length and hash is in the file.
	ErrNoManifest = errors.New("no flavor manifest inside")
	// ErrConflict: the file holds different manifests.
	ErrConflict = errors.New("different flavor manifests inside")
	// ErrTooLarge: the file is larger than MaxFile.
	ErrTooLarge = errors.New("file too large to be scanned")
	// ErrNotRegular: a pipe, a device, a socket.
	ErrNotRegular = errors.New("not a regular file")
)

// Scan gives the text of the manifest inside the file at path, without its
// header line. The file is streamed, never run. Several identical copies are
// one.
func Scan(ctx context.Context, path string) ([]byte, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if size > MaxFile {
		return nil, fmt.Errorf("%s: %w (%d bytes, at most %d)", path, ErrTooLarge, size, MaxFile)
	}
	out, err := scan(ctx, f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// open opens a regular file. It looks before it opens: opening a pipe would
// wait for a writer.
func open(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// scan looks through size bytes of r.
func scan(ctx context.Context, r io.ReaderAt, size int64) ([]byte, error) {
	mark := []byte(marker())
	var found []byte
	have := false
	candidates := 0
	buf := make([]byte, min(int64(window), size))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		for off := 0; ; {
			i := bytes.Index(buf[off:n], mark)
			if i < 0 {
				break
			}
			off += i
			text, wellFormed := candidate(r, at+int64(off), size)
			if wellFormed {
				if candidates++; candidates > maxCandidates {
					return nil, fmt.Errorf("%w: more than %d header lines", ErrConflict, maxCandidates)
				}
			}
			if text != nil {
				if have && !bytes.Equal(found, text) {
					return nil, ErrConflict
				}
				found, have = text, true
			}
			off += len(mark)
		}
		if err != nil || n == 0 {
			break // the end, or the file became shorter
		}
		if at+int64(n) >= size {
			break
		}
		at += int64(n - len(mark) + 1) // a marker may lie across two windows
	}
	if !have {
		return nil, ErrNoManifest
	}
	return found, nil
}

// candidate reads what the header line at offset at promises: the text as it
// is, or with a comment prefix taken off every line. nil = length or hash do not
// fit, which is no error: other programs may hold the marker as a text.
func candidate(r io.ReaderAt, at, size int64) (text []byte, wellFormed bool) {
	// The line before the marker holds the comment prefix; the text may be
	// longer than promised by a prefix on each of its lines.
	const before, longestPrefix = 16, 8
	start := max(0, at-before)
	head := make([]byte, min(size-start, before+maxHeader))
	n, _ := r.ReadAt(head, start)
	head = head[:n]
	lead := int(at - start)
	if lead > len(head) {
		return nil, false
	}
	h, headerSize, ok := parseHeader(head[lead:])
	if !ok {
		return nil, false
	}
	bodyAt := at + int64(headerSize)
	raw := make([]byte, min(size-bodyAt, int64(h.length)))
	n, _ = r.ReadAt(raw, bodyAt)
	if n == h.length && hashOf(raw) == h.hash {
		return raw, true
	}
	prefix := linePrefix(head[:lead])
	prefixes := []string{prefix}
	if prefix == "" {
		prefixes = []string{"# ", "// ", "-- ", "; ", "#"}
	}
	// One byte of text per line is the worst case.
	commented := make([]byte, min(size-bodyAt, int64(h.length)*(longestPrefix+2)))
	n, _ = r.ReadAt(commented, bodyAt)
	for _, p := range prefixes {
		if text, ok := uncomment(commented[:n], p, h.length); ok && hashOf(text) == h.hash {
			return text, true
		}
	}
	return nil, true
}

// linePrefix is the comment prefix before the marker on its line; "" = none.
func linePrefix(before []byte) string {
	p := string(before[bytes.LastIndexByte(before, '\n')+1:])
	switch strings.TrimSpace(p) {
	case "#", "//", "--", ";", "%", "*", "\"":
		if len(p) <= 8 {
			return p
		}
	}
	return ""
}

// uncomment takes prefix off the lines of data until length bytes are there. A
// line that is the prefix without its space is an empty one (editors trim).
func uncomment(data []byte, prefix string, length int) ([]byte, bool) {
	out := make([]byte, 0, length)
	bare := strings.TrimRight(prefix, " ")
	for line := range bytes.Lines(data) {
		if len(out) >= length {
			break
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		switch {
		case bytes.HasPrefix(line, []byte(prefix)):
			out = append(out, line[len(prefix):]...)
		case string(line) == bare:
		default:
			return nil, false
		}
		out = append(out, '\n')
	}
	return out, len(out) == length
}
