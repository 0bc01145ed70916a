package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeleteAndSweep(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{Token: "gone"})
	require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700))
	var open *NotClosedError
	require.ErrorAs(t, s.Delete(t.Context(), c.id), &open)
	require.NoError(t, to(t, c, Preparing, Prepared, Submitting, Submitted, Ended, Drained, Cleaned, Closed))
	require.NoError(t, s.Delete(t.Context(), c.id))
	var missing *NotFoundError
	require.ErrorAs(t, s.Delete(t.Context(), c.id), &missing)
	assert.NoDirExists(t, s.Dir(c.id))
	for _, table := range []string{"runs", "definitions", "attempts", "requests", "events"} {
		var n int
		require.NoError(t, s.view(t.Context(), func(tx *database) error { return tx.row("SELECT count(*) FROM "+table, nil, &n) }))
		assert.Zero(t, n, table)
	}
	var fenced *FencedError
	require.ErrorAs(t, to(t, c, Preparing), &fenced)
	assert.Contains(t, fenced.Error(), "deleted")
	require.NoError(t, c.Release(t.Context()))
	_, created, err := s.Create(t.Context(), NewRun{Token: "gone"})
	require.NoError(t, err)
	assert.True(t, created, "the token is free again")

	keep, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(s.LogDir(keep.ID), 0o700))
	require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700)) // a death within Delete
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir(c.id), deletedName), nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "mine"), 0o700))
	n, err := s.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.DirExists(t, s.LogDir(keep.ID))
	assert.DirExists(t, filepath.Join(s.dir, "mine"))
	assert.NoDirExists(t, s.Dir(c.id))
}

// A death between the commit of Delete and the removal leaves a mark, by which Sweep
// knows the directory.
func TestDeleteMarksFirst(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	require.NoError(t, to(t, c, Preparing, Ended, Drained, Cleaned, Closed))
	require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700))
	mark := filepath.Join(s.Dir(c.id), deletedName)
	_, err := s.deleteRecord(t.Context(), c.id)
	require.NoError(t, err)
	assert.FileExists(t, mark)
	n, err := s.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.NoDirExists(t, s.Dir(c.id))
}

// A store that was lost, or replaced by an older one, does not take the logs of the
// runs that it does not know with it.
func TestSweepKeepsWhatItDoesNotKnow(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	log := filepath.Join(s.LogDir(c.id), "00000001.seg")
	require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700))
	require.NoError(t, os.WriteFile(log, []byte("precious"), 0o600))
	require.NoError(t, s.Close())
	names, err := filepath.Glob(s.path + "*")
	require.NoError(t, err)
	for _, name := range names {
		require.NoError(t, os.Rename(name, filepath.Join(t.TempDir(), filepath.Base(name))))
	}

	moved := openStore(t, s.dir, Options{}) // moved aside by hand: a new one is made
	n, err := moved.Sweep(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.FileExists(t, log)
}

// Several prunes at once: each run is deleted once, none fails.

func TestConcurrentPrune(t *testing.T) {
	s := newStore(t)
	o := newOwner(t, s)
	args := []string{s.dir}
	const runs = 30
	for range runs {
		c, _, err := s.CreateClaimed(t.Context(), NewRun{}, o)
		require.NoError(t, err)
		require.NoError(t, to(t, c, Preparing, Ended, Drained, Cleaned, Closed))
		require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700))
		args = append(args, c.id)
	}
	var all []*child
	for range 4 {
		all = append(all, startChild(t, "delete", args...))
	}
	total := 0
	for _, c := range all {
		var n int
		_, err := fmt.Sscanf(c.line(), "deleted %d", &n)
		require.NoError(t, err)
		total += n
	}
	assert.Equal(t, runs, total)
	list, err := s.List(t.Context(), Filter{})
	require.NoError(t, err)
	assert.Empty(t, list)
}
