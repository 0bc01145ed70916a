package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// afterLimit is how long a scan goes on beyond SizeLimit: long enough to meet
// the paths that are worth naming, short for a person who waits for an error.
const afterLimit = 2 * time.Second

// checkEvery is how many entries pass between looks at the context.
const checkEvery = 256

// Scan walks the roots and returns what would be copied, without reading any
// file but ignore files. The result has neither hashes nor digest: Store.Add
// makes them. Errors are those of this package's types, or of the operating
// system (a directory that may not be read).
func Scan(ctx context.Context, roots []Root, o Options) (*Tree, error) {
	w := &walker{ctx: ctx, options: o, never: map[string]bool{}}
	for _, p := range o.NeverCopy {
		w.never[realPath(p)] = true
	}
	for _, root := range roots {
		if err := w.root(root); err != nil {
			return nil, err
		}
	}
	return w.finish()
}

// walker collects the entries of all roots.
type walker struct {
	ctx      context.Context
	options  Options
	never    map[string]bool
	entries  []Entry
	bytes    int64
	seen     int
	deadline time.Time // set when over the limit
	warnings []string

	// of the root being walked
	path   string // real path
	target string // "" or without a slash at the end
	rules  *rules
}

// errEnough ends a scan that is over a limit.
var errEnough = errors.New("enough seen")

func (w *walker) root(root Root) error {
	target := path.Clean("/" + strings.ReplaceAll(root.Target, `\`, "/"))[1:]
	if !localTarget(root.Target) {
		return &TargetError{Target: root.Target}
	}
	real, err := filepath.EvalSymlinks(root.Path)
	if err != nil {
		return err
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return err
	}
	w.path, w.target = real, target
	if !fi.IsDir() {
		if !fi.Mode().IsRegular() {
			return &SpecialError{Path: filepath.Base(root.Path), Root: filepath.Dir(root.Path), What: special(fi.Mode())}
		}
		w.parents(target)
		w.file(filepath.Base(root.Path), real, fi)
		return nil
	}
	w.parents(target)
	var s *state
	if w.rules, s, err = newRules(real, root.Exclude); err != nil {
		return err
	}
	err = w.dir("", nil, *s)
	for _, bad := range w.rules.bad {
		w.warnings = append(w.warnings, bad.Error())
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// localTarget says whether a target stays inside: relative, and never above its
// start even for a moment.
func localTarget(target string) bool {
	return target == "" || filepath.IsLocal(filepath.FromSlash(target)) && !strings.ContainsAny(target, "\x00\\")
}

// parents adds the directories that lead to the target.
func (w *walker) parents(target string) {
	for dir := target; dir != "" && dir != "."; dir = path.Dir(dir) {
		w.add(Entry{Path: dir, Kind: Dir, Mode: 0o755, origin: w.path})
	}
}

// dir walks a directory; rel leads to it from the root, with slashes.
func (w *walker) dir(rel string, segments []string, s state) error {
	dir := filepath.Join(w.path, filepath.FromSlash(rel))
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	full := append(slices.Clone(w.rules.prefix), segments...)
	s = w.rules.enter(s, dir, names, full)
	for _, n := range names {
		if err := w.more(); err != nil {
			return err
		}
		name := n.Name()
		file := filepath.Join(dir, name)
		if neverIn(name) || w.never[file] {
			continue
		}
		isDir := n.IsDir()
		child, err := w.rules.judge(s, append(full[:len(full):len(full)], name), isDir,
			madeByTools(name) || isDir && isVenv(file))
		if err != nil {
			return err
		}
		childSegments := append(segments[:len(segments):len(segments)], name)
		if child.out() {
			if isDir && w.rules.worthOpening(child, append(full[:len(full):len(full)], name)) {
				if err := w.dir(path.Join(rel, name), childSegments, child); err != nil {
					return err
				}
			}
			continue
		}
		if err := w.entry(path.Join(rel, name), file, n, childSegments, child); err != nil {
			return err
		}
	}
	return nil
}

// entry takes one path that is not left out.
func (w *walker) entry(rel, file string, n fs.DirEntry, segments []string, s state) error {
	fi, err := n.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone since the directory was read: as if it had never been
	}
	if err != nil {
		return err
	}
	switch mode := fi.Mode(); {
	case mode.IsDir():
		w.add(Entry{Path: w.place(rel), Kind: Dir, Mode: 0o755, origin: file})
		return w.dir(rel, segments, s)
	case mode.IsRegular():
		w.file(rel, file, fi)
		return nil
	case mode&fs.ModeSymlink != 0:
		target, err := linkInside(w.path, rel)
		if err != nil {
			return err
		}
		w.add(Entry{Path: w.place(rel), Kind: Link, Mode: 0o777, Target: target, origin: file})
		return nil
	default:
		return &SpecialError{Path: rel, Root: w.path, What: special(mode)}
	}
}

func (w *walker) file(rel, file string, fi fs.FileInfo) {
	mode := fs.FileMode(0o644)
	if fi.Mode()&0o100 != 0 {
		mode = 0o755
	}
	w.add(Entry{Path: w.place(rel), Kind: File, Mode: mode, Size: fi.Size(), origin: file, stat: statOf(fi)})
	w.bytes += fi.Size()
}

func (w *walker) add(e Entry) { w.entries = append(w.entries, e) }

func (w *walker) place(rel string) string { return path.Join(w.target, rel) }

// more ends the walk when the context has ended or a limit is passed.
func (w *walker) more() error {
	w.seen++
	if len(w.entries) > MaxEntries {
		return errEnough
	}
	if w.seen%checkEvery != 0 {
		return nil
	}
	if w.bytes > SizeLimit && !w.options.AllowLarge {
		if w.deadline.IsZero() {
			w.deadline = time.Now().Add(afterLimit)
		} else if time.Now().After(w.deadline) {
			return errEnough
		}
	}
	return w.ctx.Err()
}

// finish sorts, joins the roots and checks the limits.
func (w *walker) finish() (*Tree, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	t := &Tree{Bytes: w.bytes, Warnings: w.warnings}
	for _, e := range w.entries {
		if e.Kind == File {
			t.Files++
		}
	}
	w.addMissingParents()
	// Stable: of two roots that give a path, the first stays first.
	slices.SortStableFunc(w.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	dirs := map[string]bool{"": true, ".": true}
	for _, e := range w.entries {
		if n := len(t.Entries); n > 0 && t.Entries[n-1].Path == e.Path {
			if last := t.Entries[n-1]; last.Kind != Dir || e.Kind != Dir {
				return nil, &ClashError{Path: e.Path, First: last.origin, Second: e.origin}
			}
			continue
		}
		if parent := path.Dir(e.Path); !dirs[parent] {
			// Its parent is a file or a link of another root: through a link, the
			// copy would be written to another place than its path says.
			return nil, &ClashError{Path: parent, First: "another source", Second: e.origin}
		}
		if e.Kind == Dir {
			dirs[e.Path] = true
		}
		t.Entries = append(t.Entries, e)
	}
	if len(t.Entries) > MaxEntries {
		return nil, &TooManyError{Biggest: t.Biggest()}
	}
	if t.Bytes > SizeLimit && !w.options.AllowLarge {
		return nil, &TooLargeError{Bytes: t.Bytes, Partial: !w.deadline.IsZero() && time.Now().After(w.deadline), Biggest: t.Biggest()}
	}
	return t, nil
}

// addMissingParents adds the directories that are left out themselves but hold
// something that was brought back.
func (w *walker) addMissingParents() {
	have := make(map[string]bool, len(w.entries))
	for _, e := range w.entries {
		have[e.Path] = true
	}
	for _, e := range w.entries { // the ones that are added need no look: all their parents are
		for dir := path.Dir(e.Path); dir != "." && !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			w.add(Entry{Path: dir, Kind: Dir, Mode: 0o755, origin: e.origin})
		}
	}
}

// isVenv says whether a directory is a virtual or conda environment: its paths
// are baked in, so a copy would not work.
func isVenv(dir string) bool {
	for _, mark := range []string{"pyvenv.cfg", "conda-meta"} {
		if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
			return true
		}
	}
	return false
}

func special(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return fmt.Sprintf("neither a file nor a directory (%s)", mode.Type())
}

// realPath resolves links as far as the path exists.
func realPath(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		p = abs
	}
	rest := ""
	for dir := p; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if filepath.Dir(dir) == dir {
			return p
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}
