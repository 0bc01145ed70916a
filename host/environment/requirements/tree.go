package requirements

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// layOut turns what the installer left into the tree, names it by its content
// and keeps it.
func (t *targetBuild) layOut(ctx context.Context, dists []*dist, hidden []clash) (*Target, error) {
	out := &Target{}
	wanted := map[string]bool{}
	for _, it := range t.items {
		if !strings.HasPrefix(it.text, "-") {
			wanted[bareName(it.text)] = true
		}
	}
	var kept []*dist
	for _, d := range dists {
		version, ours := t.request.Base.Installed[d.Name]
		if d.leftover || ours && version == d.Version && !d.direct {
			if err := d.remove(t.site()); err != nil {
				return nil, &scratchError{err}
			}
			continue
		}
		kept = append(kept, d)
		out.Packages = append(out.Packages, d.Package)
		for _, r := range d.requires {
			wanted[r] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if version, ok := t.request.Base.Installed[name]; ok && !slices.ContainsFunc(out.Packages, func(p Package) bool { return p.Name == name }) {
			out.Satisfied = append(out.Satisfied, Package{Name: name, Version: version})
		}
	}
	for _, p := range out.Packages {
		base, ours := t.request.Base.Installed[p.Name]
		if ours && base != p.Version && !slices.ContainsFunc(hidden, func(c clash) bool { return c.name == p.Name }) {
			hidden = append(hidden, clash{name: p.Name, base: base, wanted: p.Version})
		}
	}
	out.Warnings = hiding(out.Packages, hidden)
	for _, name := range slices.Sorted(maps.Keys(t.unread)) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s %s of the base image is not on the index, so what its extra needs is not known. Require those packages by name.",
			name, t.request.Base.Installed[name]))
	}
	if len(kept) == 0 {
		return out, t.keepEmpty(out)
	}
	root := filepath.Join(t.tmp, "tree")
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, &scratchError{err}
	}
	if err := t.normalise(root, kept); err != nil {
		return nil, &scratchError{err}
	}
	key, err := treeKey(ctx, root)
	if err != nil {
		return nil, &scratchError{err}
	}
	out.Key = key
	out.Tree = t.tree(out.Key)
	if err := t.place(root, out.Tree); err != nil {
		return nil, &scratchError{err}
	}
	if err := t.keep(out); err != nil {
		return nil, &scratchError{err}
	}
	return out, nil
}

// keepEmpty: the base has everything.
func (t *targetBuild) keepEmpty(out *Target) error {
	sum := sha256.Sum256(nil)
	out.Key = "sha256:" + hex.EncodeToString(sum[:])
	if err := t.keep(out); err != nil {
		return &scratchError{err}
	}
	return nil
}

// place moves the tree to its name. One that is there already has the same
// content: another request gave it.
func (t *targetBuild) place(root, name string) error {
	now := time.Now() // for whoever removes old ones
	if os.Chtimes(name, now, now) == nil {
		return nil
	}
	if err := syncTree(root); err != nil {
		return err
	}
	err := os.Rename(root, name)
	if err != nil && exists(name) {
		return nil
	}
	return err
}

// hiding are the warnings about packages that hide the base's.
func hiding(packages []Package, hidden []clash) []string {
	var list []string
	for _, c := range hidden {
		for _, p := range packages {
			if p.Name == c.name {
				list = append(list, fmt.Sprintf("%s %s hides %s %s of the base image, which other packages there may need.", p.Name, p.Version, p.Name, c.base))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// normalise makes lib/ and bin/ of the installer's directory. What depends on
// the machine, the tool or the time goes out: first lines of scripts, records
// of where a package came from, byte code, modes.
func (t *targetBuild) normalise(root string, dists []*dist) error {
	lib, bin := filepath.Join(root, "lib"), filepath.Join(root, "bin")
	if err := os.Rename(t.site(), lib); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(lib, ".lock")); err != nil && !errors.Is(err, fs.ErrNotExist) { // uv's
		return err
	}
	scripts := map[string][]byte{}
	if dir := filepath.Join(lib, "bin"); !exists(filepath.Join(dir, "__init__.py")) {
		names, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, n := range names {
			if !n.Type().IsRegular() {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, n.Name()))
			if err != nil {
				return err
			}
			scripts[n.Name()] = t.reheaded(data)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	for _, d := range dists {
		for name, entry := range d.scripts {
			scripts[name] = entryScript(t.request.Base.Interpreter, entry)
		}
	}
	if len(scripts) > 0 {
		if err := os.Mkdir(bin, 0o755); err != nil {
			return err
		}
	}
	for name, data := range scripts {
		if err := os.WriteFile(filepath.Join(bin, name), data, 0o755); err != nil {
			return err
		}
	}
	for _, d := range dists {
		if err := d.rewrite(lib, scripts); err != nil {
			return err
		}
	}
	return filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "__pycache__":
			if err := os.RemoveAll(name); err != nil {
				return err
			}
			return filepath.SkipDir
		case e.IsDir():
			return os.Chmod(name, 0o755)
		case !e.Type().IsRegular():
			return fmt.Errorf("%q is not a regular file", name)
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if fi.Mode()&0o111 != 0 {
			mode = 0o755
		}
		return os.Chmod(name, mode)
	})
}

// shebangLimit is the length of a first line that every Linux takes whole
// (BINPRM_BUF_SIZE was 128 before 5.1).
const shebangLimit = 127

// head is the first line, or lines, of a script for the interpreter.
func head(interpreter string) string {
	if len(interpreter)+2 <= shebangLimit && !strings.ContainsAny(interpreter, " \t") {
		return "#!" + interpreter + "\n"
	}
	return "#!/bin/sh\n'''exec' " + shellQuoted(interpreter) + " \"$0\" \"$@\"\n' '''\n"
}

func shellQuoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(s) + `"`
}

// reheaded gives a script that a wheel brings the base's interpreter. The
// installer has put this machine's there.
func (t *targetBuild) reheaded(data []byte) []byte {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	switch {
	case bytes.HasPrefix(first, []byte("#!")) && bytes.Contains(first, []byte("python")):
		return append([]byte(head(t.request.Base.Interpreter)), rest...)
	case bytes.Equal(first, []byte("#!/bin/sh")) && bytes.HasPrefix(rest, []byte("'''exec'")):
		_, rest, _ = bytes.Cut(rest, []byte("\n' '''\n"))
		return append([]byte(head(t.request.Base.Interpreter)), rest...)
	}
	return data
}

// entryScript is the script of an entry point "module:attribute.attribute".
func entryScript(interpreter, entry string) []byte {
	module, attribute, _ := strings.Cut(entry, ":")
	first, _, _ := strings.Cut(attribute, ".")
	return []byte(head(interpreter) + "import sys\nfrom " + module + " import " + first +
		"\nif __name__ == '__main__':\n    sys.exit(" + attribute + "())\n")
}

// treeKey is the digest of names, modes and contents.
func treeKey(ctx context.Context, root string) (string, error) {
	h := sha256.New()
	io.WriteString(h, "stephost/packages/1\n")
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		sum, err := fileHash(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%q %o %s\n", filepath.ToSlash(rel), fi.Mode().Perm(), sum)
		return err
	})
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

// rewrite makes the distribution's own record say what is there.
func (d *dist) rewrite(lib string, scripts map[string][]byte) error {
	info := filepath.Join(lib, d.info)
	for _, name := range []string{"REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json", "RECORD.jws", "RECORD.p7s"} {
		if err := os.Remove(filepath.Join(info, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(info, "INSTALLER"), []byte("stephost\n"), 0o644); err != nil {
		return err
	}
	rows := map[string][]string{}
	for _, row := range append(d.record, []string{d.info + "/INSTALLER", "", ""}) {
		name := path.Clean(strings.ReplaceAll(row[0], `\`, "/"))
		base, inBin := strings.CutPrefix(strings.TrimPrefix(name, "../../"), "bin/")
		switch data, script := scripts[base]; {
		case strings.Contains(name, "__pycache__/"), strings.HasPrefix(name, "/"):
		case inBin && script:
			rows["../bin/"+base] = recordRow("../bin/"+base, data)
		case name == d.info+"/RECORD":
			rows[name] = []string{name, "", ""}
		case name == d.info+"/INSTALLER":
			rows[name] = recordRow(name, []byte("stephost\n"))
		case filepath.IsLocal(name) && exists(filepath.Join(lib, name)):
			rows[name] = []string{name, row[1], row[2]}
		}
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if err := w.Write(rows[name]); err != nil {
			return err
		}
	}
	w.Flush()
	return os.WriteFile(filepath.Join(info, "RECORD"), text.Bytes(), 0o644)
}

func recordRow(name string, data []byte) []string {
	sum := sha256.Sum256(data)
	return []string{name, "sha256=" + base64.RawURLEncoding.EncodeToString(sum[:]), fmt.Sprint(len(data))}
}
