package runs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	list := []string{"CREATE TABLE meta (id INTEGER); CREATE TABLE a (x);", "CREATE TABLE b (y); INSERT INTO b VALUES (7);", "broken"}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	d, err := connect(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.close()) }()
	require.NoError(t, d.bringUp(t.Context(), list[:1]))
	require.NoError(t, d.bringUp(t.Context(), list[:1]), "nothing to do")
	require.NoError(t, d.bringUp(t.Context(), list[:2]))
	require.Error(t, d.bringUp(t.Context(), list), "one that fails")
	v, err := d.version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, v, "changes nothing")
	var y int
	require.NoError(t, d.row("SELECT y FROM b", nil, &y))
	assert.Equal(t, 7, y)
	var newer *NewerSchemaError
	require.ErrorAs(t, d.bringUp(t.Context(), list[:1]), &newer)
}

// The first schema is frozen: a store that it made opens with every later one.

func TestFirstSchema(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, databaseName)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	d, err := connect(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, d.bringUp(t.Context(), migrations()[:1]))
	script, err := os.ReadFile("testdata/schema1.sql")
	require.NoError(t, err)
	_, err = d.conn.ExecContext(t.Context(), string(script))
	require.NoError(t, err)
	require.NoError(t, d.close())

	s := openStore(t, dir, Options{})
	r, err := s.ByToken(t.Context(), "first")
	require.NoError(t, err)
	assert.Equal(t, Submitted, r.State)
	assert.Equal(t, "handle", string(r.Current().Handle))
	assert.Equal(t, "request", string(r.Current().Request))
	assert.Equal(t, CauseUser, r.Intent.Cause)
	assert.Equal(t, "eu", r.Pin.ScopeDisplay)
	events, err := s.Events(t.Context(), r.ID, 0)
	require.NoError(t, err)
	assert.Len(t, events, 1)
	c, err := s.Claim(t.Context(), r.ID, newOwner(t, s), ClaimOptions{})
	require.NoError(t, err)
	require.NoError(t, to(t, c, Ended))
}

// full is a run with every field set.
