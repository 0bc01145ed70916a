package process

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

const (
	// handshakeLine is the longest handshake line: with AutoMTLS it holds a
	// certificate of about 1 KiB.
	handshakeLine = 16 << 10
	// prefaceLimit is how much may be printed before the handshake (a library's
	// banner) until the file is taken for no plugin.
	prefaceLimit = 64 << 10
	// prefaceKept is how much of that stands in the error.
	prefaceKept = 2 << 10
	// strayLine and strayLines bound what of the output after the handshake is
	// logged; the rest is read and dropped, so that it never blocks the plugin.
	strayLine  = 1 << 10
	strayLines = 100
)

// handshakeForm recognises go-plugin's line: core, major, network, address.
var handshakeForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{1,4}\|-?\d{1,9}\|[a-z]+\|[^|]+\|`)
})

// stdout reads a plugin's standard output to its end. go-plugin sees nothing but
// the handshake line, through a pipe: it would fail on a line before it, and
// stop reading, and so block the plugin, on a long one after it.
type stdout struct {
	handshake *io.PipeReader // for go-plugin
	w         *io.PipeWriter
	log       hclog.Logger

	mu      sync.Mutex
	preface []byte
	major   string // of the handshake line
	tooMuch bool

	done chan struct{}
}

func newStdout(log hclog.Logger) *stdout {
	r, w := io.Pipe()
	return &stdout{handshake: r, w: w, log: log, done: make(chan struct{})}
}

// read runs until r ends.
func (s *stdout) read(r io.Reader) {
	defer close(s.done)
	b := bufio.NewReaderSize(r, handshakeLine)
	if s.meet(b) {
		s.drain(b)
	} else {
		_, _ = io.Copy(io.Discard, b)
	}
}

// meet finds the handshake line and passes it on.
func (s *stdout) meet(b *bufio.Reader) bool {
	defer s.w.Close() // Ends go-plugin's reading, whatever came.
	total := 0
	for total <= prefaceLimit {
		line, err := b.ReadSlice('\n')
		total += len(line)
		if parts := handshakeForm().Find(line); parts != nil && err == nil {
			s.mu.Lock()
			s.major = strings.Split(string(line), "|")[1]
			s.mu.Unlock()
			_, _ = s.w.Write(line)
			return true
		}
		s.mu.Lock()
		if room := prefaceKept - len(s.preface); room > 0 {
			s.preface = append(s.preface, line[:min(room, len(line))]...)
		}
		s.mu.Unlock()
		if err != nil && err != bufio.ErrBufferFull {
			return false
		}
		if text := clean(line, strayLine); text != "" {
			s.log.Warn("the plugin printed to standard output before the handshake; only standard error is for that", "text", text)
		}
	}
	s.mu.Lock()
	s.tooMuch = true
	s.mu.Unlock()
	return false
}

// drain logs a few stray lines and drops the rest.
func (s *stdout) drain(b *bufio.Reader) {
	for range strayLines {
		line, err := b.ReadSlice('\n')
		if text := clean(line, strayLine); text != "" {
			s.log.Warn("the plugin printed to standard output", "text", text)
		}
		for err == bufio.ErrBufferFull {
			_, err = b.ReadSlice('\n')
		}
		if err != nil {
			return
		}
	}
	s.log.Warn("the plugin goes on printing to standard output; no more of it is logged")
	_, _ = io.Copy(io.Discard, b)
}

// seen is what was printed before the handshake, the major of the handshake
// ("" = none came), and whether the limit was reached.
func (s *stdout) seen() (preface, major string, tooMuch bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(clean(s.preface, prefaceKept)), s.major, s.tooMuch
}

// clean makes text of bytes: valid UTF-8 without control characters, cut at
// limit. A plugin must not be able to write escape sequences to a terminal.
func clean(b []byte, limit int) string {
	b = bytes.TrimRight(b, "\r\n")
	cut := len(b) > limit
	if cut {
		b = b[:limit]
	}
	text := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
	if cut {
		text += " ... (cut)"
	}
	return text
}
