package plugintest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	// scanWindow is how much of a file is in memory at once.
	scanWindow = 1 << 20
	// maxHeader bounds the header line behind its marker.
	maxHeader = 160
	// maxScan is the host's limit for a file.
	maxScan = 1 << 30
	// longestPrefix is the longest comment prefix of a manifest in a script.
	longestPrefix = 8
)

// headerMark begins the header line. It is put together at run time: a program
// that held the literal would look like a file with a manifest inside.
func headerMark() string {
	return strings.Join([]string{"#!stephost", "flavor", "manifest", "v1", ""}, " ")
}

// splitHeader takes the header line off a manifest's text.
func splitHeader(data []byte) (line, body []byte) {
	if !bytes.HasPrefix(data, []byte(headerMark())) {
		return nil, data
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i+1], data[i+1:]
	}
	return data, nil
}

// scanFile returns the manifest inside the file at path, nil when there is none.
func scanFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxScan {
		return nil, errors.New("it is no regular file of at most 1 GiB")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mark := []byte(headerMark())
	buf := make([]byte, scanWindow)
	for at := int64(0); at < info.Size(); {
		n, err := f.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		for off := 0; ; off += len(mark) {
			i := bytes.Index(buf[off:n], mark)
			if i < 0 {
				break
			}
			off += i
			if text := manifestAt(f, at+int64(off)); text != nil {
				return text, nil
			}
		}
		if err != nil || n <= len(mark) {
			return nil, nil
		}
		at += int64(n - len(mark) + 1) // a marker may lie across two windows
	}
	return nil, nil
}

// manifestAt reads what the header line at offset at promises, with a comment
// prefix taken off where the lines have one. nil: length or hash do not fit.
func manifestAt(f io.ReaderAt, at int64) []byte {
	head := make([]byte, len(headerMark())+maxHeader)
	n, _ := f.ReadAt(head, at)
	line, _, ok := bytes.Cut(head[:n], []byte("\n"))
	if !ok {
		return nil
	}
	size, hash, ok := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(string(line), "\r"), headerMark()), " sha256:")
	length, err := strconv.Atoi(size)
	if !ok || err != nil || length < 0 || length > maxManifest {
		return nil
	}
	raw := make([]byte, length*(longestPrefix+2))
	n, _ = f.ReadAt(raw, at+int64(len(line))+1)
	raw = raw[:n]
	if len(raw) >= length && hashOf(raw[:length]) == hash {
		return raw[:length]
	}
	for _, prefix := range []string{"# ", "// ", "-- ", "; ", "#"} {
		if text, ok := uncomment(raw, prefix, length); ok && hashOf(text) == hash {
			return text
		}
	}
	return nil
}

func uncomment(data []byte, prefix string, length int) ([]byte, bool) {
	out := make([]byte, 0, length)
	for line := range bytes.Lines(data) {
		if len(out) >= length {
			break
		}
		line = bytes.TrimRight(line, "\r\n")
		rest, ok := bytes.CutPrefix(line, []byte(prefix))
		if !ok && string(line) != strings.TrimRight(prefix, " ") {
			return nil, false
		}
		if ok {
			out = append(out, rest...)
		}
		out = append(out, '\n')
	}
	return out, len(out) == length
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
