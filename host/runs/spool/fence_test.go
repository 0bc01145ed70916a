package spool

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unaware makes a writer believe that it has looked just now, as one that is stopped
// between its look and its write.
func unaware(t *testing.T, w *Writer) {
	t.Helper()
	info, err := os.Stat(w.dir)
	require.NoError(t, err)
	w.looked = info.ModTime()
}

// A writer that was stopped while another took its log over learns of it at its next
// write, and its readers show every line once.
func TestReplacedWriterLearnsOfIt(t *testing.T) {
	for _, tc := range []struct {
		name string
		// what the new writer does before the old one wakes up, and the old one's look.
		young func(t *testing.T, w *Writer)
		late  bool
	}{
		{"it has written nothing", func(*testing.T, *Writer) {}, false},
		{"it has written", func(t *testing.T, w *Writer) { require.NoError(t, w.Append(stdout, lineRange(4, 5))) }, false},
		{"its first segments are compressed", func(t *testing.T, w *Writer) {
			for n := 4; n < 1000; n++ {
				require.NoError(t, w.Append(stdout, lineRange(n, n)))
			}
			require.NoError(t, Compact(t.Context(), w.dir))
		}, false},
		{"the old one was stopped within its write", func(*testing.T, *Writer) {}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			old := open(t, dir, Options{Fence: 1, SegmentSize: minSegment})
			require.NoError(t, old.Append(stdout, lineRange(1, 3)))
			inside, err := old.NewReader(ReadOptions{Follow: true})
			require.NoError(t, err)
			outside, err := OpenReader(dir, ReadOptions{Follow: true})
			require.NoError(t, err)
			results := make(chan result)
			for _, r := range []*Reader{inside, outside} {
				go func() {
					n, err := follow(t.Context(), r)
					results <- result{n, err}
				}()
			}
			young := open(t, dir, Options{Fence: 2, SegmentSize: minSegment})
			tc.young(t, young)
			if tc.late {
				unaware(t, old)
				require.NoError(t, old.Append(stdout, lineRange(4, 5)))
				old.looked = time.Time{}
			}
			require.ErrorIs(t, old.Append(stdout, lineRange(4, 5)), ErrSuperseded)
			require.ErrorIs(t, old.Finish(), ErrSuperseded)
			assert.Empty(t, old.Settle())
			from := 1
			if c := young.Cursors()[stdout.Key()]; c != "" {
				n, err := strconv.Atoi(c)
				require.NoError(t, err)
				from = n + 1
			}
			require.NoError(t, young.Append(stdout, lineRange(from, 1100)))
			require.NoError(t, young.Finish())
			for range 2 {
				assert.Equal(t, result{n: 1100}, <-results)
			}
			require.NoError(t, inside.Close())
			require.NoError(t, outside.Close())
			assert.Equal(t, append(numbered(1, 1100), "finish"), readAll(t, dir, ReadOptions{}))
		})
	}
}

// A writer that had nothing to write yet learns of it too.
func TestReplacedBeforeTheFirstWrite(t *testing.T) {
	dir := t.TempDir()
	old := open(t, dir, Options{Fence: 1})
	young := open(t, dir, Options{Fence: 2})
	require.ErrorIs(t, old.Append(stdout, lineRange(1, 1)), ErrSuperseded)
	require.NoError(t, young.Append(stdout, lineRange(1, 1)))
	assert.Equal(t, numbered(1, 1), readAll(t, dir, ReadOptions{}))
}

// Claims that write nothing leave no segment each, and the next reader and writer
// find everything.
func TestIdleClaims(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	w := open(t, dir, Options{Fence: 1})
	require.NoError(t, w.Append(stdout, lineRange(1, 3)))
	for n := 1; n <= 3; n++ {
		_, err := r.Next(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	for fence := int64(2); fence < 20; fence++ {
		w = open(t, dir, Options{Fence: fence})
		assert.Equal(t, "3", w.Cursors()[stdout.Key()])
		require.NoError(t, w.Close())
		assert.Len(t, files(t, dir, segmentSuffix), 2, "fence %d", fence)
		got, err := Fence(dir)
		require.NoError(t, err)
		assert.Equal(t, fence, got)
	}
	w = open(t, dir, Options{Fence: 20, SegmentSize: minSegment})
	require.NoError(t, w.Append(stdout, lineRange(4, 500)))
	require.NoError(t, w.Finish())
	assert.Equal(t, append(numbered(4, 500), "finish"), drain(t, r))
	require.NoError(t, w.Close())
	require.NoError(t, Compact(t.Context(), dir))
	assert.Equal(t, append(numbered(1, 500), "finish"), readAll(t, dir, ReadOptions{}))
	none, err := Fence(t.TempDir())
	require.NoError(t, err)
	assert.Zero(t, none)
}
