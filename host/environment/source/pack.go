package source

import (
	"context"
	"errors"
)

// packTries is how often a tree is scanned when files change meanwhile: an
// editor that saves is over by the second time, a log that is written never.
const packTries = 3

// Pack scans the roots and adds the tree to the store, again when a file
// changed in between. A file that goes on changing is a *ChangedError, a tree
// for which the disk has no room a *NoSpaceError.
func (s *Store) Pack(ctx context.Context, roots []Root, o Options) (*Tree, error) {
	var changed *ChangedError
	for try := 1; ; try++ {
		t, err := Scan(ctx, roots, o)
		if err != nil {
			return nil, err
		}
		err = s.add(ctx, t, o.CopyDir)
		if err == nil {
			return t, nil
		}
		if try == packTries || !errors.As(err, &changed) {
			return nil, err
		}
	}
}
