package process

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// logLine is how much of one line of standard error is kept; the rest of
	// the line is counted and dropped. hclog's JSON of a sane message fits.
	logLine = 64 << 10
	// tailLines and tailLine bound what an error shows of standard error.
	tailLines = 20
	tailLine  = 512
	// panicLimit bounds a panic's account in bytes: the message and the stack of
	// the goroutine that panicked come first.
	panicLimit = 16 << 10
)

// stderr reads a plugin's standard error to its end: hclog's JSON lines and plain
// text go into the host's log, panics and the last lines are kept.
type stderr struct {
	log    hclog.Logger
	redact func(string) string
	// panicked is told each complete account of a panic in a handler; may be nil.
	panicked func(string)

	mu       sync.Mutex
	tail     []string
	fatal    strings.Builder // a panic that ends the process
	inFatal  bool
	handler  strings.Builder // a panic in a handler, which does not
	inPanic  bool
	lastCall string // the last complete account of the latter

	done chan struct{}
}

func newStderr(log hclog.Logger, redact func(string) string) *stderr {
	if redact == nil {
		redact = func(s string) string { return s }
	}
	return &stderr{log: log, redact: redact, done: make(chan struct{})}
}

// read runs until r ends.
func (s *stderr) read(r io.Reader) {
	defer close(s.done)
	b := bufio.NewReaderSize(r, 16<<10)
	var line []byte
	dropped := 0
	for {
		part, err := b.ReadSlice('\n')
		room := logLine - len(line)
		line = append(line, part[:min(room, len(part))]...)
		dropped += len(part) - min(room, len(part))
		if err == bufio.ErrBufferFull {
			continue
		}
		if len(line) > 0 {
			s.line(line, dropped)
		}
		if err != nil {
			return
		}
		line, dropped = line[:0], 0
	}
}

// line takes one line, of which dropped bytes are missing at the end.
func (s *stderr) line(raw []byte, dropped int) {
	raw = bytes.TrimRight(raw, "\r\n")
	if dropped == 0 && len(raw) > 1 && raw[0] == '{' {
		if e, ok := parseEntry([]byte(s.redact(string(raw)))); ok {
			s.remember(e.text)
			e.log(s.log)
			return
		}
	}
	text := s.redact(clean(raw, logLine))
	if dropped > 0 {
		text += fmt.Sprintf(" ... (%d more bytes dropped)", dropped)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	s.remember(text)
	if s.panicLine(text) {
		s.log.Error(text)
		return
	}
	s.log.Log(levelOf(text), text)
}

// remember keeps the line in the tail.
func (s *stderr) remember(text string) {
	text = clean([]byte(text), tailLine)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tail) == tailLines {
		s.tail = slices.Delete(s.tail, 0, 1)
	}
	s.tail = append(s.tail, text)
}

// panicLine tells whether the line belongs to a panic, and keeps it.
func (s *stderr) panicLine(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasPrefix(text, lifeline.PanicBegin):
		s.inPanic = true
		s.handler.Reset()
	case s.inPanic && strings.HasPrefix(text, lifeline.PanicEnd):
		s.inPanic, s.lastCall = false, s.handler.String()
		if s.panicked != nil {
			s.panicked(strings.TrimSpace(s.lastCall))
		}
		return true
	case !s.inPanic && !s.inFatal && (strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") || strings.HasPrefix(text, "unexpected fault address")):
		s.inFatal = true
	}
	switch {
	case s.inPanic:
		keep(&s.handler, text)
		return true
	case s.inFatal:
		// Go ends the process after this, so everything that follows belongs
		// to it.
		keep(&s.fatal, text)
		return true
	}
	return false
}

func keep(b *strings.Builder, text string) {
	if b.Len()+len(text) < panicLimit {
		b.WriteString(text)
		b.WriteByte('\n')
	}
}

// account is the text of a fatal panic and the last lines.
func (s *stderr) account() (panicText string, tail []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(s.fatal.String()), slices.Clone(s.tail)
}

// callPanic is the last account of a panic in a handler.
func (s *stderr) callPanic() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(s.lastCall)
}

// entry is a line of hclog's JSON form.
type entry struct {
	level   hclog.Level
	message string
	text    string // message and error, for the tail
	args    []any
}

func parseEntry(raw []byte) (entry, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return entry{}, false
	}
	message, ok := m["@message"].(string)
	if !ok {
		return entry{}, false
	}
	name, _ := m["@level"].(string)
	e := entry{level: hclog.LevelFromString(name), message: clean([]byte(message), logLine)}
	if e.level == hclog.NoLevel {
		e.level = hclog.Info
	}
	e.text = e.message
	if cause, ok := m["error"].(string); ok {
		e.text += ": " + cause
	}
	delete(m, "@message")
	delete(m, "@level")
	delete(m, "@timestamp") // The host's log has its own, a moment later.
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := m[k]
		if text, ok := v.(string); ok {
			v = clean([]byte(text), logLine)
		}
		e.args = append(e.args, strings.TrimPrefix(k, "@"), v)
	}
	return e, true
}

func (e entry) log(l hclog.Logger) { l.Log(e.level, e.message, e.args...) }

// levelOf reads the common prefixes of plain lines.
func levelOf(text string) hclog.Level {
	for prefix, level := range map[string]hclog.Level{
		"[TRACE]": hclog.Trace, "[DEBUG]": hclog.Debug, "[INFO]": hclog.Info,
		"[WARN]": hclog.Warn, "[ERROR]": hclog.Error,
	} {
		if strings.HasPrefix(text, prefix) {
			return level
		}
	}
	return hclog.Debug
}
