package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/internal/disk"
)

const (
	// inMemory is the size up to which a file is read before it is known whether
	// its blob is there already: one write less for most of a tree.
	inMemory = 1 << 20
	// staleTemp is the age at which a temporary blob belongs to a process that
	// was killed: no blob takes this long to write.
	staleTemp = 24 * time.Hour
)

// Store keeps the contents of source files, each under its hash. Any number of
// processes may use one directory at once. A Store is safe for concurrent use.
type Store struct {
	dir  string
	free func(dir string) (free, total int64, ok bool)
}

// NewStore is the store in dir. Nothing is opened or created.
func NewStore(dir string) *Store { return &Store{dir: dir, free: disk.Free} }

func (s *Store) blob(sum [32]byte) string {
	name := hex.EncodeToString(sum[:])
	return filepath.Join(s.dir, "blobs", name[:2], name[2:])
}

// Add hashes the files of a tree that came from Scan, keeps their contents, and
// sets every Hash and the Digest. A file whose stat tuple is that of an earlier
// Add is not read again. A file that was written since the scan is a
// *ChangedError: scan again. Where there is no room for all of them, nothing is
// written (*NoSpaceError).
func (s *Store) Add(ctx context.Context, t *Tree) error { return s.add(ctx, t, "") }

func (s *Store) add(ctx context.Context, t *Tree, copyDir string) error {
	if t.Files == 0 {
		t.Digest = digest(t.Entries)
		return nil
	}
	known := s.loadHashes(t)
	var lacking []*Entry
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Kind != File {
			continue
		}
		if sum, ok := known.lookup(e); ok && s.has(sum, e.Size) {
			e.Hash = sum
			continue
		}
		lacking = append(lacking, e)
	}
	if err := s.room(t, slices.Clone(lacking), copyDir); err != nil {
		return err
	}
	a := &adder{store: s}
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0)) // readers that wait for the disk
	for _, e := range lacking {
		if all.Err() != nil {
			break
		}
		g.Go(func() error { return a.add(all, e) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.Digest = digest(t.Entries)
	s.saveHashes(t, known)
	return nil
}

// has says whether a blob is there. A wrong size is a damaged one (a disk that
// lost what fsync promised): it is written again.
func (s *Store) has(sum [32]byte, size int64) bool {
	fi, err := os.Lstat(s.blob(sum))
	return err == nil && fi.Mode().IsRegular() && fi.Size() == size
}

// adder is one Add.
type adder struct {
	store *Store
	once  sync.Once
	err   error
}

// tempDir is made when the first blob is written.
func (a *adder) tempDir() (string, error) {
	dir := filepath.Join(a.store.dir, "tmp")
	a.once.Do(func() {
		if a.err = os.MkdirAll(dir, 0o700); a.err != nil {
			return
		}
		old, _ := os.ReadDir(dir)
		for _, n := range old {
			if fi, err := n.Info(); err == nil && time.Since(fi.ModTime()) > staleTemp {
				os.Remove(filepath.Join(dir, n.Name()))
			}
		}
	})
	return dir, a.err
}

func (a *adder) add(ctx context.Context, e *Entry) error {
	f, err := openEntry(e)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if e.Size <= inMemory {
		err = a.addSmall(f, e, sum)
	} else {
		err = a.write(e, func(w io.Writer) error {
			n, err := io.Copy(io.MultiWriter(w, sum), &contextReader{ctx, io.LimitReader(f, e.Size+1)})
			if err == nil && n != e.Size {
				err = &ChangedError{Path: e.origin}
			}
			sum.Sum(e.Hash[:0])
			return err
		}, func() error { return unchanged(f, e) })
	}
	return err
}

func (a *adder) addSmall(f *os.File, e *Entry, sum hash.Hash) error {
	data, err := io.ReadAll(io.LimitReader(f, e.Size+1))
	if err != nil {
		return err
	}
	if err := unchanged(f, e); err != nil {
		return err
	}
	if int64(len(data)) != e.Size {
		return &ChangedError{Path: e.origin}
	}
	sum.Write(data)
	sum.Sum(e.Hash[:0])
	if a.store.has(e.Hash, e.Size) {
		return nil
	}
	return a.write(e, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	}, nil)
}

// write fills a temporary file and renames it to the blob of e.Hash, which fill
// may set. Crash cases: before the rename, a temporary file stays and is swept
// a day later; after it, the blob is whole, for it was synced before.
func (a *adder) write(e *Entry, fill func(io.Writer) error, check func() error) (err error) {
	dir, err := a.tempDir()
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "blob-")
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := fill(tmp); err != nil {
		return err
	}
	if check != nil {
		if err := check(); err != nil {
			return err
		}
	}
	if a.store.has(e.Hash, e.Size) {
		return os.Remove(tmp.Name())
	}
	if err := tmp.Chmod(0o400); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	blob := a.store.blob(e.Hash)
	if err := os.MkdirAll(filepath.Dir(blob), 0o700); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), blob)
}

// openEntry opens the file that the scan saw, and no other.
func openEntry(e *Entry) (*os.File, error) {
	f, err := openRegular(e.origin)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil { // gone, or a link by now
		return nil, &ChangedError{Path: e.origin}
	}
	if err := unchanged(f, e); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unchanged compares an open file with what the scan saw.
func unchanged(f *os.File, e *Entry) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || statOf(fi) != e.stat {
		return &ChangedError{Path: e.origin}
	}
	return nil
}

// contextReader ends a long read when the context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Open opens the content of a file entry of a tree that was added. A blob that
// is gone or damaged is a *MissingBlobError.
func (s *Store) Open(e *Entry) (*os.File, error) {
	name := s.blob(e.Hash)
	f, err := openRegular(name)
	if err != nil {
		return nil, &MissingBlobError{Path: e.Path, Err: err}
	}
	fi, err := f.Stat()
	if err == nil && fi.Size() != e.Size {
		err = fmt.Errorf("%d bytes instead of %d", fi.Size(), e.Size)
	}
	if err != nil {
		f.Close()
		return nil, &MissingBlobError{Path: e.Path, Err: err}
	}
	if now := time.Now(); now.Sub(fi.ModTime()) > usedEvery {
		_ = os.Chtimes(name, now, now) // for Sweep
	}
	return f, nil
}

// digest is over everything that makes two trees the same. Each field has its
// length before it, so that no name (one with a newline) can pass for another.
func digest(entries []Entry) string {
	h := sha256.New()
	io.WriteString(h, "stephost/source/1\n")
	var n [binary.MaxVarintLen64]byte
	field := func(s string) {
		h.Write(n[:binary.PutUvarint(n[:], uint64(len(s)))])
		io.WriteString(h, s)
	}
	for i := range entries {
		e := &entries[i]
		exec := byte('-')
		if e.Kind == File && e.Mode&0o100 != 0 {
			exec = 'x'
		}
		h.Write([]byte{byte(e.Kind), exec})
		field(e.Path)
		switch e.Kind {
		case File:
			h.Write(e.Hash[:])
		case Link:
			field(e.Target)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
