package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Digest is the digest of the tree of roots. Nothing is created: files are
// hashed where they lie, or known from an earlier Add or Hash of the same roots.
// A file that changes meanwhile is a *ChangedError.
func (s *Store) Digest(ctx context.Context, roots []Root, o Options) (string, error) {
	t, err := Scan(ctx, roots, o)
	if err != nil {
		return "", err
	}
	if err := s.hash(ctx, t, s.loadHashes(t)); err != nil {
		return "", err
	}
	return t.Digest, nil
}

// Hash scans the roots and hashes their files where they lie, again when a file
// changed in between; Entry.OpenOrigin then reads them. No content is kept: who makes one
// archive of a tree needs no copy of each file, and the sync that each copy costs.
func (s *Store) Hash(ctx context.Context, roots []Root, o Options) (*Tree, error) {
	var changed *ChangedError
	for try := 1; ; try++ {
		t, err := Scan(ctx, roots, o)
		if err != nil {
			return nil, err
		}
		known := s.loadHashes(t)
		err = s.hash(ctx, t, known)
		if err == nil {
			s.saveHashes(t, known)
			return t, nil
		}
		if try == packTries || !errors.As(err, &changed) {
			return nil, err
		}
	}
}

// hash sets every Hash and the Digest of a tree.
func (s *Store) hash(ctx context.Context, t *Tree, known *hashes) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0)) // readers that wait for the disk
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Kind != File {
			continue
		}
		if sum, ok := known.lookup(e); ok {
			e.Hash = sum
			continue
		}
		if all.Err() != nil {
			break
		}
		g.Go(func() error { return hashFile(all, e) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.Digest = digest(t.Entries)
	return nil
}

func hashFile(ctx context.Context, e *Entry) error {
	f, err := openEntry(e)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, &contextReader{ctx, io.LimitReader(f, e.Size+1)})
	if err != nil {
		return err
	}
	if n != e.Size {
		return &ChangedError{Path: e.origin}
	}
	sum.Sum(e.Hash[:0])
	return unchanged(f, e)
}

// OpenOrigin opens a file of a tree where it lies. What is read is the content
// that was hashed, or ends in a *ChangedError.
func (e *Entry) OpenOrigin() (io.ReadCloser, error) {
	f, err := openEntry(e)
	if err != nil {
		return nil, err
	}
	return &originReader{f: f, e: e, sum: sha256.New()}, nil
}

type originReader struct {
	f    *os.File
	e    *Entry
	sum  hash.Hash
	read int64
}

func (r *originReader) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	r.sum.Write(p[:n])
	r.read += int64(n)
	if r.read > r.e.Size || err == io.EOF && (r.read != r.e.Size || [sha256.Size]byte(r.sum.Sum(nil)) != r.e.Hash) {
		return 0, &ChangedError{Path: r.e.origin}
	}
	return n, err
}

func (r *originReader) Close() error { return r.f.Close() }
