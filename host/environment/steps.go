package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/environment/source"
)

// tries is how often a preparation begins again because a file changed or a
// cached one was gone.
const tries = 3

func (r *DirectoryRequest) say(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

func (r *DirectoryRequest) store() *source.Store {
	return source.NewStore(filepath.Join(r.CacheDir, "source"))
}

func (r *DirectoryRequest) venvDir() string { return filepath.Join(r.CacheDir, "venvs") }

func (r *DirectoryRequest) neverCopy() []string {
	return slices.Concat(r.NeverCopy, []string{r.WorkDir, r.WorkDir + partial, r.CacheDir})
}

func (r *DirectoryRequest) roots() ([]source.Root, source.Options, error) {
	var roots []source.Root
	for _, s := range r.Sources {
		path := s.Path
		if !filepath.IsAbs(path) {
			dir, err := filepath.Abs(r.Dir)
			if err != nil {
				return nil, source.Options{}, cannotMake(r.WorkDir, err)
			}
			path = filepath.Join(dir, path)
		}
		roots = append(roots, source.Root{Path: path, Target: s.Target, Exclude: s.Exclude})
	}
	return roots, source.Options{AllowLarge: r.AllowLarge, NeverCopy: r.neverCopy(), CopyDir: r.WorkDir}, nil
}

func (r *DirectoryRequest) requirements() requirements.Request {
	return requirements.Request{Dir: r.Dir, List: r.Requirements, File: r.RequirementsFile, Python: r.Python,
		Environ: r.Environ, Store: r.store(), NeverCopy: r.neverCopy()}
}

// prepareVenv builds the virtual environment, or finds it.
func (d *Directory) prepareVenv(ctx context.Context, r *DirectoryRequest) error {
	req := r.requirements()
	if req.Empty() {
		return nil
	}
	var changed *source.ChangedError
	var missing *source.MissingBlobError
	for try := 1; ; try++ {
		s, err := requirements.Resolve(ctx, req)
		if err == nil {
			d.Venv, err = s.Ensure(ctx, requirements.BuildOptions{CacheDir: r.venvDir(), Store: req.Store,
				Progress: r.Progress, Logger: r.Logger})
		}
		if err == nil {
			d.Python, d.RequirementsDigest = s.Python(filepath.Dir(d.Venv)), s.Digest
			return nil
		}
		if try == tries || !errors.As(err, &changed) && !errors.As(err, &missing) {
			return sourceProblem(ctx, err)
		}
	}
}

const (
	// partial marks a work directory that is being filled.
	partial = ".partial"
	// recorded marks the file beside a work directory that says what is in it.
	recorded = ".source.json"
)

// sourceRecord is written before the work directory appears, so that preparing
// again finds out what is in it without touching it.
type sourceRecord struct {
	Digest   string   `json:"digest"`
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	Warnings []string `json:"warnings,omitempty"`
}

// prepareSource fills the work directory. Crash cases: before the rename, the
// next call removes what is beside the place and begins again; after it, the
// directory is whole and recorded. A step's files are never removed here.
func (d *Directory) prepareSource(ctx context.Context, r *DirectoryRequest) error {
	record := d.Path + recorded
	kept, err := d.prepared(record)
	if err != nil || kept {
		return err
	}
	// First the record: one that stands without the partial directory says that
	// the rename was done.
	if err := os.Remove(record); err != nil && !errors.Is(err, os.ErrNotExist) {
		return cannotMake(d.Path, err)
	}
	roots, o, err := r.roots()
	if err != nil {
		return err
	}
	t, err := d.fill(ctx, r, roots, o)
	if err != nil {
		return sourceProblem(ctx, err)
	}
	d.SourceDigest, d.SourceBytes, d.SourceFiles = t.Digest, t.Bytes, t.Files
	d.Warnings = append(d.Warnings, append(t.Warnings, sizeWarnings(t)...)...)
	data, err := json.Marshal(sourceRecord{Digest: t.Digest, Files: t.Files, Bytes: t.Bytes, Warnings: d.Warnings})
	if err == nil {
		err = os.WriteFile(record, data, 0o600)
	}
	if err == nil {
		if err = os.Remove(d.Path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(d.Path+partial, d.Path)
	}
	if err != nil {
		return cannotMake(d.Path, err)
	}
	return nil
}

// prepared says whether an earlier call filled the work directory, and takes
// what it recorded. An empty directory that the caller made is not prepared; one
// that a step has emptied is.
func (d *Directory) prepared(record string) (bool, error) {
	names, err := os.ReadDir(d.Path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, cannotMake(d.Path, err)
	}
	var rec sourceRecord
	data, err := os.ReadFile(record)
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if len(names) == 0 {
		if _, perr := os.Lstat(d.Path + partial); err != nil || perr == nil {
			return false, nil
		}
	}
	if err != nil {
		return false, notOurs(d.Path, err)
	}
	d.SourceDigest, d.SourceBytes, d.SourceFiles = rec.Digest, rec.Bytes, rec.Files
	d.Warnings = append(d.Warnings, rec.Warnings...)
	return true, nil
}

// fill packs the roots and copies them beside the work directory.
func (d *Directory) fill(ctx context.Context, r *DirectoryRequest, roots []source.Root, o source.Options) (*source.Tree, error) {
	store := r.store()
	beside := d.Path + partial
	var missing *source.MissingBlobError
	for try := 1; ; try++ {
		if err := os.RemoveAll(beside); err != nil {
			return nil, err
		}
		t, err := store.Pack(ctx, roots, o)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(beside, 0o700); err != nil {
			return nil, err
		}
		r.say("copying the source: %s, %s", fileCount(t.Files), source.FormatBytes(t.Bytes))
		if err = store.CopyTo(ctx, t, beside); err == nil {
			return t, nil
		}
		os.RemoveAll(beside)
		// Somebody cleared the cache between packing and copying.
		if try == tries || !errors.As(err, &missing) {
			return nil, err
		}
	}
}
