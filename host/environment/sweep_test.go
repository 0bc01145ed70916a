package environment_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/environment/internal/lock"
)

func TestSweep(t *testing.T) {
	cache := t.TempDir()
	old := time.Now().Add(-48 * time.Hour)
	aged := func(name string) string {
		path := put(t, cache, name, "12345")
		require.NoError(t, os.Chtimes(path, old, old))
		return path
	}
	gone := []string{
		aged("source/blobs/aa/bb"), aged("source/hashes/h"), aged("source/tmp/blob-1"),
		aged("venvs/old/.stephost-complete"), aged("venvs/killed.tmp-1/pip.log"),
		aged("packages/trees/old/a.py"),
		aged("images/blobs/b"), aged("images/tmp/t"), aged("images/partial/p"),
	}
	kept := []string{
		put(t, cache, "source/blobs/aa/new", "12345"), put(t, cache, "source/tmp/blob-2", "12345"),
		put(t, cache, "venvs/new/.stephost-complete", "12345"), aged("venvs/new/python"),
		aged("venvs/built/python"),
		put(t, cache, "packages/trees/new/a.py", "12345"), aged("packages/requests/r.json"),
		put(t, cache, "images/blobs/new", "12345"), aged("images/layers/record"),
		aged("manifests/m.hcl"),
	}
	// Directories without a stamp have their own time.
	for _, dir := range []string{"venvs/killed.tmp-1", "venvs/built", "packages/trees/old"} {
		require.NoError(t, os.Chtimes(filepath.Join(cache, dir), old, old))
	}
	l := lock.Try(filepath.Join(cache, "venvs", "built.lock"))
	require.NotNil(t, l)
	defer l.Release()

	before := time.Now().Add(-time.Hour)
	bytes := int64(5 * len(gone))
	assert.Equal(t, bytes, environment.Sweep(cache, before, true))
	for _, path := range append(gone, kept...) {
		assert.FileExists(t, path)
	}
	assert.Equal(t, bytes, environment.Sweep(cache, before, false))
	for _, path := range gone {
		assert.NoFileExists(t, path)
	}
	for _, path := range kept {
		assert.FileExists(t, path)
	}
	assert.Zero(t, environment.Sweep(cache, before, false))
	assert.Zero(t, environment.Sweep(filepath.Join(cache, "none"), before, false))
	environment.Sweep(cache, time.Now().Add(time.Second), false)
	assert.FileExists(t, filepath.Join(cache, "images", "blobs", "new"), "a build without a run may use it")
}

// A copy keeps the blobs that it was made from.
func TestSweepKeepsWhatIsUsed(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	put(t, src, "a.py", "print()")
	prepare := func(work string) {
		_, err := environment.PrepareDirectory(t.Context(), environment.DirectoryRequest{WorkDir: filepath.Join(dir, work),
			CacheDir: filepath.Join(dir, "cache"), Sources: []environment.Source{{Path: src}}})
		require.NoError(t, err)
	}
	prepare("one")
	blobs, err := filepath.Glob(filepath.Join(dir, "cache", "source", "blobs", "*", "*"))
	require.NoError(t, err)
	require.Len(t, blobs, 1)
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(blobs[0], old, old))
	prepare("two")
	environment.Sweep(filepath.Join(dir, "cache"), time.Now().Add(-time.Hour), false)
	assert.FileExists(t, blobs[0])
	environment.Sweep(filepath.Join(dir, "cache"), time.Now().Add(time.Hour), false)
	assert.NoFileExists(t, blobs[0])
	prepare("three")
}
