package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// lockSuffix ends the name of an owner's lock file.
const lockSuffix = ".lock"

// OwnerInfo is what an owner says of itself, for messages and for refusing to
// judge it. Empty fields are not known on this platform.
type OwnerInfo struct {
	ID   string `json:"id"`
	PID  int    `json:"pid"`
	Host string `json:"host,omitempty"`
	// Machine names the machine, Boot its present start, PIDNamespace the
	// namespace that PID belongs to.
	Machine      string `json:"machine,omitempty"`
	Boot         string `json:"boot,omitempty"`
	PIDNamespace string `json:"pid_namespace,omitempty"`
	// StartTime tells processes of one PID apart; meaningful within a boot.
	StartTime string    `json:"start_time,omitempty"`
	StartedAt time.Time `json:"started_at"`
	// HostVersion is the version of stephost that it runs.
	HostVersion string `json:"host_version,omitempty"`
}

// Owner is this process as an owner of runs: it lives as long as it holds the
// lock on its file, which the system drops when the process ends in whatever
// way. One per process is enough. It is safe for concurrent use.
type Owner struct {
	info OwnerInfo
	lock *flock.Flock
	path string
	once sync.Once

	mu   sync.Mutex
	held map[string]int64 // fences of the runs that it owns, by ID
}

// NewOwner makes a lock file in dir, which is made when missing, and locks it.
func NewOwner(ctx context.Context, dir string) (*Owner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the owners' directory: %w", err)
	}
	for {
		o, err := tryOwner(ctx, dir)
		if o != nil || err != nil {
			return o, err
		}
	}
}

// tryOwner returns nil, nil when the file was swept between its creation and
// its lock (it looked like a dead owner's): a lock on a file without a name
// would protect nobody.
func tryOwner(ctx context.Context, dir string) (*Owner, error) {
	info := self()
	id, err := newID(time.Now())
	if err != nil {
		return nil, err
	}
	info.ID, info.StartedAt = id, time.Now().UTC().Round(0)
	content, err := json.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("owner %s: %w", id, err)
	}
	path := filepath.Join(dir, id+lockSuffix)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("owner %s: %w", id, err)
	}
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("owner %s: %w", id, errors.Join(err, os.Remove(path)))
	}
	const pause = time.Millisecond // others hold it for microseconds, to judge it
	lock := flock.New(path, flock.SetFlag(lockFlag), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, pause); errors.Is(err, fs.ErrNotExist) {
		return nil, ctx.Err()
	} else if err != nil {
		return nil, fmt.Errorf("owner %s: %w", id, errors.Join(err, os.Remove(path)))
	}
	mine, err := lock.Stat()
	named, err2 := os.Stat(path)
	if err != nil || err2 != nil || !os.SameFile(mine, named) {
		_ = lock.Close()
		return nil, ctx.Err()
	}
	return &Owner{info: info, lock: lock, path: path}, nil
}

// ID is the owner's ID, a ULID.
func (o *Owner) ID() string { return o.info.ID }

// Info is what the owner says of itself.
func (o *Owner) Info() OwnerInfo { return o.info }

// SetHostVersion says which stephost this is, for the messages of others. Call
// it before the first claim.
func (o *Owner) SetHostVersion(v string) { o.info.HostVersion = v }

// Close ends the ownership: runs that were not released are ownerless at once.
// The lock file stays when there are any, as after a death, so that DeadOwners
// hints at them.
func (o *Owner) Close() error {
	var err error
	o.once.Do(func() {
		o.mu.Lock()
		left := len(o.held)
		o.mu.Unlock()
		if left > 0 {
			err = o.lock.Close()
			return
		}
		err = removeLocked(o.lock, o.path)
	})
	return err
}

// hold and drop keep count of what this owner owns.
func (o *Owner) hold(id string, fence int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		o.held = map[string]int64{}
	}
	o.held[id] = max(o.held[id], fence)
}

func (o *Owner) drop(id string, fence int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[id] == fence { // a newer claim of this owner's keeps it
		delete(o.held, id)
	}
}

// DeadOwners counts the owners in dir that ended without saying so: each may
// have left runs behind. It opens no database and takes microseconds per
// owner; a missing directory holds none.
func DeadOwners(dir string) (n int, err error) {
	ids, err := ownerFiles(dir)
	for _, id := range ids {
		if lockState(filepath.Join(dir, id+lockSuffix)) == lockFree {
			n++
		}
	}
	return n, err
}

func ownerFiles(dir string) (ids []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the owners' directory: %w", err)
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), lockSuffix); ok && e.Type().IsRegular() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

type lockStatus int

const (
	lockMissing lockStatus = iota
	lockFree
	lockHeld
)

// lockState tries a shared lock, so that two who ask at once do not take each
// other for the owner. When in doubt, the owner lives.
func lockState(path string) lockStatus {
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := lock.TryRLock()
	defer func() { _ = lock.Close() }()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lockMissing
	case err == nil && got:
		return lockFree
	}
	return lockHeld
}
