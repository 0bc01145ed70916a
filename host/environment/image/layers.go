package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/internal/installed"
	"github.com/stephost/stephost/internal/shim"
)

// open opens a blob of the cache.
func (c *cache) open(digest string, offset int64) (io.ReadCloser, error) {
	f, err := os.Open(c.blob(digest))
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// shimLayer holds the init process of the platform.
func (c *cache) shimLayer(ctx context.Context, dir, arch string) (*built, error) {
	file, err := shimFile(dir, arch)
	if err != nil {
		return nil, err
	}
	fi, err := os.Stat(file)
	if err != nil {
		return nil, noShim(file, err)
	}
	// Two megabytes need not be read to know that they are those of the last build.
	stat := c.path("shims", hexOf(keyOf(layerFormat, file, fmt.Sprint(fi.Size(), fi.ModTime().UnixNano()))))
	var known struct{ Key string }
	if c.readJSON(stat, &known) {
		if b, ok := c.lookup(Shim, known.Key); ok {
			return b, nil
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, noShim(file, err)
	}
	known.Key = keyOf(layerFormat, Shim, string(data))
	b, err := c.layer(ctx, Shim, known.Key, func(w *layerWriter) error {
		return w.file(strings.TrimPrefix(shim.Path, "/"), 0o755, int64(len(data)), bytes.NewReader(data))
	})
	if err == nil && time.Since(fi.ModTime()) > settled {
		_ = c.writeJSON(stat, known) // a failure costs a reading, no more
	}
	return b, err
}

// settled is how long a file must have been untouched for its time to tell of a
// change: two seconds is the coarsest clock of a file system.
const settled = 2 * time.Second

func noShim(file string, err error) error {
	return &problem.Error{Summary: "stephost's init process for images is missing", Phase: phase, Class: problem.System, Err: err,
		Next: "install stephost whole: " + file + " belongs to it (`make build` makes it)"}
}

// shimFile is where the init process of an architecture lies.
func shimFile(dir, arch string) (string, error) {
	if dir == "" {
		dir = installed.Path("shim")
	}
	switch arch {
	case "amd64", "arm64":
		return filepath.Join(dir, "stephost-init-linux-"+arch), nil
	}
	return "", config("images are built for linux/amd64 and linux/arm64, not for linux/"+arch, "use image = ... with an image of your own")
}

// packTries is how often what changed or was gone meanwhile is looked at again.
const packTries = 3

// sourceTree scans the source and knows the content of every file of it. Nothing
// is read that was read before, and nothing is copied: the layer is the copy.
func (r *Request) sourceTree(ctx context.Context) (*source.Tree, error) {
	t, err := source.NewStore(filepath.Join(r.CacheDir, "source")).Hash(ctx, r.Sources, r.sourceOptions())
	if err != nil {
		return nil, err
	}
	return t, checkNames(t)
}

func (r *Request) sourceOptions() source.Options {
	return source.Options{AllowLarge: r.AllowLarge, NeverCopy: append(slices.Clone(r.NeverCopy), r.CacheDir)}
}

// checkNames refuses what a layer would take for an order to remove files.
func checkNames(t *source.Tree) error {
	for i := range t.Entries {
		if p := t.Entries[i].Path; strings.HasPrefix(path.Base(p), ".wh.") {
			return config(fmt.Sprintf("%q cannot be in an image: names that begin with .wh. remove files in a layer", p),
				fmt.Sprintf("rename it, or exclude = [%q]", "/"+p))
		}
	}
	return nil
}

func sourceKey(digest string) string { return keyOf(layerFormat, Source, digest) }

// sourceLayer packs the source. Directories may be written by everybody: a
// container may run as any user, and a step may write where it starts. A file that
// changes between hashing and packing is never packed under the hash of another
// content: the whole is looked at again.
func (r *Request) sourceLayer(ctx context.Context, c *cache, say func(string, ...any)) (*source.Tree, *built, error) {
	var changed *source.ChangedError
	for try := 1; ; try++ {
		t, err := r.sourceTree(ctx)
		if err != nil {
			return nil, nil, err
		}
		b, err := c.layer(ctx, Source, sourceKey(t.Digest), func(w *layerWriter) error {
			say("packing the source: %d files, %s", t.Files, source.FormatBytes(t.Bytes))
			return writeSource(w, t)
		})
		if try == packTries || !errors.As(err, &changed) {
			return t, b, err
		}
	}
}

func writeSource(w *layerWriter, t *source.Tree) error {
	if err := w.dir(sourceDir, 0o777); err != nil {
		return err
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		name := path.Join(sourceDir, e.Path)
		var err error
		switch e.Kind {
		case source.Dir:
			err = w.dir(name, 0o777)
		case source.Link:
			err = w.link(name, e.Target)
		default:
			err = writeOrigin(w, name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeOrigin(w *layerWriter, name string, e *source.Entry) error {
	f, err := e.OpenOrigin()
	if err != nil {
		return err
	}
	defer f.Close()
	return w.file(name, int64(e.Mode.Perm()), e.Size, f)
}

// startup is read by the base's Python when it starts: it puts the requirements
// behind the standard library and before what the base has. A .pth file of a
// package in lib works because addsitedir is what reads it.
const startup = `import site, sys; n = len(sys.path); site.addsitedir("/` + libDir + `"); new = sys.path[n:]; del sys.path[n:]; ` +
	`at = next((i for i, p in enumerate(sys.path) if p.rstrip("/").endswith(("site-packages", "dist-packages"))), len(sys.path)); sys.path[at:at] = new` + "\n"

const startupName = "stephost.pth"

func requirementsKey(t *requirements.Target, site string) string {
	return keyOf(layerFormat, Requirements, t.Key, site, startup)
}

// requirementsLayer packs what the base lacks, nil when it lacks nothing.
func (c *cache) requirementsLayer(ctx context.Context, t *requirements.Target, f *requirements.BaseFacts, say func(string, ...any)) (*built, error) {
	if t.Tree == "" || len(t.Packages) == 0 {
		return nil, nil
	}
	site := f.SitePackages[0]
	return c.layer(ctx, Requirements, requirementsKey(t, site), func(w *layerWriter) error {
		say("packing %d packages", len(t.Packages))
		for _, d := range []struct{ from, to string }{{"bin", binDir}, {"lib", libDir}} {
			if err := writeTree(w, filepath.Join(t.Tree, d.from), d.to); err != nil {
				return err
			}
		}
		return w.file(strings.TrimPrefix(path.Join(site, startupName), "/"), 0o644, int64(len(startup)), strings.NewReader(startup))
	})
}

// writeTree writes a directory that stephost made itself, sorted.
func writeTree(w *layerWriter, from, to string) error {
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		name := path.Join(to, filepath.ToSlash(rel))
		fi, err := d.Info()
		switch {
		case err != nil:
			return err
		case fi.IsDir():
			return w.dir(name, 0o755)
		case !fi.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", p)
		}
		mode := int64(0o644)
		if fi.Mode()&0o100 != 0 {
			mode = 0o755
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return w.file(name, mode, fi.Size(), f)
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, serr := os.Lstat(from); errors.Is(serr, fs.ErrNotExist) {
			return nil // a tree without scripts
		}
	}
	return err
}
