package host

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

// PruneOptions say which closed runs are forgotten.
type PruneOptions struct {
	// OlderThan counts from the end of the run; 0 = any age.
	OlderThan time.Duration
	// KeepLast newest runs stay whatever their age.
	KeepLast int
	DryRun   bool
	// Remote removes the job objects at the backend too, of runs that are older
	// than their flavor keeps them; a run whose job cannot be removed stays.
	Remote bool
	// Cache, if any, is told the bytes that went from the cache of the home, or would
	// go: what no run has used for OlderThan, and none needs that is not over.
	Cache func(bytes int64)
}

// Pruned is one forgotten run.
type Pruned struct {
	Run *runs.Run
	// Bytes of its log and its work directories.
	Bytes int64
	// Err says why the run stays.
	Err error
}

// Prune removes closed runs from this home: records, logs, work directories, and
// with Remote their jobs at the backend. What nobody has used for as long goes from
// the cache.
func (h *Host) Prune(ctx context.Context, o PruneOptions) ([]Pruned, error) {
	unused := time.Now().Add(-o.OlderThan)
	store, err := h.Runs(ctx)
	if err != nil {
		return nil, err
	}
	closed, err := store.List(ctx, runs.Filter{States: []runs.State{runs.Closed}}) // newest first
	if err != nil {
		return nil, err
	}
	var out []Pruned
	for i, r := range closed {
		if i < o.KeepLast || time.Since(r.ClosedAt) < o.OlderThan {
			continue
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		work := filepath.Join(h.Home().Work(), r.ID)
		size, err := spool.Size(store.LogDir(r.ID))
		if err != nil {
			size = 0
		}
		p := Pruned{Run: r, Bytes: size + treeSize(work)}
		if o.Remote && !o.DryRun {
			sup, err := h.Supervisor(ctx)
			if err != nil {
				return out, err
			}
			if p.Err = sup.Forget(ctx, r); p.Err != nil {
				out = append(out, p)
				continue
			}
		}
		if !o.DryRun {
			if err := os.RemoveAll(work); err != nil {
				return out, &problem.Error{Summary: "cannot remove the work directory", Run: r.ID, Err: err, Next: "remove " + work + " by hand"}
			}
			if err := store.Delete(ctx, r.ID); err != nil {
				return out, err
			}
		}
		out = append(out, p)
	}
	if err := h.pruneCache(ctx, store, unused, o); err != nil || o.DryRun {
		return out, err
	}
	return out, h.tidy(ctx, store)
}

// clockSlack is how much later than a file's time the record of the run may be for
// which the file was made.
const clockSlack = time.Second

// pruneCache removes what was not used since a time, nor since the oldest run began
// that is not over: whatever that was given, it has used since then.
func (h *Host) pruneCache(ctx context.Context, store *runs.Store, unused time.Time, o PruneOptions) error {
	open, err := store.List(ctx, runs.Filter{Unclosed: true})
	if err != nil {
		return err
	}
	for _, r := range open {
		if begun := r.CreatedAt.Add(-clockSlack); begun.Before(unused) {
			unused = begun
		}
	}
	bytes := environment.Sweep(h.Home().Cache(), unused, o.DryRun)
	if o.Cache != nil {
		o.Cache(bytes)
	}
	return nil
}

// tidy finishes what killed processes left half done: logs that were not
// compressed, directories of runs that were deleted, artifacts that neither a
// record nor a run pins.
func (h *Host) tidy(ctx context.Context, store *runs.Store) error {
	if _, err := store.Sweep(ctx); err != nil {
		return err
	}
	left, err := store.List(ctx, runs.Filter{})
	if err != nil {
		return err
	}
	pinned := map[string]bool{}
	for _, r := range left {
		pinned[r.Pin.ArtifactSHA256] = true
		if r.State != runs.Closed {
			continue
		}
		if err := spool.Compact(ctx, store.LogDir(r.ID)); err != nil {
			return err
		}
	}
	_, err = h.Registry().Prune(ctx, func(sha256 string) bool { return pinned[sha256] })
	return err
}

func treeSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read counts nothing
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
