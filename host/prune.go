package host

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

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
// with Remote their jobs at the backend.
func (h *Host) Prune(ctx context.Context, o PruneOptions) ([]Pruned, error) {
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
	if o.DryRun {
		return out, nil
	}
	return out, h.tidy(ctx, store)
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
