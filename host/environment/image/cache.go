package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/stephost/stephost/host/environment/internal/sweep"
)

const (
	// lockPoll is how often a lock that somebody holds is tried: they compress
	// or upload for seconds.
	lockPoll = 20 * time.Millisecond
	// staleAfter is when a file of a build that was killed is removed: no blob
	// takes this long.
	staleAfter = 24 * time.Hour
	// unusedAfter is when a blob that no build asked for is removed. It can always
	// be made again.
	unusedAfter = 30 * 24 * time.Hour
)

// cache is images/ in the cache directory: blobs by digest, and records by
// content key that say which blob is the layer of that key.
type cache struct{ dir string }

func newCache(dir string) *cache { return &cache{dir: filepath.Join(dir, "images")} }

func (c *cache) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// blob is the place of a blob.
func (c *cache) blob(digest string) string { return c.path("blobs", hexOf(digest)) }

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// hasBlob says whether a blob is there. A wrong size is a damaged one.
func (c *cache) hasBlob(digest string, size int64) bool {
	fi, err := os.Lstat(c.blob(digest))
	return err == nil && fi.Mode().IsRegular() && fi.Size() == size
}

// used keeps a blob from being swept.
func (c *cache) used(digest string) {
	now := time.Now()
	_ = os.Chtimes(c.blob(digest), now, now)
}

// keyOf is the content key of a list of parts. Each has its length before it.
func keyOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		io.WriteString(h, lengthOf(p))
		io.WriteString(h, p)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func lengthOf(s string) string {
	n, _ := json.Marshal(len(s)) // a number cannot fail
	return string(n) + ":"
}

// lock takes the lock of a name; the caller calls the result.
func (c *cache) lock(ctx context.Context, name string) (unlock func(), err error) {
	unlock, _, err = c.wait(ctx, name, time.Now())
	return unlock, err
}

// wait is lock, and says whether somebody held it since a time and did what it is
// for: see done.
func (c *cache) wait(ctx context.Context, name string, since time.Time) (unlock func(), waited bool, err error) {
	dir := c.path("locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	file := filepath.Join(dir, hexOf(name))
	l := flock.New(file)
	got, err := l.TryLock()
	if err == nil && !got {
		waited = true
		_, err = l.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		return nil, waited, err
	}
	// Only whoever holds the lock notes something, so that nothing is overlooked here.
	if fi, err := os.Stat(file); err == nil && fi.Size() > 0 && fi.ModTime().After(since) {
		waited = true
	}
	// The file stays: removing a lock that somebody waits for breaks it.
	return func() { _ = l.Unlock() }, waited, nil
}

// done notes that what the lock is for was done; its holder calls it. A lock file
// without content was made by somebody who has not come to that. The kernel's own time
// of a change may be some milliseconds old.
func (c *cache) done(name string) {
	file, now := c.path("locks", hexOf(name)), time.Now()
	_ = os.WriteFile(file, []byte("done\n"), 0o600)
	_ = os.Chtimes(file, now, now)
}

// readJSON reads a record; one that is missing or torn counts as none.
func (c *cache) readJSON(path string, into any) bool {
	data, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(data, into) == nil
}

func (c *cache) writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// write puts a file in its place whole: filled beside it, renamed.
func (c *cache) write(path string, fill func(io.Writer) error) (err error) {
	tmp, err := c.temp()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err = fill(tmp); err != nil {
		return err
	}
	return c.rename(tmp, path)
}

// temp is a file in tmp/, which is swept of what killed builds left.
func (c *cache) temp() (*os.File, error) {
	dir := c.path("tmp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, "new-")
}

// place syncs and renames a temporary file: what nobody checks when it is read.
func (c *cache) place(tmp *os.File, path string) error {
	if err := tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	return c.rename(tmp, path)
}

// rename puts a temporary file in its place. It is not synced, which a person would
// wait for: what a power cut tears is found out. A record then is no JSON, a
// document not what its digest says; a layer has another size, or the registry
// refuses it by its digest, and it is packed again.
func (c *cache) rename(tmp *os.File, path string) error {
	err := tmp.Chmod(0o600)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// sweep removes what nobody will ask for again. It is done after a build that
// wrote something, and its failures are nobody's.
func (c *cache) sweep() {
	Sweep(filepath.Dir(c.dir), sweep.Options{Before: time.Now().Add(-unusedAfter)})
}

// Sweep removes blobs that no build asked for since a time, and what killed builds
// have left, and returns the bytes. What is removed can always be made again.
func Sweep(cacheDir string, o sweep.Options) int64 {
	c := newCache(cacheDir)
	bytes := o.Files(c.path("blobs"))
	o.Before = time.Now().Add(-staleAfter)
	return bytes + o.Files(c.path("tmp")) + o.Files(c.path("partial"))
}
