package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignoreLimit bounds an ignore file: a bigger one is not an ignore file.
const ignoreLimit = 1 << 20

// The names of ignore files.
const (
	gitIgnore      = ".gitignore"
	dockerIgnore   = ".dockerignore"
	stephostIgnore = ".stephostignore"
)

// neverIn are the directories (or files: a worktree's .git) of version
// control. Nothing brings them back: they are big, and they hold credentials.
func neverIn(name string) bool { return name == ".git" || name == ".hg" || name == ".svn" }

// madeByTools are paths that tools write beside code: they change without the
// code changing, and a person never writes them.
func madeByTools(name string) bool {
	switch name {
	case "__pycache__", ".DS_Store", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", ".tox", ".nox":
		return true
	}
	return false
}

// state is what a directory hands down to what lies in it.
type state struct {
	git, own []*patternList
	// Each is true when the directory itself is left out by that layer.
	outGit, outOwn, outTool bool
	docker                  patternmatcher.MatchInfo
	outDocker, noDocker     bool
}

func (s *state) out() bool { return s.outGit || s.outOwn || s.outTool || s.outDocker }

// rules decide for one root what enters the tree.
type rules struct {
	// prefix leads from the repository's top (or from the root) to the root, so
	// that ignore files above the root see whole paths.
	prefix  []string
	exclude *patternList
	docker  *patternmatcher.PatternMatcher
	// bad collects lines that are not valid, once for each scan.
	bad []error
}

// newRules reads what is known before walking: the repository's ignore files
// above the root, .dockerignore in it, and the exclude list. An exclude pattern
// that is not valid is an error, since a person wrote it for this step.
func newRules(root string, exclude []string) (*rules, *state, error) {
	r, s := &rules{}, &state{}
	top := repositoryTop(root)
	if top != "" {
		r.readAbove(top, root, s)
	}
	var bad []error
	r.exclude, bad = parseList(len(r.prefix), exclude)
	if len(bad) > 0 {
		return nil, nil, fmt.Errorf("exclude: %w", errors.Join(bad...))
	}
	data, err := readIgnore(filepath.Join(root, dockerIgnore))
	if err != nil {
		return nil, nil, err
	}
	if data != nil {
		lines, err := ignorefile.ReadAll(bytes.NewReader(data))
		if err == nil {
			r.docker, err = patternmatcher.New(lines)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Join(root, dockerIgnore), err)
		}
	}
	return r, s, nil
}

// repositoryTop is the nearest directory from root upwards that holds .git, or
// "".
func repositoryTop(root string) string {
	for dir := root; ; {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// readAbove reads .git/info/exclude and the .gitignore files from the
// repository's top down to the parent of root. When they leave out root itself,
// they are dropped: a person named it as source, so it is wanted.
func (r *rules) readAbove(top, root string, s *state) {
	rel, err := filepath.Rel(top, root)
	if err != nil {
		return
	}
	if rel != "." {
		r.prefix = strings.Split(filepath.ToSlash(rel), "/")
	}
	if l := r.list(filepath.Join(top, ".git", "info", "exclude"), 0); l != nil {
		s.git = append(s.git, l)
	}
	dir := top
	for i, name := range r.prefix {
		if l := r.list(filepath.Join(dir, gitIgnore), i); l != nil {
			s.git = append(s.git, l)
		}
		if lastVerdict(s.git, r.prefix[:i+1], true) == leaveOut {
			s.git = nil
			return
		}
		dir = filepath.Join(dir, name)
	}
}

// list reads a file of patterns; nil when there is none to speak of. Lines that
// are not valid are kept in r.bad.
func (r *rules) list(file string, depth int) *patternList {
	data, err := readIgnore(file)
	if err != nil {
		r.bad = append(r.bad, err)
	}
	if len(data) == 0 {
		return nil
	}
	l, bad := parseList(depth, strings.Split(string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), "\n"))
	for _, err := range bad {
		r.bad = append(r.bad, fmt.Errorf("%s: %w", file, err))
	}
	if len(l.patterns) == 0 {
		return nil
	}
	return l
}

// enter adds the ignore files that lie in the directory, which segments lead to
// from the repository's top.
func (r *rules) enter(s state, dir string, names []fs.DirEntry, segments []string) state {
	for _, n := range names {
		switch n.Name() {
		case gitIgnore:
			if l := r.list(filepath.Join(dir, gitIgnore), len(segments)); l != nil {
				s.git = append(s.git[:len(s.git):len(s.git)], l)
			}
		case stephostIgnore:
			if l := r.list(filepath.Join(dir, stephostIgnore), len(segments)); l != nil {
				s.own = append(s.own[:len(s.own):len(s.own)], l)
			}
		}
	}
	return s
}

// judge is the state of a path in a directory with the state parent. segments
// lead to it from the repository's top. tool says that it is made by a tool.
func (r *rules) judge(parent state, segments []string, dir, tool bool) (state, error) {
	s := parent
	own := r.exclude.verdict(segments, dir)
	if own == noWord {
		own = lastVerdict(parent.own, segments, dir)
	}
	git := noWord
	if !parent.outGit { // as in git: out of a directory left out, nothing comes back
		git = lastVerdict(parent.git, segments, dir)
	}
	s.outGit = parent.outGit || git == leaveOut
	s.outTool = parent.outTool || (tool && git != leaveIn)
	if r.docker != nil && !parent.noDocker {
		out, info, err := r.docker.MatchesUsingParentResults(strings.Join(segments[len(r.prefix):], "/"), parent.docker)
		if err != nil {
			return s, fmt.Errorf("%s: %w", dockerIgnore, err)
		}
		s.outDocker, s.docker = out, info
	}
	switch own {
	case leaveOut:
		s.outOwn = true
	case leaveIn:
		// A directory that is brought back is walked as if the pattern that left
		// it out were not there; others go on to hold in it.
		s.noDocker = s.noDocker || s.outDocker
		s.outGit, s.outTool, s.outOwn, s.outDocker = false, false, false, false
	}
	return s, nil
}

// worthOpening says whether something below a directory that is left out could
// come back.
func (r *rules) worthOpening(s state, segments []string) bool {
	if r.exclude.reopens(segments) {
		return true
	}
	for _, l := range s.own {
		if l.reopens(segments) {
			return true
		}
	}
	if s.outGit || s.outOwn || s.outTool || r.docker == nil || !r.docker.Exclusions() {
		return false
	}
	rel := segments[len(r.prefix):]
	for _, p := range r.docker.Patterns() {
		below := pattern{anchored: true, segments: strings.Split(filepath.ToSlash(p.String()), "/")}
		if p.Exclusion() && below.reaches(rel) {
			return true
		}
	}
	return false
}

// readIgnore is the content of a file, nil when it does not exist.
func readIgnore(file string) ([]byte, error) {
	f, err := openRegular(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir) {
			return nil, nil
		}
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, ignoreLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > ignoreLimit {
		return nil, fmt.Errorf("%s is larger than %d bytes: not an ignore file", file, ignoreLimit)
	}
	return data, nil
}
