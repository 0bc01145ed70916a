//go:build unix

package lab

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	l := &Lab{Dir: t.TempDir()}
	r, err := l.Run(t.Context(), Command{Argv: []string{"sh", "-c", "echo oops >&2"}})
	require.NoError(t, err)
	assert.Equal(t, "oops\n", r.Stderr)
	assert.Positive(t, r.Wall)

	var out []byte
	_, err = l.Run(t.Context(), Command{Argv: []string{"sh", "-c", `echo "$A" in "$(basename "$PWD")"`}, Env: []string{"A=1", "PATH=" + os.Getenv("PATH")}, Dir: l.Dir,
		Read: func(r io.Reader) (err error) { out, err = io.ReadAll(r); return err }})
	require.NoError(t, err)
	assert.Equal(t, "1 in "+filepath.Base(l.Dir)+"\n", string(out))

	_, err = l.Run(t.Context(), Command{Argv: []string{"sh", "-c", "echo why >&2; exit 3"}})
	require.ErrorContains(t, err, "why")

	// A reader that gives up does not leave the process blocked.
	_, err = l.Run(t.Context(), Command{Argv: []string{"sh", "-c", "head -c 1000000 /dev/zero"},
		Read: func(io.Reader) error { return errors.New("enough") }})
	require.ErrorContains(t, err, "enough")
	left, err := os.ReadDir(l.Dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a"), filepath.Join(dir, "bin", "a")
	require.NoError(t, os.WriteFile(from, []byte("#!/bin/sh\n"), 0o600))
	require.NoError(t, install(from, to))
	info, err := os.Stat(to)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.Error(t, install(filepath.Join(dir, "missing"), to))
}
