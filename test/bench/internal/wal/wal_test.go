package wal

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

func TestCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(q string) {
		t.Helper()
		_, err := db.Exec(q)
		require.NoError(t, err)
	}
	exec("PRAGMA journal_mode=WAL")
	exec("CREATE TABLE t (x)")
	before, err := Read(path + "-wal")
	require.NoError(t, err)
	for range 5 {
		exec("INSERT INTO t VALUES (1)")
	}
	exec("BEGIN; INSERT INTO t VALUES (randomblob(20000)); COMMIT")
	after, err := Read(path + "-wal")
	require.NoError(t, err)
	got := after.Minus(before)
	assert.Equal(t, 6, got.Commits)
	assert.Greater(t, got.Frames, 6)
	assert.Greater(t, got.Bytes, int64(20000))

	// What is left behind a reset does not count.
	exec("PRAGMA wal_checkpoint(RESTART)")
	exec("INSERT INTO t VALUES (1)")
	after, err = Read(path + "-wal")
	require.NoError(t, err)
	assert.Equal(t, 1, after.Commits)
}

func TestNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wal")
	c, err := Read(path)
	require.NoError(t, err)
	assert.Zero(t, c)
	require.NoError(t, os.WriteFile(path, make([]byte, 100), 0o600))
	_, err = Read(path)
	require.Error(t, err)
}
