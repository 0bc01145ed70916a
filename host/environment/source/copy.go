package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// CopyTo writes the tree into dir, which exists and is empty. The copies share
// nothing that a writer could reach (where the file system can, they share
// blocks until written to: io.Copy uses copy_file_range). The tree was added to
// this store. After an error, dir holds a part.
func (s *Store) CopyTo(ctx context.Context, t *Tree, dir string) error {
	for i := range t.Entries { // sorted: parents come first
		if e := &t.Entries[i]; e.Kind == Dir {
			if err := mkdir(place(dir, e), e); err != nil {
				return err
			}
		}
	}
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i := range t.Entries {
		if all.Err() != nil {
			break
		}
		if e := &t.Entries[i]; e.Kind == File {
			g.Go(func() error { return s.copyFile(e, place(dir, e)) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Links come last: while files are written, no path leads through one.
	for i := range t.Entries {
		if e := &t.Entries[i]; e.Kind == Link {
			if err := os.Symlink(filepath.FromSlash(e.Target), place(dir, e)); err != nil {
				return err
			}
		}
	}
	return nil
}

func place(dir string, e *Entry) string { return filepath.Join(dir, filepath.FromSlash(e.Path)) }

// mkdir gives the mode of the entry, whatever the umask is.
func mkdir(name string, e *Entry) error {
	if err := os.Mkdir(name, e.Mode); err != nil {
		return err
	}
	return os.Chmod(name, e.Mode)
}

func (s *Store) copyFile(e *Entry, name string) (err error) {
	from, err := s.Open(e)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, e.Mode)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := to.Close(); err == nil {
			err = cerr
		}
	}()
	if runtime.GOOS != "windows" {
		if err := to.Chmod(e.Mode); err != nil {
			return err
		}
	}
	n, err := io.Copy(to, from)
	if err != nil {
		return err
	}
	if n != e.Size {
		return &MissingBlobError{Path: e.Path, Err: fmt.Errorf("%d bytes instead of %d", n, e.Size)}
	}
	return nil
}
