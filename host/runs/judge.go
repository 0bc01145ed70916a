package runs

import (
	"context"
	"path/filepath"

	"github.com/gofrs/flock"
)

// judge says what can be said of another owner. Neither alive nor elsewhere
// means dead.
func (s *Store) judge(was OwnerInfo) (alive, elsewhere bool) {
	me := s.me()
	lock := lockState(filepath.Join(s.owners, filepath.Base(was.ID)+lockSuffix))
	if lock == lockHeld {
		return true, foreign(me, was)
	}
	if foreign(me, was) {
		return false, true
	}
	if was.Boot != me.Boot {
		// The same machine was started anew, so its processes are gone. On a
		// network file system it may be a twin with the same machine ID.
		return false, s.unsafe
	}
	if lock == lockMissing && was.PID > 0 && was.StartTime != "" && startTime(was.PID) == was.StartTime {
		// Somebody removed the lock files; the process still runs.
		return true, false
	}
	return false, false
}

// foreign: on another machine or in another pid namespace, as far as is known.
func foreign(me, was OwnerInfo) bool {
	if me.Machine != "" && was.Machine != "" {
		if me.Machine != was.Machine {
			return true
		}
	} else if was.Host != me.Host {
		return true
	}
	return was.PIDNamespace != me.PIDNamespace
}

// Ownerless is the unclosed runs whose owner is dead, or that have none, newest
// first (without Request and Prepared, as in List). Owners that cannot be
// judged from here keep theirs. It also forgets dead owners that left nothing.
func (s *Store) Ownerless(ctx context.Context) ([]*Run, error) {
	// Files first, runs second: an owner that dies in between is seen next time.
	ids, err := ownerFiles(s.owners)
	if err != nil {
		return nil, err
	}
	var dead []string
	for _, id := range ids {
		if lockState(filepath.Join(s.owners, id+lockSuffix)) == lockFree {
			dead = append(dead, id)
		}
	}
	unclosed, err := s.List(ctx, Filter{Unclosed: true})
	if err != nil {
		return nil, err
	}
	owns := map[string]bool{}
	gone := map[string]bool{"": true}
	var list []*Run
	for _, r := range unclosed {
		owns[r.OwnerID] = true
		is, known := gone[r.OwnerID]
		if !known {
			was := OwnerInfo{ID: r.OwnerID}
			if r.Owner != nil {
				was = *r.Owner
			}
			alive, elsewhere := s.judge(was)
			is = !alive && !elsewhere
			gone[r.OwnerID] = is
		}
		if is {
			list = append(list, r)
		}
	}
	for _, id := range dead {
		if !owns[id] {
			s.removeOwner(id)
		}
	}
	return list, nil
}

// forgetOwner removes a dead owner's file when no run is its any more. Nothing
// depends on it: failing leaves a hint that Ownerless clears.
func (s *Store) forgetOwner(ctx context.Context, id string) {
	var n int
	err := s.view(ctx, func(tx *database) error {
		return tx.row(`SELECT count(*) FROM runs WHERE owner = ?`, []any{id}, &n)
	})
	if err == nil && n == 0 {
		s.removeOwner(id)
	}
}

// removeOwner removes the file under its lock: an owner that has made its file
// and not locked it yet notices (see tryOwner).
func (s *Store) removeOwner(id string) {
	path := filepath.Join(s.owners, filepath.Base(id)+lockSuffix)
	lock := flock.New(path, flock.SetFlag(lockFlag))
	if got, err := lock.TryLock(); err != nil || !got {
		_ = lock.Close()
		return
	}
	_ = removeLocked(lock, path)
}
