package registry

import (
	"context"
	"errors"
	"os"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
)

// Verified is one line of Verify's result.
type Verified struct {
	Flavor *Flavor
	// Err is nil when manifest and implementation are what was pinned; a
	// *PinError when they are not.
	Err error
}

// Verify reads every byte of what is pinned again: of "name@version", of all
// versions of "name", or, for "", of everything. Flavors that are not pinned
// (available, dev, shipped and never used) are left out, unless one is named.
func (r *Registry) Verify(ctx context.Context, ref string) ([]Verified, error) {
	name, version := splitRef(ref)
	all, err := r.records(ctx)
	if err != nil {
		return nil, err
	}
	var out []Verified
	for _, f := range all {
		if name != "" && f.Name != name || version != "" && f.Version != version {
			continue
		}
		v := Verified{Flavor: f, Err: f.Err}
		if f.Err == nil {
			if f.Status == Dev {
				continue
			}
			v.Err = r.verify(ctx, f)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 0 && ref != "" {
		f, err := r.Flavor(ctx, ref)
		if err != nil {
			return nil, err
		}
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "there is nothing to verify: it is " + string(f.Status) + ", not pinned",
			Next: "pin it: stephost flavor register " + shellQuote(f.From)}
	}
	return out, nil
}

func (r *Registry) verify(ctx context.Context, f *Flavor) error {
	data, err := readBounded(f.source.file, manifest.MaxManifest)
	if err != nil {
		return pinError(f, f.source.file, "the manifest cannot be read", "", "", err)
	}
	if got := digestOf(data); got != f.ManifestDigest {
		return pinError(f, f.source.file, "the manifest was changed", trimDigest(f.ManifestDigest), trimDigest(got), nil)
	}
	a := f.Artifact
	if a == nil {
		return nil
	}
	info, err := os.Lstat(a.Path)
	if err != nil {
		return pinError(f, a.Path, "it is missing", "", "", err)
	}
	sum, err := a.hashNow(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return pinError(f, a.Path, "it cannot be read", "", "", err)
	case sum != a.SHA256:
		return pinError(f, a.Path, "its content changed", a.SHA256, sum, nil)
	}
	if err := checkPermissions(a.Path, info); err != nil {
		return openToOthers(f, a.Path, err)
	}
	ex := &Executable{}
	return errors.Join(r.checkInterpreter(ctx, f, ex), ex.Close())
}
