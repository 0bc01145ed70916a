package spool

import (
	"bufio"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// A death at any byte: what was whole before it is there, the torn frame is
// not, and the log goes on.
func TestTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{})
	require.NoError(t, w.Append(stdout, lineRange(1, 4)))
	require.NoError(t, w.Append(stdout, lineRange(5, 6)))
	require.NoError(t, w.Close())
	whole, err := os.ReadFile(segmentPath(dir, 1))
	require.NoError(t, err)

	for size := range len(whole) + 1 {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(segmentPath(dir, 1), whole[:size], 0o600))
		before := readAll(t, dir, ReadOptions{})
		require.Equal(t, numbered(1, len(before)), append([]string(nil), before...), "size %d", size)

		w, err := OpenWriter(dir, Options{})
		require.NoError(t, err)
		n := 0
		if c := w.Cursors()[stdout.Key()]; c != "" {
			n, err = strconv.Atoi(c)
			require.NoError(t, err)
		}
		require.Len(t, before, n, "size %d: cursor and bytes agree", size)
		require.NoError(t, w.Append(stdout, lineRange(n+1, 8)))
		require.NoError(t, w.Close())
		require.Equal(t, numbered(1, 8), readAll(t, dir, ReadOptions{}), "size %d", size)
	}
}

// A power cut can leave zeros or old blocks where the end of the file was.
func TestGarbageBehindTheEnd(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"zeros": make([]byte, 5000), "ones": {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7}, "text": []byte("hello, this is no frame at all"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, dir, Options{})
			require.NoError(t, w.Append(stdout, lineRange(1, 3)))
			require.NoError(t, w.Close())
			f, err := os.OpenFile(segmentPath(dir, 1), os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.Write(garbage)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			assert.Equal(t, numbered(1, 3), readAll(t, dir, ReadOptions{}))
			w = open(t, dir, Options{})
			require.NoError(t, w.Append(stdout, lineRange(4, 5)))
			assert.Equal(t, numbered(1, 5), readAll(t, dir, ReadOptions{}))
		})
	}
}

// Writers that are killed at random moments: every acknowledged line is there,
// in order, once; each goes on where the one before stood.
func TestKilledWriters(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	dir := t.TempDir()
	acked := 0
	for range rounds {
		cmd := command(t, "write", dir, strconv.Itoa(minSegment<<rnd.IntN(5)))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		stopAt := acked + 1 + rnd.IntN(20000)
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			require.NoError(t, err, lines.Text())
			require.GreaterOrEqual(t, n, acked, "a new writer starts behind the acknowledged")
			acked = n
			if acked >= stopAt {
				require.NoError(t, cmd.Process.Kill())
				break
			}
		}
		for lines.Scan() { // acknowledged between our look and its death
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked = n
			}
		}
		_ = cmd.Wait()
	}
	got := readAll(t, dir, ReadOptions{})
	require.GreaterOrEqual(t, len(got), acked)
	require.Equal(t, numbered(1, len(got)), got)
	assert.NotEmpty(t, files(t, dir, zstdSuffix), "closed segments were compressed")
	require.NoError(t, Compact(t.Context(), dir))
	require.Equal(t, numbered(1, len(got)), readAll(t, dir, ReadOptions{}))
	l, err := readLayout(dir, map[uint64]*header{})
	require.NoError(t, err)
	for i, k := range l.links { // besides, there may be one that got no header
		assert.Equal(t, i+1 < len(l.links), k.zstd, "only the last one is left as it was")
	}
}

// A replaced writer that was stopped between its look and its write writes into the
// void.
func TestReplacedWriter(t *testing.T) {
	dir := t.TempDir()
	old := open(t, dir, Options{Fence: 1, SegmentSize: minSegment})
	require.NoError(t, old.Append(stdout, lineRange(1, 3)))
	young := open(t, dir, Options{Fence: 2, SegmentSize: minSegment})
	assert.Equal(t, "3", young.Cursors()[stdout.Key()])
	unaware(t, old)
	require.NoError(t, old.Append(stdout, lineRange(4, 5)), "it cannot know")
	require.NoError(t, young.Append(stdout, lineRange(4, 6)))
	unaware(t, old)
	require.NoError(t, old.Append(stdout, lineRange(6, 9)))
	assert.Equal(t, numbered(1, 6), readAll(t, dir, ReadOptions{}))
	require.ErrorIs(t, old.Append(stdout, lineRange(10, 500)), nil)
	unaware(t, old)
	require.ErrorIs(t, old.Append(stdout, lineRange(501, 501)), ErrSuperseded, "its next segment is taken")
	require.ErrorIs(t, old.Note("x"), ErrSuperseded)
	_, err := OpenWriter(dir, Options{Fence: 1})
	require.ErrorIs(t, err, ErrSuperseded)
	assert.Equal(t, numbered(1, 6), readAll(t, dir, ReadOptions{}))
}

// The replaced writer makes its next segment before the new one has made its own.
func TestReplacedWriterIsFaster(t *testing.T) {
	dir := t.TempDir()
	old := open(t, dir, Options{Fence: firstFence - 1, SegmentSize: minSegment})
	require.NoError(t, old.Append(stdout, lineRange(1, 500)))
	young := open(t, dir, Options{Fence: firstFence}) // makes none by itself
	assert.Equal(t, "500", young.Cursors()[stdout.Key()])
	require.NoError(t, old.Append(stdout, lineRange(501, 510)))
	require.NoError(t, young.Append(stdout, lineRange(501, 503)))
	assert.Equal(t, numbered(1, 503), readAll(t, dir, ReadOptions{}))
	w := open(t, dir, Options{Fence: firstFence + 1})
	assert.Equal(t, "503", w.Cursors()[stdout.Key()])
	require.NoError(t, w.Append(stdout, lineRange(504, 504)))
	assert.Equal(t, numbered(1, 504), readAll(t, dir, ReadOptions{}))
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := appendFrame(nil, frameHeader, 0, 1, 0, "", `{"v":2,"seq":1}`)
	require.NoError(t, os.WriteFile(segmentPath(dir, 1), b, 0o600))
	var v *VersionError
	_, err := OpenWriter(dir, Options{})
	require.ErrorAs(t, err, &v)
	_, err = OpenReader(dir, ReadOptions{})
	require.ErrorAs(t, err, &v)
}

func TestDamageShowsAsGap(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{SegmentSize: minSegment})
	require.NoError(t, w.Append(stdout, lineRange(1, 100)))
	require.NoError(t, w.Append(stdout, lineRange(101, 101)))
	require.NoError(t, w.Close())
	_ = os.Remove(zstdPath(dir, 1)) // it may have been quick
	if _, err := os.Stat(segmentPath(dir, 1)); err != nil {
		got := readAll(t, dir, ReadOptions{})
		assert.Equal(t, []string{"gap possible segment 1 of the log is missing 0", "line 101"}, got)
		return
	}
	f, err := os.OpenFile(segmentPath(dir, 1), os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("XX"), info.Size()/2)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	got := readAll(t, dir, ReadOptions{})
	assert.Contains(t, got[len(got)-2], "gap possible a part of the log is damaged")
	assert.Equal(t, "line 101", got[len(got)-1])
	require.NoError(t, os.Remove(segmentPath(dir, 1)))
	assert.Equal(t, []string{"gap possible segment 1 of the log is missing 0", "line 101"}, readAll(t, dir, ReadOptions{}))
}

// The note of what was dropped is damaged: the log is read and written on, and what
// is missing shows as a possible gap.
func TestDamagedNoteOfDropped(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{SegmentSize: minSegment})
	w.keep.failed = true // nothing is compressed
	for n := 1; n <= 600; n++ {
		require.NoError(t, w.Append(stdout, lineRange(n, n)))
	}
	require.NoError(t, w.Close())
	note := filepath.Join(dir, droppedName)
	for _, damage := range []string{"", `{"from":`, "null", "[]"} {
		require.NoError(t, os.WriteFile(note, []byte(damage), 0o600))
		assert.Equal(t, numbered(1, 600), readAll(t, dir, ReadOptions{}), "nothing is missing with %q", damage)
		require.NoError(t, open(t, dir, Options{}).Close())
	}
	require.NoError(t, os.Remove(segmentPath(dir, 3)))
	got := readAll(t, dir, ReadOptions{})
	assert.Equal(t, "line 1", got[0])
	assert.Contains(t, got, "gap possible segment 3 of the log is missing 0")
	assert.Equal(t, "line 600", got[len(got)-1])
	assert.Equal(t, numbered(1, 10), got[:10])
	w = open(t, dir, Options{Fence: 2})
	assert.Equal(t, "600", w.Cursors()[stdout.Key()])
	require.NoError(t, w.Append(stdout, lineRange(601, 601)))
	require.NoError(t, w.Close())
	require.NoError(t, Compact(t.Context(), dir))
	require.NoError(t, os.Mkdir(note+".d", 0o700))
	require.NoError(t, os.Remove(note))
	require.NoError(t, os.Rename(note+".d", note)) // what cannot be read at all
	again := readAll(t, dir, ReadOptions{})
	assert.Equal(t, append(got, "line 601"), again)
}

// Deaths around compression leave both files, or a part of a copy.
func TestDeathWhileCompressing(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{SegmentSize: 1 << 20})
	w.keep.failed = true // by hand below
	for n := 1; n <= 60000; n += 100 {
		require.NoError(t, w.Append(stdout, lineRange(n, n+99)))
	}
	require.NoError(t, w.Close())
	both := copyDir(t, dir)
	require.NoError(t, Compact(t.Context(), dir))
	for _, name := range files(t, dir, zstdSuffix) {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(both, filepath.Base(name)), b, 0o600))
	}
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.WriteFile(filepath.Join(both, ".tmp-123"), []byte("torn"), 0o600))
	require.NoError(t, os.Chtimes(filepath.Join(both, ".tmp-123"), old, old))
	require.NoError(t, os.WriteFile(filepath.Join(both, ".tmp-456"), []byte("at work"), 0o600))
	assert.Equal(t, numbered(1, 60000), readAll(t, dir, ReadOptions{}))
	assert.Equal(t, numbered(1, 60000), readAll(t, both, ReadOptions{}))
	require.NoError(t, Compact(t.Context(), both))
	w = open(t, both, Options{})
	assert.Equal(t, "60000", w.Cursors()[stdout.Key()])
	assert.Len(t, files(t, both, segmentSuffix), 1, "no twins")
	left, err := filepath.Glob(filepath.Join(both, ".tmp-*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(both, ".tmp-456")}, left, "a dead compressor's copy is removed, a living one's is not")
}

// Prunes beside a writer and a reader.
func TestConcurrentCompact(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{SegmentSize: 32 << 10})
	r, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					assert.NoError(t, Compact(t.Context(), dir))
				}
			}
		})
	}
	for n := 1; n <= 10000; n += 10 {
		require.NoError(t, w.Append(stdout, lineRange(n, n+9)))
	}
	require.NoError(t, w.Finish())
	assert.Equal(t, append(numbered(1, 10000), "finish"), drain(t, r))
	close(stop)
	wg.Wait()
	assert.Equal(t, append(numbered(1, 10000), "finish"), readAll(t, dir, ReadOptions{}))
}
