package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stephost/stephost/host/problem"
)

// DeleteFlavor forgets "name@version" (or "name" when there is one version
// only) and removes its artifact unless another record has the same. It refuses
// while an operator pins it or inUse says that a run needs it; inUse may be nil
// and is called under the registry's lock. Deleting a shipped flavor forgets
// its pin.
func (r *Registry) DeleteFlavor(ctx context.Context, ref string, inUse func(name, version string) bool) error {
	name, version := splitRef(ref)
	if !validName(name) || version != "" && checkVersion(version) != nil {
		return notFound(ref, name, nil, nil)
	}
	return wrapStore(r.locked(ctx, r.home.Flavors(), func() error {
		versions, err := r.recorded(name)
		if err != nil {
			return err
		}
		switch {
		case version == "" && len(versions) == 1:
			version = versions[0]
		case version == "" && len(versions) > 1:
			return &problem.Error{Summary: "there are several versions of " + name, Detail: "There is: " + first(versions, 8) + ".",
				Next: "name one: stephost flavor delete " + name + "@" + versions[0]}
		}
		rec, err := r.readRecord(name, version)
		if version == "" || errors.Is(err, fs.ErrNotExist) {
			return r.notRecorded(ctx, ref)
		}
		if err := r.checkUnused(ctx, name, version, versions, inUse); err != nil {
			return err
		}
		// A damaged record can be deleted too: rec is nil then.
		return r.deleteRecord(rec, r.recordDir(name, version))
	}), r)
}

// recorded lists the versions of a flavor that have a record, good or not.
func (r *Registry) recorded(name string) ([]string, error) {
	all, err := subdirs(r.recordDir(name, ""))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range all {
		if _, err := os.Stat(filepath.Join(r.recordDir(name, v), recordFile)); err == nil && checkVersion(v) == nil {
			out = append(out, v)
		}
	}
	return out, nil
}

func (r *Registry) notRecorded(ctx context.Context, ref string) error {
	f, err := r.Flavor(ctx, ref)
	if err != nil {
		return err
	}
	return &problem.Error{Flavor: f.Ref(), Summary: "it is not registered, only " + string(f.Status),
		Next: "remove the file " + f.From}
}

func (r *Registry) checkUnused(ctx context.Context, name, version string, versions []string, inUse func(name, version string) bool) error {
	operators, err := r.Operators(ctx)
	if err != nil {
		return err
	}
	var users []string
	for _, o := range operators {
		n, v := splitRef(o.Flavor)
		if n == name && (v == version || v == "" && len(versions) == 1) {
			users = append(users, o.Name)
		}
	}
	if len(users) > 0 {
		return &problem.Error{Flavor: name + "@" + version, Summary: "it is in use by operator " + first(users, 5),
			Next: "delete the operator, or move it: stephost operator update " + users[0] + " --flavor-version VERSION"}
	}
	if inUse != nil && inUse(name, version) {
		return &problem.Error{Flavor: name + "@" + version, Summary: "it is in use by a run",
			Next: "wait for the run or end it; see: stephost run list"}
	}
	return nil
}

// deleteRecord: the record first, then what it pinned. A crash in between
// leaves an artifact that nobody knows, which Prune removes.
func (r *Registry) deleteRecord(rec *record, dir string) error {
	if err := os.Remove(filepath.Join(dir, recordFile)); err != nil {
		return err
	}
	if err := removeAll(dir); err != nil {
		return err
	}
	// Only an empty directory goes.
	_ = os.Remove(filepath.Dir(dir))
	if rec == nil || rec.Artifact == nil || rec.Artifact.Dev {
		return nil
	}
	used, err := r.pinned()
	if err != nil || used[rec.Artifact.SHA256] {
		return err
	}
	return removeArtifact(filepath.Join(r.home.Artifacts(), rec.Artifact.SHA256))
}

// removeArtifact first takes it out of sight. Where a running program's file
// cannot be removed (Windows), the rest goes with a later sweep.
func removeArtifact(dir string) error {
	away := filepath.Join(filepath.Dir(dir), stagingPrefix+"deleted-"+filepath.Base(dir))
	if err := os.Rename(dir, away); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	_ = removeAll(away)
	return nil
}

// pinned is the set of artifacts that a record names. It fails when a record
// cannot be read: what that pins is unknown.
func (r *Registry) pinned() (map[string]bool, error) {
	all, err := r.records(context.Background())
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, f := range all {
		if f.Err != nil {
			return nil, f.Err
		}
		if f.Artifact != nil {
			out[f.Artifact.SHA256] = true
		}
	}
	return out, nil
}

// Prune removes artifacts that no record pins (of flavors that were replaced)
// and for which keep, which may be nil, does not ask; it returns their hashes.
func (r *Registry) Prune(ctx context.Context, keep func(sha256 string) bool) (removed []string, err error) {
	err = r.locked(ctx, r.home.Flavors(), func() error {
		used, err := r.pinned()
		if err != nil {
			return err
		}
		r.sweepStaging(r.home.Artifacts())
		sums, err := subdirs(r.home.Artifacts())
		if err != nil {
			return err
		}
		for _, sum := range sums {
			if used[sum] || len(sum) != 64 || keep != nil && keep(sum) {
				continue
			}
			if err := removeArtifact(filepath.Join(r.home.Artifacts(), sum)); err != nil {
				return err
			}
			removed = append(removed, sum)
		}
		return nil
	})
	return removed, wrapStore(err, r)
}
