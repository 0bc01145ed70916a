package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
)

// stagingLife is how long staging without a lock (single files, what is being
// deleted) may be left by a process that died: far longer than a living one needs.
const stagingLife = 24 * time.Hour

// stagingLock ends the name of the file whose lock a copy's writer holds. The lock
// ends with its process, however that dies: what nobody locks is swept.
const stagingLock = ".lock"

// staging is a copy that is not visible yet.
type staging struct {
	dir, name string
	lock      *flock.Flock
}

// newStaging makes the directory of a copy and locks it. As sweeps do, it runs under
// the registry's lock: nobody sees the lock's file before it is locked.
func newStaging(store, name string) (*staging, error) {
	s := &staging{dir: stagingName(store), name: name}
	s.lock = flock.New(s.dir+stagingLock, flock.SetPermissions(0o600))
	if err := s.lock.Lock(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *staging) remove() {
	if s != nil {
		_ = removeAll(s.dir)
		_ = s.lock.Close() // before its file: Windows removes no open ones
		_ = os.Remove(s.lock.Path())
	}
}

// stage copies the candidate into the store under a name that nobody reads, and
// fills in its hash. The registry's lock is not held meanwhile: copies may take
// seconds.
func (r *Registry) stage(ctx context.Context, c *candidate) (s *staging, err error) {
	store := r.home.Artifacts()
	if err := r.home.Make(store); err != nil {
		return nil, err
	}
	if noexec(store) {
		return nil, &problem.Error{
			Summary: "programs in " + store + " cannot be executed: its file system is mounted noexec",
			Next:    "set STEPHOST_HOME to a directory on another file system, or register the flavor in place with --dev",
		}
	}
	if err := r.locked(ctx, r.home.Flavors(), func() (err error) {
		r.sweepStaging(store) // before the copy: it may need the room
		s, err = newStaging(store, storeName(c.path))
		return err
	}); err != nil {
		return nil, wrapStore(err, r)
	}
	dir := s.dir
	defer func() {
		if err != nil {
			s.remove()
			s, err = nil, wrapStore(err, r)
		}
	}()
	to := filepath.Join(dir, s.name)
	if c.tree != nil {
		if err := storeTree(ctx, to, c.tree); err != nil {
			return s, err
		}
		c.artifact.SHA256 = c.tree.hash()
		return s, syncDir(dir)
	}
	src, err := openNoWait(c.path)
	if err != nil {
		return s, unreadable(c.path, err)
	}
	defer src.Close()
	if err := c.unchanged(src); err != nil {
		return s, err
	}
	if c.artifact.SHA256, c.artifact.Size, err = storeFile(ctx, to, src, 0o500, maxFile); err != nil {
		return s, err
	}
	return s, syncDir(dir)
}

// hash fills in the hash without copying, for a dry run.
func (c *candidate) hash(ctx context.Context) error {
	if c.tree != nil {
		if err := c.tree.fill(ctx); err != nil {
			return err
		}
		c.artifact.SHA256 = c.tree.hash()
		return nil
	}
	var err error
	c.artifact.SHA256, _, err = hashPath(ctx, c.path)
	return err
}

// unchanged: the manifest was read from the file as it was when it was looked
// at; pinning it together with other bytes would pin a lie.
func (c *candidate) unchanged(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if statOf(info) == c.stat {
		return nil
	}
	return &problem.Error{Summary: c.path + " changed while it was being registered",
		Next: "wait until it is complete, then register it again"}
}

// adopt gives the staged copy its content address, under the lock. An artifact
// that is there already is kept when it still has its hash; a damaged one is
// moved away (running processes keep its inode) and replaced.
func (r *Registry) adopt(a *Artifact, s *staging) error {
	home := filepath.Join(r.home.Artifacts(), a.SHA256)
	if name, ok := r.intact(home, a); ok {
		return a.settle(filepath.Join(home, name))
	}
	if _, err := os.Lstat(home); err == nil {
		away, err := stagingDir(r.home.Artifacts())
		if err != nil {
			return err
		}
		if err := os.Rename(home, filepath.Join(away, "damaged")); err != nil {
			return err
		}
		defer func() { _ = removeAll(away) }()
	}
	if err := os.Rename(s.dir, home); err != nil {
		return err
	}
	if err := syncDir(r.home.Artifacts()); err != nil {
		return err
	}
	return a.settle(filepath.Join(home, s.name))
}

// intact says whether home holds the artifact whole, and under which name.
func (r *Registry) intact(home string, a *Artifact) (string, bool) {
	entries, err := os.ReadDir(home)
	if err != nil || len(entries) != 1 {
		return "", false
	}
	name := entries[0].Name()
	copied := *a
	copied.Path = filepath.Join(home, name)
	// Registration reads every byte of the source anyway; reading the stored
	// ones too keeps "registered" true.
	sum, err := copied.hashNow(context.Background())
	return name, err == nil && sum == a.SHA256
}

// settle records where the artifact is and what it looks like there.
func (a *Artifact) settle(path string) error {
	a.Path = path
	if a.Kind == KindDirectory {
		t, err := walkTree(context.Background(), path, false)
		if err != nil {
			return err
		}
		a.TreeStat = t.stat()
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	a.Stat = statOf(info)
	return nil
}

// hashNow reads the artifact whole.
func (a *Artifact) hashNow(ctx context.Context) (string, error) {
	if a.Kind != KindDirectory {
		sum, _, err := hashPath(ctx, a.Path)
		return sum, err
	}
	t, err := walkTree(ctx, a.Path, false)
	if err != nil {
		return "", err
	}
	if err := t.fill(ctx); err != nil {
		return "", err
	}
	return t.hash(), nil
}

// storeName keeps the file's name in the store, so that `ps` shows it.
func storeName(path string) string {
	const limit = 100
	name := filepath.Base(path)
	for _, c := range name {
		safe := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c)
		if !safe || len(name) > limit || strings.HasPrefix(name, ".") {
			return "plugin" + safeExt(name)
		}
	}
	return name
}

// safeExt keeps the extension that a platform or an interpreter goes by.
func safeExt(name string) string {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".exe", ".py", ".jar", ".sh":
		return ext
	}
	return ""
}

// sweepStaging removes what processes that died have left, under a lock.
func (r *Registry) sweepStaging(dirs ...string) {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), stagingPrefix) {
				sweepOne(filepath.Join(dir, e.Name()), e)
			}
		}
	}
}

func sweepOne(path string, e fs.DirEntry) {
	if copied, isLock := strings.CutSuffix(path, stagingLock); isLock {
		s := &staging{dir: copied, lock: flock.New(path)}
		if free, err := s.lock.TryLock(); err == nil && free {
			s.remove()
		} else {
			_ = s.lock.Close()
		}
		return
	}
	if _, err := os.Lstat(path + stagingLock); err == nil {
		return // its lock tells
	}
	if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > stagingLife {
		_ = removeAll(path)
	}
}

// wrapStore says what to do about a store that cannot be written.
func wrapStore(err error, r *Registry) error {
	var p *problem.Error
	if err == nil || errors.As(err, &p) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &problem.Error{Summary: "cannot write to the store of flavors in " + r.home.Root(), Err: err, Next: home.Next(err)}
}
