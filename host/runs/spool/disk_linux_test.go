package spool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/smalldisk"
)

// smallDisk is a file system of a few MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	smalldisk.Mount(t, dir, "4m", 0)
	return dir
}

// The disk fills up, and gets room again: nothing fails, what is missing is
// marked with its size, everything else is there.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "log")
	now := time.Now()
	w := open(t, dir, Options{MinFree: -1, Now: func() time.Time { return now }})
	require.NoError(t, w.Append(stdout, lineRange(1, 10)))
	hog := filepath.Join(disk, "hog")
	fill(t, hog)

	n := 10
	for w.disk.reason == "" { // what is left in the last page
		require.NoError(t, w.Append(stdout, lineRange(n+1, n+100)))
		n += 100
	}
	stored := len(readAll(t, dir, ReadOptions{}))
	require.Less(t, stored, n)
	lost := int64(0)
	for _, e := range lineRange(stored+1, n) {
		lost += int64(len(e.Data))
	}
	require.NoError(t, w.Append(stderr, []Entry{{Data: []byte("to the other source\n"), Cursor: "e1"}}))
	require.NoError(t, w.End(stderr))
	require.NoError(t, w.Note("nor this"))
	require.NoError(t, w.Append(stdout, lineRange(n+1, n+1)))
	lost += int64(len(line(n + 1).Data))
	assert.Equal(t, fmt.Sprint(n+1), w.Cursors()[stdout.Key()])
	assert.Len(t, readAll(t, dir, ReadOptions{}), stored, "readers see what is there")

	require.NoError(t, os.Remove(hog))
	now = now.Add(2 * retryAfter)
	require.NoError(t, w.Append(stdout, lineRange(n+2, n+3)))
	want := append(numbered(1, stored),
		fmt.Sprintf("gap proven disk full %d", lost),
		"gap proven disk full 20", "end 1/0/0/main/stderr",
		"gap proven disk full 0")
	want = append(want, numbered(n+2, n+3)...)
	assert.Equal(t, want, readAll(t, dir, ReadOptions{}))
	require.NoError(t, w.Close())
	w = open(t, dir, Options{MinFree: -1})
	assert.Equal(t, fmt.Sprint(n+3), w.Cursors()[stdout.Key()])
	assert.Equal(t, "e1", w.Cursors()[stderr.Key()], "what was given up is not asked for again")
}

// A writer that dies on a full disk: its successor asks for what is missing.
func TestDeathOnAFullDisk(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "log")
	w := open(t, dir, Options{MinFree: -1})
	require.NoError(t, w.Append(stdout, lineRange(1, 10)))
	fill(t, filepath.Join(disk, "hog"))
	require.NoError(t, w.Append(stdout, lineRange(11, 10000)))
	require.NoError(t, w.Finish())
	stored := len(readAll(t, dir, ReadOptions{}))
	require.NoError(t, os.Remove(filepath.Join(disk, "hog")))
	w2 := open(t, dir, Options{MinFree: -1})
	assert.Equal(t, fmt.Sprint(stored), w2.Cursors()[stdout.Key()])
}

// The floor of free space holds before the disk is full; Close writes the marks
// as soon as it may.
func TestFloor(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "log")
	w := open(t, dir, Options{MinFree: 3 << 20})
	require.NoError(t, w.Append(stdout, lineRange(1, 10)))
	require.NoError(t, os.WriteFile(filepath.Join(disk, "hog"), make([]byte, 2<<20), 0o600))
	w.disk.sinceAsked = askEvery // as after much more output
	assert.Empty(t, w.Settle())
	require.NoError(t, w.Append(stdout, lineRange(11, 20)))
	require.NoError(t, w.Finish())
	assert.Contains(t, w.Settle(), "disk almost full")
	assert.Equal(t, numbered(1, 10), readAll(t, dir, ReadOptions{}))
	require.NoError(t, os.Remove(filepath.Join(disk, "hog")))
	require.NoError(t, w.Close())
	got := readAll(t, dir, ReadOptions{})
	require.Len(t, got, 12)
	assert.Contains(t, got[10], "gap proven disk almost full")
	assert.Equal(t, "finish", got[11])
}

// Marks that the disk did not take are written as soon as there is room, without the
// pause between two tries.
func TestSettle(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "log")
	w := open(t, dir, Options{MinFree: 3 << 20})
	hog := filepath.Join(disk, "hog")
	require.NoError(t, os.WriteFile(hog, make([]byte, 2<<20), 0o600))
	require.NoError(t, w.Append(stdout, lineRange(1, 10)))
	require.NoError(t, w.Finish())
	assert.Equal(t, "disk almost full (2 MiB free, 3 MiB are kept free)", w.Settle())
	r, err := w.NewReader(ReadOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	assert.Empty(t, drain(t, r))
	assert.False(t, r.Finished())
	require.NoError(t, os.Remove(hog))
	assert.Empty(t, w.Settle())
	got := drain(t, r)
	require.Len(t, got, 2)
	assert.Contains(t, got[0], "gap proven disk almost full")
	assert.True(t, r.Finished())
}

func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	for size := 1 << 20; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		err = nil
	}
	require.NoError(t, f.Close())
}

// limitedChild writes under a limit of file sizes (RLIMIT_FSIZE), which tears
// its writes at that byte.
func limitedChild(args []string) error {
	const limit = 10000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	now := time.Now()
	w, err := OpenWriter(args[0], Options{Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	for n := 1; n <= 1000; n += 10 {
		if err := w.Append(stdout, lineRange(n, n+9)); err != nil {
			return err
		}
	}
	fmt.Println(w.Cursors()[stdout.Key()])
	return w.Close()
}

func TestTornWrites(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, "limited", dir)
	out, err := cmd.Output()
	require.NoError(t, err, "%s", exitText(err))
	assert.Equal(t, "1000", strings.TrimSpace(string(out)))
	got := readAll(t, dir, ReadOptions{})
	require.Greater(t, len(got), 50)
	last := len(got) - 1
	var bytes, lost int64
	for _, e := range lineRange(last+1, 1000) {
		bytes += int64(len(e.Data))
	}
	_, err = fmt.Sscanf(got[last], "gap proven disk full %d", &lost)
	require.NoError(t, err, "where the torn frame was, there was room for the mark: %q", got[last])
	assert.Equal(t, numbered(1, last), got[:last], "whole frames only")
	assert.Equal(t, bytes, lost)
}

func exitText(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return fmt.Sprint(err)
}
