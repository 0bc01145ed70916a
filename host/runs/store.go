package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// databaseName is the file in the runs directory; SQLite keeps two more beside
// it.
const databaseName = "runs.db"

// Options change how a store is opened.
type Options struct {
	// UnsafeStore opens a store on a network file system. Locks and
	// write-ahead logging may fail there without a word; owners of another
	// start of the machine are then never declared dead.
	UnsafeStore bool
	// Owners is the directory of the owners' lock files; "" means "owners"
	// beside the store's directory, as in package home.
	Owners string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is the database of runs in one directory. It is safe for concurrent
// use, by goroutines and by processes.
type Store struct {
	dir, path, owners string
	unsafe            bool
	now               func() time.Time
	me                func() OwnerInfo // self, asked once

	// The writing connection serves reads too while nobody writes, so that a
	// short command opens one. Each semaphore guards the field below it.
	writing chan struct{}
	writer  *database
	reading chan struct{}
	reader  *database

	closeOnce sync.Once
	closed    chan struct{}
}

// ErrClosed says that the Store has been closed.
var ErrClosed = errors.New("the store of runs is closed")

// Open opens the store in dir, which must exist; the database in it is made
// when missing and migrated when an older stephost wrote it. It refuses a
// network file system (*NetworkStoreError), a newer schema (*NewerSchemaError)
// and what is no database, or an empty one that was more (*DamagedError). The
// context bounds the opening.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the store's directory: %w", err)
	}
	if !o.UnsafeStore {
		if err := refuseNetwork(dir); err != nil {
			return nil, err
		}
	}
	s := &Store{
		dir: dir, path: filepath.Join(dir, databaseName), owners: o.Owners, unsafe: o.UnsafeStore, now: o.Now,
		me:      sync.OnceValue(self),
		writing: make(chan struct{}, 1), reading: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if s.owners == "" {
		s.owners = filepath.Join(filepath.Dir(dir), "owners")
	}
	if s.now == nil {
		s.now = time.Now
	}
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = create(ctx, s.path)
	case err != nil:
		err = fmt.Errorf("the store of runs: %w", err)
	case info.Size() == 0:
		err = s.refuseEmptied(ctx)
	}
	if err != nil {
		return nil, err
	}
	if s.writer, err = openCurrent(ctx, s.path); err != nil {
		return nil, err
	}
	return s, nil
}

// emptyMost is how long an empty database beside directories of runs may be one that
// another process just makes.
const emptyMost = time.Second

// refuseEmptied refuses an empty database beside directories of runs: those are made
// behind records only, so it has lost them. A person who moves it aside knows what
// is lost; a new one that came by itself would say that there never was anything.
func (s *Store) refuseEmptied(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("the store of runs: %w", err)
	}
	left := 0
	for _, e := range entries {
		if isRun(e) {
			left++
		}
	}
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(emptyMost); left > 0; {
		if info, err := os.Stat(s.path); err != nil || info.Size() > 0 {
			return nil // whatever it is now, opening it will tell
		}
		if time.Now().After(deadline) {
			return &DamagedError{Path: s.path, Err: fmt.Errorf("it is empty, but %d directories with logs of runs lie beside it", left)}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// isRun tells whether an entry of the store's directory is the directory of a run.
func isRun(e fs.DirEntry) bool {
	_, err := ulid.ParseStrict(e.Name())
	return err == nil && e.IsDir()
}

// Close closes the store. Calls that are under way end first; later ones
// return ErrClosed.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closed)
		s.writing <- struct{}{}
		s.reading <- struct{}{}
		err = s.writer.close()
		if s.reader != nil {
			err = errors.Join(err, s.reader.close())
		}
	})
	return err
}

// Dir is the directory of a run's own files. It is removed with the run.
func (s *Store) Dir(id string) string { return filepath.Join(s.dir, id) }

// LogDir is where the run's log lies (package spool).
func (s *Store) LogDir(id string) string { return filepath.Join(s.dir, id, "log") }

// Owned is the runs that an owner owns, by ID.
func (s *Store) Owned(ctx context.Context, ownerID string) (map[string]bool, error) {
	owned := map[string]bool{}
	err := s.view(ctx, func(tx *database) error {
		return tx.rows(`SELECT id FROM runs WHERE owner = ? AND owner <> ''`, []any{ownerID}, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			owned[id] = true
			return err
		})
	})
	return owned, err
}

// instant is now, as it will be read back.
func (s *Store) instant() time.Time { return s.now().UTC().Round(0) }

// acquire takes a semaphore, or says why not.
func (s *Store) acquire(ctx context.Context, sem chan struct{}) error {
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	select {
	case sem <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	}
	select {
	case <-s.closed: // closed while both were ready
		<-sem
		return ErrClosed
	default:
		return nil
	}
}

// change runs fn in one write transaction. Only waiting for the lock heeds the
// context: once begun, a transaction is short and ends by its own.
func (s *Store) change(ctx context.Context, d Durability, fn func(tx *database) error) error {
	if err := s.acquire(ctx, s.writing); err != nil {
		return err
	}
	defer func() { <-s.writing }()
	return s.writer.transact(ctx, d == Durable, fn)
}

// view runs fn in one read transaction. It waits for no writer.
func (s *Store) view(ctx context.Context, fn func(tx *database) error) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
		select {
		case <-s.closed:
			return ErrClosed
		default:
		}
		return s.writer.snapshot(ctx, fn)
	default:
	}
	if err := s.acquire(ctx, s.reading); err != nil {
		return err
	}
	defer func() { <-s.reading }()
	if s.reader == nil {
		db, err := openCurrent(ctx, s.path)
		if err != nil {
			return err
		}
		s.reader = db
	}
	return s.reader.snapshot(ctx, fn)
}
