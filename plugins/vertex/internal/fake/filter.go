package fake

import (
	"fmt"
	"strings"
	"time"
)

// A filter of Google's list calls (https://google.aip.dev/160), as far as lists
// of jobs and of log entries need it: AND, OR, NOT, parentheses, comparisons of
// a field with a text. What is not understood is an error, as in the service.

// matcher tells whether something with these fields matches.
type matcher func(get func(field string) (string, bool)) bool

type parser struct {
	rest string
	// partial: ":" finds a part of a text (Logging); else it is a wildcard or the
	// existence of a field.
	partial bool
}

func compile(filter string, partial bool) (matcher, error) {
	if strings.TrimSpace(filter) == "" {
		return func(func(string) (string, bool)) bool { return true }, nil
	}
	p := &parser{rest: filter, partial: partial}
	m, err := p.or()
	if err == nil && p.space() != "" {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("the filter cannot be read: %w", err)
	}
	return m, nil
}

func (p *parser) space() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

func (p *parser) word(w string) bool {
	if rest, ok := strings.CutPrefix(p.space(), w); ok && (rest == "" || strings.ContainsAny(rest[:1], " (\n")) {
		p.rest = rest
		return true
	}
	return false
}

func (p *parser) or() (matcher, error) {
	a, err := p.and()
	for err == nil && p.word("OR") {
		var b matcher
		if b, err = p.and(); err == nil {
			l := a
			a = func(get func(string) (string, bool)) bool { return l(get) || b(get) }
		}
	}
	return a, err
}

func (p *parser) and() (matcher, error) {
	a, err := p.term()
	for err == nil && p.word("AND") {
		var b matcher
		if b, err = p.term(); err == nil {
			l := a
			a = func(get func(string) (string, bool)) bool { return l(get) && b(get) }
		}
	}
	return a, err
}

func (p *parser) term() (matcher, error) {
	if p.word("NOT") {
		m, err := p.term()
		return func(get func(string) (string, bool)) bool { return !m(get) }, err
	}
	if rest, ok := strings.CutPrefix(p.space(), "("); ok {
		p.rest = rest
		m, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.rest, ok = strings.CutPrefix(p.space(), ")"); !ok {
			return nil, fmt.Errorf("a parenthesis is open at %q", p.rest)
		}
		return m, nil
	}
	return p.comparison()
}

func (p *parser) comparison() (matcher, error) {
	at := strings.IndexAny(p.rest, "=<>!:")
	if at <= 0 {
		return nil, fmt.Errorf("no comparison in %q", p.rest)
	}
	field := strings.TrimSpace(p.rest[:at])
	p.rest = p.rest[at:]
	op := ""
	for _, o := range []string{"!=", ">=", "<=", "=", ">", "<", ":"} {
		if rest, ok := strings.CutPrefix(p.rest, o); ok {
			op, p.rest = o, rest
			break
		}
	}
	value, err := p.value()
	if err != nil || op == "" {
		return nil, fmt.Errorf("no value for %s: %w", field, err)
	}
	return p.compare(field, op, value), nil
}

func (p *parser) value() (string, error) {
	if rest, ok := strings.CutPrefix(p.space(), `"`); ok {
		value, rest, ok := strings.Cut(rest, `"`)
		if !ok {
			return "", fmt.Errorf("a quote is open")
		}
		p.rest = rest
		return value, nil
	}
	end := strings.IndexAny(p.rest, " )\n")
	if end < 0 {
		end = len(p.rest)
	}
	value := p.rest[:end]
	p.rest = p.rest[end:]
	return value, nil
}

func (p *parser) compare(field, op, want string) matcher {
	partial := p.partial
	stamp, isTime := time.Time{}, false
	if t, err := time.Parse(time.RFC3339Nano, want); err == nil {
		stamp, isTime = t, true
	}
	nanos := stamp.UnixNano()
	return func(get func(string) (string, bool)) bool {
		have, ok := get(field)
		if op == ":" && !partial {
			return ok && (want == "*" || strings.HasPrefix(have, strings.TrimSuffix(want, "*")))
		}
		if op == ":" {
			return ok && strings.Contains(have, want)
		}
		c := strings.Compare(have, want)
		if isTime {
			c = compareNanos(have, nanos)
		}
		switch op {
		case "=":
			return ok && c == 0
		case "!=":
			return !ok || c != 0
		case ">=":
			return ok && c >= 0
		case "<=":
			return ok && c <= 0
		case ">":
			return ok && c > 0
		}
		return ok && c < 0
	}
}

// compareNanos compares a time in decimal nanoseconds.
func compareNanos(have string, want int64) int {
	var n int64
	for i := range len(have) {
		if have[i] < '0' || have[i] > '9' {
			return -1
		}
		n = n*10 + int64(have[i]-'0')
	}
	switch {
	case n < want:
		return -1
	case n > want:
		return 1
	}
	return 0
}
