package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/problem"
)

// tree is a directory as it was walked: sorted, checked, within the limits.
type tree struct {
	root    string
	entries []treeEntry
	size    int64
	files   int
}

// treeEntry is a directory ("d"), a file ("f", or "x" when executable) or a
// link ("l") inside the tree. Other modes do not survive a copy, so they are
// not part of the hash.
type treeEntry struct {
	path string // relative, with slashes
	kind string
	info fs.FileInfo
	link string
	sum  string // SHA-256 in hex; of a link, of its target's text
}

// walkTree lists a directory. It refuses what a copy could not keep: links that
// leave it or are absolute, devices and pipes, files that others may write
// (strict), and more than the limits.
func walkTree(ctx context.Context, root string, strict bool) (*tree, error) {
	t := &tree{root: root}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return err
		case err != nil:
			return unreadable(path, err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if strict && d.Type()&fs.ModeSymlink == 0 {
			if err := checkPermissions(path, info); err != nil {
				return err
			}
		}
		if path == root {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		e := treeEntry{path: filepath.ToSlash(rel), info: info}
		switch {
		case d.IsDir():
			e.kind = "d"
		case d.Type()&fs.ModeSymlink != 0:
			e.kind = "l"
			if e.link, err = checkLink(root, path); err != nil {
				return err
			}
			e.sum = sumOf([]byte(e.link))
		case info.Mode().IsRegular():
			e.kind = "f"
			if executableBit(info) {
				e.kind = "x"
			}
			t.size += info.Size()
		default:
			return &problem.Error{Summary: path + " is " + modeWords(info.Mode()) + "; a flavor's directory holds files, directories and links",
				Next: "remove it"}
		}
		t.entries = append(t.entries, e)
		if t.files++; t.files > maxTreeFiles || t.size > maxTree {
			return &problem.Error{
				Summary: fmt.Sprintf("%s is too large for a flavor: more than %d files or %d GiB", root, maxTreeFiles, maxTree>>30),
				Next:    "register the directory of the flavor alone, without data and build output",
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(t.entries, func(a, b treeEntry) int { return strings.Compare(a.path, b.path) })
	return t, nil
}

// checkLink accepts a relative link whose target, in the end, is inside root.
func checkLink(root, path string) (string, error) {
	target, err := os.Readlink(path)
	if err != nil {
		return "", err
	}
	refuse := func(why string) error {
		e := &problem.Error{Summary: path + " is a link to " + target + ", " + why,
			Detail: "A flavor's directory is copied, so all that it needs must be in it.",
			Next:   "replace the link by a copy of the file, or by a relative link inside the directory"}
		if _, err := os.Stat(filepath.Join(root, "pyvenv.cfg")); err == nil {
			e.Detail = "This is a Python virtual environment, which works only where it was made and needs the Python outside."
			e.Next = `register the source with exec { command = ["{interpreter:python3}", "{file}"] } in its manifest`
		}
		return e
	}
	if filepath.IsAbs(target) {
		return "", refuse("an absolute path")
	}
	if !inside(root, filepath.Join(filepath.Dir(path), target)) {
		return "", refuse("which leaves the directory")
	}
	end, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", refuse("which does not exist")
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	if !inside(realRoot, end) {
		return "", refuse("which leaves the directory")
	}
	return target, nil
}

// inside says whether path is root or below it, by name.
func inside(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// hash is the tree's hash; the files' hashes must be filled in.
func (t *tree) hash() string {
	h := sha256.New()
	fmt.Fprint(h, "stephost tree 1\n")
	for _, e := range t.entries {
		size := int64(0)
		if e.kind == "f" || e.kind == "x" {
			size = e.info.Size()
		}
		fmt.Fprintf(h, "%s %d %s %q\n", e.kind, size, e.sum, e.path)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// stat combines the stat tuples of all entries.
func (t *tree) stat() string {
	h := sha256.New()
	for _, e := range t.entries {
		fmt.Fprintf(h, "%s %q %q %v\n", e.kind, e.path, e.link, statOf(e.info))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// fill hashes every file where it lies.
func (t *tree) fill(ctx context.Context) error {
	for i := range t.entries {
		e := &t.entries[i]
		if e.kind != "f" && e.kind != "x" {
			continue
		}
		var err error
		if e.sum, _, err = hashPath(ctx, filepath.Join(t.root, filepath.FromSlash(e.path))); err != nil {
			return err
		}
	}
	return nil
}

// storeTree copies the tree to dst, a new directory, and fills in the hashes.
// Times are kept: Python's compiled files name the time of their source.
// Directories become read-only last, deepest first.
func storeTree(ctx context.Context, dst string, t *tree) error {
	if err := os.Mkdir(dst, 0o700); err != nil {
		return err
	}
	for i := range t.entries {
		e := &t.entries[i]
		to := filepath.Join(dst, filepath.FromSlash(e.path))
		var err error
		switch e.kind {
		case "d":
			err = os.Mkdir(to, 0o700)
		case "l":
			err = os.Symlink(e.link, to)
		default:
			err = storeEntry(ctx, to, filepath.Join(t.root, filepath.FromSlash(e.path)), e)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range slices.Backward(t.entries) {
		if e.kind == "d" {
			dir := filepath.Join(dst, filepath.FromSlash(e.path))
			if err := syncDir(dir); err != nil {
				return err
			}
			if err := os.Chmod(dir, 0o500); err != nil {
				return err
			}
		}
	}
	return syncDir(dst)
}

func storeEntry(ctx context.Context, to, from string, e *treeEntry) error {
	src, err := openNoWait(from)
	if err != nil {
		return unreadable(from, err)
	}
	defer src.Close()
	perm := os.FileMode(0o400)
	if e.kind == "x" {
		perm = 0o500
	}
	var size int64
	if e.sum, size, err = storeFile(ctx, to, src, perm, maxTree); err != nil {
		return err
	}
	if size != e.info.Size() {
		return &problem.Error{Summary: from + " changed while it was being registered",
			Next: "wait until it is complete, then register it again"}
	}
	return os.Chtimes(to, e.info.ModTime(), e.info.ModTime())
}

func sumOf(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// modeWords names what is no file.
func modeWords(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	default:
		return "no regular file"
	}
}
