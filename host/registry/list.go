package registry

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
)

// Flavors lists every known flavor version by name, the newest version first:
// registered ones, shipped ones, and what is available in the drop-in
// directory (unless the same version is registered). A flavor that cannot be
// used is listed with Err. Records are read; manifests are not parsed, and
// files are scanned only when they changed.
func (r *Registry) Flavors(ctx context.Context) ([]*Flavor, error) {
	out, err := r.records(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[string]int, len(out))
	for i, f := range out {
		known[f.Name+"@"+f.Version] = i
	}
	// A directory that cannot be read must not hide what is registered.
	shipped, err := r.scanDir(ctx, r.options.Shipped, isShipped, Shipped)
	out = appendUnreadable(out, r.options.Shipped, Shipped, err)
	for _, f := range shipped {
		i, ok := known[f.Ref()]
		switch {
		case !ok || f.Err != nil:
			known[f.Ref()] = len(out)
			out = append(out, f)
		case out[i].Status == Shipped && out[i].record != nil && out[i].record.Shipped.Source != f.scan.Stat:
			// Pinned once, and the file changed since: Executable decides.
			f.record, f.At = out[i].record, out[i].At
			out[i] = f
		}
	}
	available, err := r.scanDir(ctx, r.home.Plugins(), isDropIn, Available)
	out = appendUnreadable(out, r.home.Plugins(), Available, err)
	for _, f := range available {
		if i, ok := known[f.Ref()]; ok && f.Err == nil {
			out[i].noteDropIn(f)
			continue
		}
		known[f.Ref()] = len(out)
		out = append(out, f)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b *Flavor) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), compareVersions(b.Version, a.Version))
	})
	return out, nil
}

// noteDropIn says of a registered flavor that a file in the drop-in directory has its
// version but other bytes. Nothing is hashed for a list, so of a file that only looks
// otherwise than it did is said no more than that.
func (f *Flavor) noteDropIn(found *Flavor) {
	if f.record == nil || f.Status != Registered || found.scan == nil {
		return
	}
	a, b := f.Artifact, found.Artifact
	file := a != nil && b != nil && b.Kind != KindDirectory
	switch {
	case f.ManifestDigest != found.ManifestDigest, file && a.Size != b.Size:
		f.Note = found.From + " has other bytes than " + f.Ref() + ", which is registered and used. Raise the version in its manifest, or run: " +
			"stephost flavor register --replace " + shellQuote(found.From)
	case file && f.From == found.From && f.record.Seen != nil && *f.record.Seen != found.scan.Stat:
		f.Note = found.From + " was written anew since it was registered as " + f.Ref() + ". To see whether it changed, run: " +
			"stephost flavor register " + shellQuote(found.From)
	}
}

func appendUnreadable(out []*Flavor, dir string, status Status, err error) []*Flavor {
	if err == nil {
		return out
	}
	return append(out, &Flavor{Name: dir, Status: status, From: dir, Err: err})
}

// records reads flavors/*/*/record.json.
func (r *Registry) records(ctx context.Context) ([]*Flavor, error) {
	names, err := subdirs(r.home.Flavors())
	if err != nil {
		return nil, &problem.Error{Summary: "cannot read " + r.home.Flavors(), Err: err, Next: "check its permissions"}
	}
	var out []*Flavor
	for _, name := range names {
		if !validName(name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		versions, err := subdirs(r.recordDir(name, ""))
		if err != nil {
			out = append(out, &Flavor{Name: name, Status: Registered, From: r.recordDir(name, ""), Err: err})
			continue
		}
		for _, v := range versions {
			if checkVersion(v) != nil {
				continue
			}
			rec, err := r.readRecord(name, v)
			switch {
			case errors.Is(err, fs.ErrNotExist): // a registration that did not finish
			case err != nil:
				out = append(out, &Flavor{Name: name, Version: v, Status: Registered, From: r.recordDir(name, v), Err: err, reg: r})
			default:
				out = append(out, r.flavor(rec))
			}
		}
	}
	return out, nil
}

func subdirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Flavor finds "name" or "name@version". A name alone is its newest version that can
// be used without registering it, else the newest available one; a pre-release is
// chosen only where there is no release. The error says what is meant, perhaps, and
// what exists.
func (r *Registry) Flavor(ctx context.Context, ref string) (*Flavor, error) {
	name, want := splitRef(ref)
	if f := r.exact(name, want); f != nil {
		return f, nil
	}
	all, err := r.Flavors(ctx)
	if err != nil {
		return nil, err
	}
	var best *Flavor
	var versions, names []string
	var broken error
	for _, f := range all {
		if f.Name != name {
			if f.Err == nil && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
			continue
		}
		if f.Err != nil {
			if want == "" || f.Version == want {
				broken = f.Err
			}
			continue
		}
		versions = append(versions, f.Version)
		switch {
		case want != "" && f.Version != want:
		case best == nil, f.rank() > best.rank():
			best = f // the list has the newest version first
		}
	}
	if best != nil {
		return best, nil
	}
	if broken != nil {
		return nil, broken
	}
	return nil, notFound(ref, name, versions, names)
}

// rank orders what a flavor's name alone may mean.
func (f *Flavor) rank() int {
	rank := 0
	if f.Status != Available {
		rank += 2
	}
	if !f.PreRelease() {
		rank++
	}
	return rank
}

// PreRelease tells whether the version is one such as 1.2.0-rc.1.
func (f *Flavor) PreRelease() bool {
	v, ok := parseVersion(f.Version)
	return ok && len(v.pre) > 0
}

// exact is a registered version that was asked for by its full name: its record
// alone is read. A shipped flavor is compared with the file that it came from,
// so it goes the long way.
func (r *Registry) exact(name, version string) *Flavor {
	if version == "" || checkFlavorName(name) != nil || checkVersion(version) != nil {
		return nil
	}
	rec, err := r.readRecord(name, version)
	if err != nil || rec.Shipped != nil {
		return nil
	}
	return r.flavor(rec)
}

func notFound(ref, name string, versions, names []string) error {
	e := &problem.Error{Summary: "there is no flavor " + quoted(ref), Next: "see: stephost flavor list"}
	switch near := diag.Suggest(name, names); {
	case len(versions) > 0:
		e.Detail = "Of " + name + " there is: " + first(versions, 5) + "."
	case near != "":
		e.Next = "did you mean " + near + "?"
	case len(names) > 0:
		e.Detail = "There is: " + first(names, 8) + "."
	case strings.ContainsAny(name, `/\`):
		e.Next = "an operator names a flavor, not a file; register the file: stephost flavor register " + shellQuote(name)
	default:
		e.Detail = "No flavor is known yet."
		e.Next = "register one: stephost flavor register PATH"
	}
	return e
}
