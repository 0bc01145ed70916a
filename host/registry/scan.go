package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
)

const (
	// scanVersion is the format of scan.json; another one is scanned anew.
	scanVersion = 2
	// racy is how fresh a file may not be for its scan to be remembered: a
	// second write within the clock's tick would leave the same stat tuple.
	racy = 100 * time.Millisecond
	// maxScanFile bounds the cache; some hundred entries have 100 KiB.
	maxScanFile = 8 << 20
	// shippedPrefix begins the names of flavors beside the stephost binary.
	shippedPrefix = "stephost-flavor-"
	// sidecar ends the name of a manifest that lies beside a file.
	sidecar = manifest.Suffix
)

// scanFile is cache/scan.json: what the files of the drop-in and shipped
// directories were when they were last read.
type scanFile struct {
	Scan    int                   `json:"scan"`
	Entries map[string]*scanEntry `json:"entries"`
}

// scanEntry is what one file is. Key is the stat of it and of its side-cars.
type scanEntry struct {
	Key     string    `json:"key"`
	Stat    StatTuple `json:"stat"`
	Name    string    `json:"name,omitempty"`
	Version string    `json:"version,omitempty"`
	Summary string    `json:"summary,omitempty"`
	Digest  string    `json:"digest,omitempty"`
	Kind    string    `json:"kind,omitempty"`
	Alone   bool      `json:"alone,omitempty"`
	Error   string    `json:"error,omitempty"`
	Next    string    `json:"next,omitempty"`
}

// isDropIn says whether an entry of the drop-in directory is meant as a flavor:
// a manifest, a directory with one, or something executable. A README is not.
func isDropIn(dir string, info fs.FileInfo) bool {
	name := info.Name()
	path := filepath.Join(dir, name)
	switch {
	case strings.HasPrefix(name, "."):
		return false
	case info.IsDir():
		return len(manifestsIn(path)) > 0
	case strings.HasSuffix(name, sidecar):
		_, err := os.Stat(strings.TrimSuffix(path, sidecar))
		return err != nil // with the file there, the manifest is that one's
	case name == manifest.FileName:
		return false // it belongs to the files beside it
	}
	return strings.HasPrefix(name, shippedPrefix) || executableBit(info) || strings.HasSuffix(name, ".hcl")
}

// manifestsIn lists the manifests of a directory.
func manifestsIn(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.Name() == manifest.FileName || strings.HasSuffix(e.Name(), sidecar) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// isShipped says the same for the directory of the stephost binary, where other
// programs lie too.
func isShipped(_ string, info fs.FileInfo) bool {
	name := info.Name()
	return strings.HasPrefix(name, shippedPrefix) && !strings.HasSuffix(name, ".hcl")
}

// candidates lists the paths of a directory that are meant as flavors. A
// directory that does not exist has none.
func candidates(dir string, want func(string, fs.FileInfo) bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || dir == "" {
		return nil, nil
	}
	if err != nil {
		return nil, &problem.Error{Summary: "cannot read the directory " + dir, Err: err, Next: "check its permissions"}
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // follows links: a link to a plugin is a plugin
		if err == nil && want(dir, named{info, e.Name()}) {
			out = append(out, path)
		}
	}
	return out, nil
}

// named is a file under the name of the link that leads to it.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// scan tells what lies at the paths, reading only what changed since it was
// last read. The cache is best effort: it is written when something changed.
func (r *Registry) scan(ctx context.Context, paths []string) (map[string]*scanEntry, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	cache := r.readScans()
	out := make(map[string]*scanEntry, len(paths))
	changed := false
	for _, path := range paths {
		key, newest := scanKey(path)
		if old := cache[path]; old != nil && old.Key == key {
			out[path] = old
			continue
		}
		e := r.scanOne(ctx, path)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e.Key = key
		out[path] = e
		if time.Since(newest) > racy {
			cache[path], changed = e, true
		}
	}
	if changed {
		r.writeScans(cache)
	}
	return out, nil
}

// scanKey combines the stat tuples of all that decides what a path is.
func scanKey(path string) (key string, newest time.Time) {
	var b strings.Builder
	paths := []string{path, path + sidecar, strings.TrimSuffix(path, ".exe") + sidecar, filepath.Join(filepath.Dir(path), manifest.FileName)}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		paths = append(paths, manifestsIn(path)...)
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			b.WriteString("- ")
			continue
		}
		t := statOf(info)
		fmt.Fprintf(&b, "%x.%x.%x.%x.%x.%x ", t.Dev, t.Inode, t.Size, t.MTime, t.CTime, t.Mode)
		for _, at := range []time.Time{info.ModTime(), time.Unix(0, t.CTime)} {
			if at.After(newest) {
				newest = at
			}
		}
	}
	return b.String(), newest
}

// scanOne reads the manifest of one path and keeps its bytes for later.
func (r *Registry) scanOne(ctx context.Context, path string) *scanEntry {
	e := &scanEntry{}
	fail := func(err error) *scanEntry {
		var p *problem.Error
		if errors.As(err, &p) {
			e.Next = p.Next
		}
		e.Error = problem.Bound(err.Error(), 2<<10)
		return e
	}
	real, info, err := r.lookAt(path)
	if err != nil {
		return fail(err)
	}
	e.Stat = statOf(info)
	if info.IsDir() {
		e.Kind = KindDirectory
	} else {
		head, _, _, err := readFile(real)
		if err != nil {
			return fail(err)
		}
		e.Kind = head.kind
	}
	m, found, diags := manifest.Read(ctx, r.sources, real)
	switch {
	case diags.HasErrors():
		return fail(diags)
	case m == nil || found == nil:
		return fail(&problem.Error{Summary: "no manifest was found for " + path})
	}
	if err := errors.Join(checkFlavorName(m.Name), checkVersion(m.Version)); err != nil {
		return fail(err)
	}
	e.Name, e.Version, e.Summary, e.Digest, e.Alone = m.Name, m.Version, m.Summary, m.Digest, found.Artifact == ""
	r.keepManifest(m)
	return e
}

// cachedManifest is where a scanned manifest's bytes are kept.
func (r *Registry) cachedManifest(digest string) string {
	return filepath.Join(r.home.Cache(), "manifests", trimDigest(digest)+".hcl")
}

func (r *Registry) keepManifest(m *manifest.Manifest) {
	path := r.cachedManifest(m.Digest)
	if r.home.Make(filepath.Dir(path)) == nil {
		_ = writeCache(path, m.Source)
	}
}

func (r *Registry) scansFile() string { return filepath.Join(r.home.Cache(), "scan.json") }

func (r *Registry) readScans() map[string]*scanEntry {
	var s scanFile
	data, err := readBounded(r.scansFile(), maxScanFile)
	if err != nil || json.Unmarshal(data, &s) != nil || s.Scan != scanVersion || s.Entries == nil {
		return map[string]*scanEntry{}
	}
	return s.Entries
}

// writeScans forgets files that are gone. Two processes may write at once: the
// last one wins, and what the other found is read again.
func (r *Registry) writeScans(entries map[string]*scanEntry) {
	for path, e := range entries {
		if _, err := os.Lstat(path); err != nil || e == nil {
			delete(entries, path)
		}
	}
	data, err := json.Marshal(scanFile{Scan: scanVersion, Entries: entries})
	if err == nil && r.home.Make(r.home.Cache()) == nil {
		_ = writeCache(r.scansFile(), data)
	}
}

// found makes the listed flavor of a scanned file.
func (r *Registry) found(path string, e *scanEntry, status Status) *Flavor {
	f := &Flavor{
		Name: e.Name, Version: e.Version, Summary: e.Summary, Status: status, ManifestDigest: e.Digest,
		From: path, reg: r, scan: e, source: manifestSource{file: r.cachedManifest(e.Digest)},
	}
	if e.Error != "" {
		f.Name = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), shippedPrefix), ".exe")
		f.Err = &problem.Error{Summary: e.Error, Next: e.Next}
		return f
	}
	if !e.Alone {
		f.Artifact = &Artifact{Path: path, Kind: e.Kind, Size: e.Stat.Size, Stat: e.Stat}
	}
	return f
}

// scanDir lists one directory.
func (r *Registry) scanDir(ctx context.Context, dir string, want func(string, fs.FileInfo) bool, status Status) ([]*Flavor, error) {
	paths, err := candidates(dir, want)
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	entries, err := r.scan(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make([]*Flavor, 0, len(paths))
	for _, path := range paths {
		out = append(out, r.found(path, entries[path], status))
	}
	return out, nil
}
