package source

import (
	"fmt"
	"path"
	"strings"
)

// verdict is what a list of patterns says about a path.
type verdict int8

const (
	noWord  verdict = iota // no pattern matches
	leaveIn                // the last matching pattern starts with "!"
	leaveOut
)

// pattern is one line in the grammar of .gitignore.
type pattern struct {
	negated  bool
	dirOnly  bool
	anchored bool // matched from the place of its file, not at any depth
	segments []string
}

// parsePattern reads a line. It is false for an empty line or a comment. A
// pattern that cannot match anything (a bracket that is not closed) is an
// error; git ignores such a line without a word.
func parsePattern(line string) (pattern, bool, error) {
	var p pattern
	line = trimLine(line)
	if line == "" || line[0] == '#' {
		return p, false, nil
	}
	text := line
	if text[0] == '!' {
		p.negated, text = true, text[1:]
	}
	if strings.HasSuffix(text, "/") {
		p.dirOnly, text = true, strings.TrimRight(text, "/")
	}
	if text == "" {
		return p, false, nil
	}
	p.anchored = strings.Contains(text, "/")
	text = strings.TrimLeft(text, "/")
	for _, s := range strings.Split(text, "/") {
		if s == "" || s == "." {
			continue
		}
		s = strings.ReplaceAll(s, "[!", "[^")
		if _, err := path.Match(s, ""); err != nil {
			return p, false, fmt.Errorf("%q is not a valid pattern", line)
		}
		p.segments = append(p.segments, s)
	}
	return p, len(p.segments) > 0, nil
}

// trimLine drops the line end and blanks at the end that are not escaped.
func trimLine(line string) string {
	line = strings.TrimRight(line, "\r\n")
	for strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
		if strings.HasSuffix(line[:len(line)-1], `\`) {
			break
		}
		line = line[:len(line)-1]
	}
	return line
}

// matches says whether the pattern is about the path, given as its segments
// from the place of the pattern's file.
func (p *pattern) matches(segments []string, dir bool) bool {
	if len(segments) == 0 || (p.dirOnly && !dir) {
		return false
	}
	if !p.anchored {
		return matchSegment(p.segments[0], segments[len(segments)-1])
	}
	return matchSegments(p.segments, segments)
}

// reaches says whether the pattern could match something below the directory:
// the reason to open a directory that is left out. A pattern without a slash
// does not (as in git), or every cache on the way would be opened for it.
func (p *pattern) reaches(dir []string) bool {
	if !p.anchored {
		return false
	}
	for i, d := range dir {
		if i == len(p.segments) {
			return false
		}
		if p.segments[i] == "**" {
			return true
		}
		if !matchSegment(p.segments[i], d) {
			return false
		}
	}
	return len(p.segments) > len(dir)
}

func matchSegments(pat, segs []string) bool {
	for len(pat) > 0 {
		if pat[0] == "**" {
			if len(pat) == 1 {
				return len(segs) > 0 // "a/**" is what lies in a, not a itself
			}
			for i := range segs {
				if matchSegments(pat[1:], segs[i:]) {
					return true
				}
			}
			return false
		}
		if len(segs) == 0 || !matchSegment(pat[0], segs[0]) {
			return false
		}
		pat, segs = pat[1:], segs[1:]
	}
	return len(segs) == 0
}

func matchSegment(pat, name string) bool {
	if !strings.ContainsAny(pat, `*?[\`) {
		return pat == name
	}
	ok, err := path.Match(pat, name)
	return ok && err == nil
}

// patternList is the patterns of one ignore file.
type patternList struct {
	depth    int // how many segments lead to the file's directory
	patterns []pattern
}

// parseList reads lines; bad ones are returned as errors beside the rest.
func parseList(depth int, lines []string) (*patternList, []error) {
	l := &patternList{depth: depth}
	var bad []error
	for _, line := range lines {
		p, ok, err := parsePattern(line)
		switch {
		case err != nil:
			bad = append(bad, err)
		case ok:
			l.patterns = append(l.patterns, p)
		}
	}
	return l, bad
}

// verdict is that of the last pattern that matches.
func (l *patternList) verdict(segments []string, dir bool) verdict {
	segments = segments[min(l.depth, len(segments)):]
	for i := len(l.patterns) - 1; i >= 0; i-- {
		if p := &l.patterns[i]; p.matches(segments, dir) {
			if p.negated {
				return leaveIn
			}
			return leaveOut
		}
	}
	return noWord
}

// reopens says whether a "!" pattern reaches below the directory.
func (l *patternList) reopens(dir []string) bool {
	if l.depth > len(dir) {
		return false
	}
	for i := range l.patterns {
		if p := &l.patterns[i]; p.negated && p.reaches(dir[l.depth:]) {
			return true
		}
	}
	return false
}

// lastVerdict asks the lists from the last (deepest) to the first.
func lastVerdict(lists []*patternList, segments []string, dir bool) verdict {
	for i := len(lists) - 1; i >= 0; i-- {
		if v := lists[i].verdict(segments, dir); v != noWord {
			return v
		}
	}
	return noWord
}
