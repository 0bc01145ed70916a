package source_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
)

func TestSeveralRoots(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"app/main.py": "1", "lib/util.py": "2", "lib/deep/x": "3", "one.txt": "4"})
	at := func(p string) string { return filepath.Join(dir, p) }

	tree, err := source.Scan(t.Context(), []source.Root{{Path: at("app")}, {Path: at("lib"), Target: "shared/lib"}, {Path: at("one.txt"), Target: "shared"}}, source.Options{})
	require.NoError(t, err)
	var all []string
	for _, e := range tree.Entries {
		all = append(all, string(e.Kind)+" "+e.Path)
	}
	assert.Equal(t, []string{"f main.py", "d shared", "d shared/lib", "d shared/lib/deep", "f shared/lib/deep/x", "f shared/lib/util.py", "f shared/one.txt"}, all)
	assert.Equal(t, 4, tree.Files)
	assert.EqualValues(t, 4, tree.Bytes)

	_, err = source.Scan(t.Context(), []source.Root{{Path: at("app")}, {Path: at("app")}}, source.Options{})
	var clash *source.ClashError
	require.ErrorAs(t, err, &clash)
	assert.Equal(t, "main.py", clash.Path)
}

func TestTargetsStayInside(t *testing.T) {
	dir := t.TempDir()
	for _, target := range []string{"..", "../x", "/abs", "a/../../b", `a\b`, "a\x00b"} {
		_, err := source.Scan(t.Context(), []source.Root{{Path: dir, Target: target}}, source.Options{})
		var refused *source.TargetError
		assert.ErrorAs(t, err, &refused, "%q", target)
	}
	for _, target := range []string{"", ".", "a/b", "a/../b", "..a"} {
		_, err := source.Scan(t.Context(), []source.Root{{Path: dir, Target: target}}, source.Options{})
		assert.NoError(t, err, "%q", target)
	}
}

func TestTargetThroughALinkOfAnotherRoot(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/real/x": "", "b/y": ""})
	require.NoError(t, os.Symlink("real", filepath.Join(dir, "a", "lib")))
	_, err := source.Scan(t.Context(), []source.Root{{Path: filepath.Join(dir, "a")}, {Path: filepath.Join(dir, "b"), Target: "lib"}}, source.Options{})
	var clash *source.ClashError
	assert.ErrorAs(t, err, &clash)
}

func TestNeverCopy(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"home/runs/1": "", "a": ""})
	tree, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{NeverCopy: []string{filepath.Join(dir, "home"), filepath.Join(dir, "none")}})
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, files(tree))
}

func TestSizeLimitReadsNoContents(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"train.py": "x", "data/a/1": "", "data/b/2": "", "model.bin": ""})
	// Sparse files: a scan that read them would take seconds, and a copy the disk.
	for name, size := range map[string]int64{"data/a/1": 40 << 30, "data/b/2": 30 << 30, "model.bin": 10 << 30} {
		require.NoError(t, os.Truncate(filepath.Join(dir, name), size))
	}
	_, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{})
	var large *source.TooLargeError
	require.ErrorAs(t, err, &large)
	assert.EqualValues(t, 80<<30+1, large.Bytes)
	assert.Equal(t, []source.Size{{Path: "data", Bytes: 70 << 30}, {Path: "model.bin", Bytes: 10 << 30}, {Path: "train.py", Bytes: 1}}, large.Biggest)

	tree, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{AllowLarge: true})
	require.NoError(t, err)
	assert.EqualValues(t, 80<<30+1, tree.Bytes)
	_, err = source.Scan(t.Context(), []source.Root{{Path: dir, Exclude: []string{"data", "*.bin"}}}, source.Options{})
	assert.NoError(t, err, "what is left out does not count")
}

func TestBiggestNamesTheTellingPath(t *testing.T) {
	tree := &source.Tree{}
	add := func(path string, size int64) {
		tree.Entries = append(tree.Entries, source.Entry{Path: path, Kind: source.File, Size: size})
	}
	for i := range 1000 {
		add(fmt.Sprintf("a/b/frames/%d.png", i), 100)
	}
	add("a/notes", 1)
	for i := range 20 {
		add(fmt.Sprintf("f%02d", i), int64(20-i))
	}
	got := tree.Biggest()
	require.Len(t, got, 10)
	assert.Equal(t, source.Size{Path: "a/b/frames", Bytes: 100_000}, got[0])
	assert.Equal(t, "f00", got[1].Path)
}

func TestScanEndsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := source.Scan(ctx, []source.Root{{Path: t.TempDir()}}, source.Options{})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestMissingRoot(t *testing.T) {
	_, err := source.Scan(t.Context(), []source.Root{{Path: filepath.Join(t.TempDir(), "none")}}, source.Options{})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{-1: "0 B", 0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3 << 29: "1.5 GiB", 1 << 62: "4096.0 PiB"} {
		assert.Equal(t, want, source.FormatBytes(n))
	}
}
