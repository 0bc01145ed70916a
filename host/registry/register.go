package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
)

// RegisterOptions are the flags of `flavor register`.
type RegisterOptions struct {
	// Dev registers in place: nothing is copied or pinned, the manifest is read
	// anew at each use, and each use warns.
	Dev bool
	// Replace accepts other bytes under a version that is registered already.
	Replace bool
	// DryRun checks everything and writes nothing.
	DryRun bool
	// VerifyAlways has the artifact hashed at every start instead of compared
	// by its stat tuple.
	VerifyAlways bool
}

// Register reads the manifest of the file, directory or manifest at path,
// checks both, copies the implementation into the store, pins it, and makes the
// flavor known. Nothing of the flavor is run.
//
// The same bytes again are no change. Other bytes under a version that is
// registered are refused unless Replace or Dev is set. A manifest alone can get
// its implementation later. Safe for many processes at once; on error, and
// after a crash, nothing is visible. The error is hcl.Diagnostics when the
// manifest is wrong, else it holds a *problem.Error.
func (r *Registry) Register(ctx context.Context, path string, o RegisterOptions) (*Flavor, error) {
	return r.register(ctx, path, o, nil)
}

func (r *Registry) register(ctx context.Context, path string, o RegisterOptions, shipped *recordShipped) (*Flavor, error) {
	c, err := r.inspect(ctx, path)
	if err != nil {
		return nil, err
	}
	rec := &record{
		Name: c.manifest.Name, Version: c.manifest.Version, Summary: c.manifest.Summary,
		Digest: c.manifest.Digest, Manifest: manifestFile(c.manifest), From: c.path,
		At: time.Now().UTC().Truncate(time.Second), Warnings: c.warnings, VerifyAlways: o.VerifyAlways, Shipped: shipped, Seen: &c.stat,
	}
	var staged *staging
	switch {
	case c.artifact == nil:
	case o.Dev:
		if err := c.devArtifact(); err != nil {
			return nil, err
		}
	case o.DryRun:
		err = c.hash(ctx)
	default:
		if staged, err = r.stage(ctx, c); err == nil {
			defer staged.remove()
		}
	}
	if err != nil {
		return nil, err
	}
	if o.DryRun {
		return r.dryRun(rec, c, o)
	}
	err = r.locked(ctx, r.home.Flavors(), func() error {
		old, err := r.conflict(rec, c.artifact, o)
		if err != nil {
			return err
		}
		if old != nil {
			rec = old
		}
		return r.commit(rec, c, staged)
	})
	if err != nil {
		return nil, wrapStore(err, r)
	}
	return r.flavor(rec), nil
}

// devArtifact marks the artifact as used in place.
func (c *candidate) devArtifact() error {
	c.artifact.Dev = true
	info, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	if !info.IsDir() && c.artifact.Interpreter == nil {
		return inPlaceExecutable(c.path, info)
	}
	return nil
}

func (r *Registry) dryRun(rec *record, c *candidate, o RegisterOptions) (*Flavor, error) {
	if _, err := r.conflict(rec, c.artifact, o); err != nil {
		return nil, err
	}
	f := r.flavor(rec)
	f.Artifact = c.artifact
	f.source.parsed = c.manifest
	if o.Dev {
		f.Status = Dev
	}
	return f, nil
}

// conflict compares with what is registered under the same version. It returns
// the old record when that stays in force (only completed or repaired then),
// nil when the new one takes its place.
func (r *Registry) conflict(rec *record, a *Artifact, o RegisterOptions) (*record, error) {
	old, err := r.readRecord(rec.Name, rec.Version)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		if o.Replace || o.Dev {
			return nil, nil
		}
		return nil, err
	}
	oldDev := old.Artifact != nil && old.Artifact.Dev
	switch {
	case a == nil && old.Digest == rec.Digest:
		return old, nil // the manifest alone takes no implementation away
	case o.Dev, oldDev, o.Replace:
		return nil, nil
	case old.Digest != rec.Digest:
		return nil, otherBytes(rec, old, "another manifest", rec.From)
	case old.Artifact == nil:
		return nil, nil // the manifest was registered alone; here is its implementation
	case old.Artifact.SHA256 != a.SHA256:
		return nil, otherBytes(rec, old, "another implementation", rec.From)
	}
	if old.Shipped != nil && rec.Shipped == nil {
		old.Shipped, old.From = nil, rec.From // a person registered it: it is theirs now
	}
	if old.From == rec.From {
		old.Seen = rec.Seen
	}
	return old, nil
}

func otherBytes(rec, old *record, what, path string) error {
	return &problem.Error{
		Flavor:  rec.Name + "@" + rec.Version,
		Summary: "it is registered already, with " + what,
		Detail:  "It was registered from " + old.From + ". A version means the same bytes for ever: runs and operators pin it.",
		Next: "raise the version in the manifest; or replace it: stephost flavor register --replace " + shellQuote(path) +
			" (--dev while you develop)",
	}
}

// commit is done under the lock: content first, the record last. A crash before
// the record's rename leaves an unreferenced artifact and manifest, which are
// found again by the next registration of the same bytes.
func (r *Registry) commit(rec *record, c *candidate, staged *staging) error {
	dir := r.recordDir(rec.Name, rec.Version)
	if err := r.home.Make(dir); err != nil {
		return err
	}
	r.sweepStaging(r.home.Artifacts(), dir)
	if c.artifact != nil && !c.artifact.Dev {
		if err := r.adopt(c.artifact, staged); err != nil {
			return err
		}
	}
	if c.artifact != nil {
		var err error
		if rec.Artifact, err = r.recordOf(c.artifact); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, rec.Manifest)
	if data, err := readBounded(path, manifest.MaxManifest); err != nil || digestOf(data) != rec.Digest {
		if err := writeFile(path, c.manifest.Source, 0o600); err != nil {
			return err
		}
	}
	if err := r.writeRecord(rec); err != nil {
		return err
	}
	// The renames, and the directories' own names, must be durable too.
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)), syncDir(r.home.Flavors()))
}

// manifestFile names a manifest by its digest, so that replacing a flavor never
// shows a reader the new manifest under the old record.
func manifestFile(m *manifest.Manifest) string {
	return "manifest-" + trimDigest(m.Digest)[:12] + ".hcl"
}

// Registration is one line of RegisterAll's result.
type Registration struct {
	Path   string
	Flavor *Flavor // nil when Err is set
	Err    error
}

// RegisterAll registers everything in the drop-in directory. One that fails
// does not keep the others from being registered; the error is for the
// directory itself.
func (r *Registry) RegisterAll(ctx context.Context, o RegisterOptions) ([]Registration, error) {
	paths, err := candidates(r.home.Plugins(), isDropIn)
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	out := make([]Registration, 0, len(paths))
	for _, path := range paths {
		f, err := r.Register(ctx, path, o)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		out = append(out, Registration{Path: path, Flavor: f, Err: err})
	}
	return out, nil
}
