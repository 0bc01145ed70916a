package runs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A database without room says so by its type, and goes on when there is room.
func TestDiskError(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	// What a page more would be answered with on a full disk.
	_, err := s.writer.exec("PRAGMA max_page_count=1")
	require.NoError(t, err)
	big := func(r *Run) ([]Event, error) {
		r.StateReason = string(make([]byte, 1<<20))
		return nil, nil
	}
	var disk *DiskError
	require.ErrorAs(t, c.Update(t.Context(), Durable, big), &disk)
	assert.Contains(t, disk.Error(), databaseName)
	assert.Empty(t, c.Run().StateReason, "nothing of it is stored")
	_, err = s.writer.exec("PRAGMA max_page_count=1000000000")
	require.NoError(t, err)
	require.NoError(t, c.Update(t.Context(), Durable, big))
}

// Many processes find a new home at once: whoever waits for the one that makes the
// database goes on as soon as it is there.
func TestOpenWhileAnotherCreates(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, databaseName)
	unlock, err := lockSchema(t.Context(), path, func() (bool, error) { return false, nil })
	require.NoError(t, err)
	defer unlock()
	opened := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang/2)
		defer cancel()
		s, err := Open(ctx, dir, Options{})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatal("there was nothing to open:", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, create(t.Context(), filepath.Join(other, databaseName)))
	require.NoError(t, os.Rename(filepath.Join(other, databaseName), path))
	require.NoError(t, <-opened)
}

// The database has its name only when it is whole, and nothing else is left.
func TestCreateAfterADeath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, databaseName)
	for _, suffix := range []string{".new", ".new-wal", ".new-shm"} {
		require.NoError(t, os.WriteFile(path+suffix, []byte("half"), 0o600))
	}
	require.NoError(t, create(t.Context(), path))
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{path, path + ".schema.lock"}, found)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm()&0o077)
	d, err := connect(t.Context(), path)
	require.NoError(t, err)
	have, err := d.version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, len(migrations()), have)
	var mode string
	require.NoError(t, d.row("PRAGMA journal_mode", nil, &mode))
	assert.Equal(t, "wal", mode)
	require.NoError(t, d.close())
}
