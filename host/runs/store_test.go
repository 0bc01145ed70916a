package runs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenMakesAPrivateStore(t *testing.T) {
	s := newStore(t)
	_, _, err := s.Create(t.Context(), NewRun{Token: "a"})
	require.NoError(t, err)
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("no directory", func(t *testing.T) {
		_, err := Open(t.Context(), filepath.Join(t.TempDir(), "none"), Options{})
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("no database", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, databaseName), []byte("this is a text and nothing else, a long one at that, "+string(make([]byte, 200))), 0o600))
		_, err := Open(t.Context(), dir, Options{})
		var damaged *DamagedError
		require.ErrorAs(t, err, &damaged)
	})
	t.Run("emptied", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, databaseName), nil, 0o600))
		s := openStore(t, dir, Options{}) // as after a death within its making
		r, _, err := s.Create(t.Context(), NewRun{})
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(s.LogDir(r.ID), 0o700))
		info, err := os.Stat(s.path)
		require.NoError(t, err)
		assert.Positive(t, info.Size(), "a store that was begun is not empty")
		require.NoError(t, s.Close())

		require.NoError(t, os.Truncate(s.path, 0))
		_, err = Open(t.Context(), dir, Options{})
		var damaged *DamagedError
		require.ErrorAs(t, err, &damaged)
		assert.ErrorContains(t, err, "it is empty, but 1 directories with logs of runs lie beside it")
		assert.DirExists(t, s.LogDir(r.ID))
	})
	t.Run("newer schema", func(t *testing.T) {
		s := newStore(t)
		require.NoError(t, s.change(t.Context(), Durable, func(tx *database) error {
			_, err := tx.exec(fmt.Sprintf("PRAGMA user_version=%d", len(migrations())+1))
			return err
		}))
		_, err := Open(t.Context(), s.dir, Options{})
		var newer *NewerSchemaError
		require.ErrorAs(t, err, &newer)
		assert.Equal(t, len(migrations()), newer.Knows)
		assert.Contains(t, newer.Error(), "newer stephost")
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Open(ctx, t.TempDir(), Options{})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A name that means something in a URI is a name.

func TestOddDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a?b#c%20 d&mode=memory")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s := openStore(t, dir, Options{})
	_, _, err := s.Create(t.Context(), NewRun{Token: "x"})
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(dir, databaseName))
	require.NoError(t, err)
}

func TestSynchronous(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	for d, want := range map[Durability]int{Durable: 2, Relaxed: 1} { // FULL, NORMAL
		var mode string
		var level int
		err := c.Update(t.Context(), d, func(r *Run) ([]Event, error) {
			// In the transaction of this very update.
			return nil, errors.Join(s.writer.row("PRAGMA synchronous", nil, &level), s.writer.row("PRAGMA journal_mode", nil, &mode))
		})
		require.NoError(t, err)
		assert.Equal(t, want, level)
		assert.Equal(t, "wal", mode)
	}
	// What must be FULL is, whatever the caller says.
	syncs := func() (n int) {
		require.NoError(t, s.view(t.Context(), func(tx *database) error { return tx.row("SELECT syncs FROM meta", nil, &n) }))
		return n
	}
	require.NoError(t, to(t, c, Preparing, Prepared))
	before := syncs()
	for i, st := range []State{Submitting, Submitted, Ended} {
		require.NoError(t, to(t, c, st))
		assert.Equal(t, before+i+1, syncs(), st)
	}
	require.NoError(t, to(t, c, Drained))
	assert.Equal(t, before+3, syncs())
	// The intent, too.
	c = claimed(t, s, NewRun{})
	s.writer.full = true
	require.NoError(t, s.writer.setFull(false))
	_, err := s.RequestCancel(t.Context(), c.id, Intent{Cause: CauseUser})
	require.NoError(t, err)
	assert.True(t, s.writer.full)
}

func TestClosedStore(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Run(t.Context(), c.id)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, to(t, c, Preparing), ErrClosed)
}

// A read does not wait for a write transaction, nor a write for a reader.

func TestReadDuringWrite(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	err := c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		seen, err := s.Run(context.Background(), c.id)
		if err == nil && seen.State != Created {
			err = errors.New("sees what is not committed")
		}
		r.State = Preparing
		return nil, err
	})
	require.NoError(t, err)
	r, err := s.Run(t.Context(), c.id)
	require.NoError(t, err)
	assert.Equal(t, Preparing, r.State)
}

// A context ends the wait for another process's transaction.

func TestLockWaitEnds(t *testing.T) {
	s := newStore(t)
	other := openStore(t, s.dir, Options{})
	err := other.change(t.Context(), Relaxed, func(*database) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, _, err := s.Create(ctx, NewRun{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return nil
	})
	require.NoError(t, err)
	_, _, err = s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
}

// A panic in a caller's function leaves the store usable.

func TestPanicRollsBack(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	assert.Panics(t, func() {
		_ = c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) { r.State = Preparing; panic("x") })
	})
	assert.Equal(t, Created, c.Run().State)
	require.NoError(t, to(t, c, Preparing))
}
