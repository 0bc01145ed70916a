package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// marker is the start of the header line. It is put together at run time: the
// parser's own binary (and every plugin that links it) must not hold a marker
// that a scan would have to look at.
func marker() string {
	return strings.Join([]string{"#!stephost", "flavor", "manifest", "v1", ""}, " ")
}

// maxHeader bounds the header line: marker, length, hash.
const maxHeader = 160

// header is what a header line says.
type header struct {
	length int
	hash   string // 64 hex digits
}

// parseHeader reads the line that begins at data (which may go on). size is the
// number of bytes of the line with its end.
func parseHeader(data []byte) (h header, size int, ok bool) {
	mark := marker()
	if !bytes.HasPrefix(data, []byte(mark)) {
		return h, 0, false
	}
	line := data[len(mark):min(len(data), maxHeader)]
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		return h, 0, false
	}
	size = len(mark) + end + 1
	length, hash, found := strings.Cut(strings.TrimSuffix(string(line[:end]), "\r"), " sha256:")
	n, err := strconv.Atoi(length)
	if !found || err != nil || n < 0 || n > MaxManifest || strconv.Itoa(n) != length || len(hash) != sha256.Size*2 {
		return h, size, false
	}
	if _, err := hex.DecodeString(hash); err != nil || strings.ToLower(hash) != hash {
		return h, size, false
	}
	return header{n, hash}, size, true
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// split takes the header line, well-formed or not, off a manifest's text.
func split(data []byte) (line, body []byte) {
	if !bytes.HasPrefix(data, []byte(marker())) {
		return nil, data
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i+1], data[i+1:]
	}
	return data, nil
}

// Digest is "sha256:" and the hex hash of a manifest's text without its header
// line.
func Digest(data []byte) string {
	_, body := split(data)
	return "sha256:" + hashOf(body)
}

// Stamp writes or renews the header line that carries length and hash, by which
// the manifest is found inside a file that embeds it. Stamping twice changes
// nothing.
func Stamp(data []byte) []byte {
	_, body := split(data)
	head := fmt.Sprintf("%s%d sha256:%s\n", marker(), len(body), hashOf(body))
	return append([]byte(head), body...)
}

// Stamped tells whether data begins with a header line that fits the rest.
func Stamped(data []byte) bool {
	h, size, ok := parseHeader(data)
	return ok && len(data)-size == h.length && hashOf(data[size:]) == h.hash
}

// Comment is the stamped manifest as comment lines for a script. prefix is, for
// example, "# " or "// ". Line ends become "\n", because a script's may change
// on its way.
func Comment(data []byte, prefix string) []byte {
	_, body := split(data)
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	if len(body) > 0 && body[len(body)-1] != '\n' {
		body = append(bytes.Clone(body), '\n')
	}
	var b bytes.Buffer
	for line := range bytes.Lines(Stamp(body)) {
		if text := string(line); text == "\n" {
			b.WriteString(strings.TrimRight(prefix, " ") + "\n")
		} else {
			b.WriteString(prefix + text)
		}
	}
	return b.Bytes()
}
