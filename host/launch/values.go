package launch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
)

// A line "::stephost value NAME=JSON" on stdout becomes a named value of the
// result, on every backend.
const valuePrefix = "::stephost value "

// valuesLimit bounds the values of one run: they travel in its record.
const valuesLimit = 64 << 10

var valueName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)
})

// values collects the named values of one attempt from its log, per source
// because lines of different sources interleave. Not safe for concurrent use.
type values struct {
	found   map[string]json.RawMessage
	size    int
	partial map[string][]byte // source -> the beginning of a value line
	skip    map[string]bool   // source -> the current line is no value line
	notes   []string          // what a person should hear, once each
	changed bool
}

func newValues() *values {
	return &values{found: map[string]json.RawMessage{}, partial: map[string][]byte{}, skip: map[string]bool{}}
}

// add takes the next bytes of a source. Only complete lines count.
func (v *values) add(source string, data []byte) {
	for len(data) > 0 {
		line, rest, ended := data, []byte(nil), false
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, rest, ended = data[:i], data[i+1:], true
		}
		v.part(source, line, ended)
		data = rest
	}
}

// part takes a piece of one line; ended says that the line is complete.
func (v *values) part(source string, piece []byte, ended bool) {
	if !v.skip[source] {
		before := v.partial[source]
		switch {
		case len(before) == 0 && ended:
			if bytes.HasPrefix(piece, []byte(valuePrefix)) {
				v.line(piece)
			}
			return
		case !compatible(before, piece):
			v.skip[source] = true
			delete(v.partial, source)
		case len(before)+len(piece) > valuesLimit+len(valuePrefix)+256:
			// The rest of it is not kept, only its name.
			head := append(before[:len(before):len(before)], piece[:min(len(piece), len(valuePrefix)+256)]...)
			if name, _, ok := bytes.Cut(bytes.TrimPrefix(head, []byte(valuePrefix)), []byte("=")); ok && valueName().Match(name) {
				v.tooLarge(name)
			} else {
				v.malformed()
			}
			v.skip[source] = true
			delete(v.partial, source)
		default:
			v.partial[source] = append(before, piece...)
			if ended && bytes.HasPrefix(v.partial[source], []byte(valuePrefix)) {
				v.line(v.partial[source])
			}
		}
	}
	if ended {
		delete(v.partial, source)
		delete(v.skip, source)
	}
}

// compatible tells whether before+piece can still become a value line.
func compatible(before, piece []byte) bool {
	n := min(len(before)+len(piece), len(valuePrefix))
	for i := len(before); i < n; i++ {
		if piece[i-len(before)] != valuePrefix[i] {
			return false
		}
	}
	return true
}

func (v *values) line(line []byte) {
	name, text, ok := bytes.Cut(bytes.TrimSuffix(line[len(valuePrefix):], []byte("\r")), []byte("="))
	switch {
	case !ok || !valueName().Match(name):
		v.malformed()
	case !json.Valid(text):
		v.note(fmt.Sprintf("ignored the value %s: what stands after '=' is not JSON (a string needs quotes)", name))
	case v.size+len(name)+len(text)-len(v.found[string(name)]) > valuesLimit:
		v.tooLarge(name)
	default:
		if old, exists := v.found[string(name)]; exists {
			v.size -= len(name) + len(old)
		}
		v.size += len(name) + len(text)
		v.found[string(name)] = bytes.Clone(text)
		v.changed = true
	}
}

func (v *values) malformed() {
	v.note(fmt.Sprintf("ignored a value line: write %sNAME=JSON with a NAME of letters, digits, '_', '.' and '-'", valuePrefix))
}

func (v *values) tooLarge(name []byte) {
	v.note(fmt.Sprintf("ignored the value %s: the values of a run are limited to 64 KiB in all; write it to the output directory", name))
}

func (v *values) note(text string) {
	const most = 20 // a loop of bad lines must not fill the record
	if len(v.notes) < most {
		v.notes = append(v.notes, text)
	}
}
