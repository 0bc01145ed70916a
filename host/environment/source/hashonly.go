package source

import (
	"context"
	"crypto/sha256"
	"io"
)

// Digest is the digest of the tree of roots. Nothing is created: files are
// hashed where they lie, or known from an earlier Add of the same roots. A file
// that changes meanwhile is a *ChangedError.
func (s *Store) Digest(ctx context.Context, roots []Root, o Options) (string, error) {
	t, err := Scan(ctx, roots, o)
	if err != nil {
		return "", err
	}
	known := s.loadHashes(t)
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Kind != File {
			continue
		}
		if sum, ok := known.lookup(e); ok {
			e.Hash = sum
			continue
		}
		if err := hashFile(ctx, e); err != nil {
			return "", err
		}
	}
	return digest(t.Entries), nil
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
