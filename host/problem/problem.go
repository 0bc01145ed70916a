package problem

import (
	"strings"
)

// Limit is the length of a problem's text in bytes; causes can be arbitrarily
// long (a backend's HTML error page), a terminal is not.
const Limit = 8 << 10

// Class says whose matter a problem is. The words are those of the contract's
// Class, in lower case.
type Class string

// The classes.
const (
	User      Class = "user"
	Config    Class = "config"
	Capacity  Class = "capacity"
	Preempted Class = "preempted"
	System    Class = "system"
	Timeout   Class = "timeout"
	Cancelled Class = "cancelled"
	Lost      Class = "lost"
	Auth      Class = "auth"
	Unknown   Class = "unknown"
)

// Error is a problem. Only Summary is required.
type Error struct {
	// Summary is one line, without a full stop.
	Summary string
	// Detail explains, in full sentences.
	Detail string
	// Next is what the person can do now, starting with a verb.
	Next string
	// Whom it concerns; empty where it does not apply.
	Flavor, Operator, Run, Phase string
	// Class is empty for problems of input.
	Class Class
	// Err is the cause.
	Err error
}

// Error is the text in one paragraph: subject, summary, cause.
func (e *Error) Error() string {
	var b strings.Builder
	for _, s := range []struct{ word, value string }{
		{"flavor", e.Flavor}, {"operator", e.Operator}, {"run", e.Run}, {"phase", e.Phase},
	} {
		if s.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.word + " " + s.value)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Summary)
	if e.Err != nil {
		// A cause that is only for programs has no text.
		if text := e.Err.Error(); text != "" {
			b.WriteString(": " + text)
		}
	}
	return Bound(b.String(), Limit)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Bound cuts text to at most limit bytes, at a rune, and marks the cut.
func Bound(text string, limit int) string {
	const mark = " ... (cut)"
	if len(text) <= limit {
		return text
	}
	if limit <= len(mark) {
		return text[:max(limit, 0)]
	}
	return strings.ToValidUTF8(text[:limit-len(mark)], "") + mark
}
