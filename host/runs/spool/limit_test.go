package spool

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noise is a line that does not compress.
func noise(rnd *rand.Rand, n int) Entry {
	b := make([]byte, 0, 220)
	b = fmt.Appendf(b, "%d ", n)
	for range 100 {
		b = append(b, "0123456789abcdefghijklmnopqrstuvwxyz"[rnd.IntN(36)])
	}
	return Entry{Data: append(b, '\n'), Cursor: strconv.Itoa(n)}
}

// A flood far above the limit: head and tail are there, the hole between them
// is marked with its size, and the disk holds no more than the limit, across
// several writers.
func TestLimit(t *testing.T) {
	const limit = 256 << 10
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	total, n := int64(0), 0
	for range 3 {
		w := open(t, dir, Options{Limit: limit})
		for range 8000 {
			n++
			e := noise(rnd, n)
			total += int64(len(e.Data))
			require.NoError(t, w.Append(stdout, []Entry{e}))
		}
		require.NoError(t, w.Close())
		size, err := Size(dir)
		require.NoError(t, err)
		assert.LessOrEqual(t, size, int64(limit+4<<10))
		assert.Greater(t, size, int64(limit/2))
	}
	r, err := OpenReader(dir, ReadOptions{})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	var read, head, last int64
	var gaps []Gap
	for {
		rec, err := r.Next(t.Context())
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if rec.Kind == KindGap {
			gaps = append(gaps, rec.Gap)
			head = last
			continue
		}
		at, err := strconv.ParseInt(strings.Fields(string(rec.Entry.Data))[0], 10, 64)
		require.NoError(t, err)
		if len(gaps) == 0 || last != head {
			require.Equal(t, last+1, at)
		}
		last = at
		read += int64(len(rec.Entry.Data))
	}
	require.Len(t, gaps, 1)
	assert.Equal(t, int64(n), last)
	assert.Greater(t, head, int64(100), "the beginning is kept")
	assert.Equal(t, Gap{Certainty: Proven, Reason: reasonLimit, Bytes: total - read}, gaps[0])
	assert.Len(t, readAll(t, dir, ReadOptions{Tail: 50}), 50)
}

// Compression is counted: what fits compressed is not dropped.
func TestLimitCountsCompressed(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{Limit: 1 << 20})
	for n := 1; n <= 40000; n += 100 { // 2.5 MB of text
		require.NoError(t, w.Append(stdout, lineRange(n, n+99)))
	}
	require.NoError(t, w.Close())
	assert.Equal(t, numbered(1, 40000), readAll(t, dir, ReadOptions{}))
}

// A reader in the middle of what is dropped comes out at the other end.
func TestDroppedUnderAReader(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	w := open(t, dir, Options{Limit: 128 << 10})
	for n := 1; n <= 700; n++ {
		require.NoError(t, w.Append(stdout, []Entry{noise(rnd, n)}))
	}
	r, err := OpenReader(dir, ReadOptions{})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	for range 500 {
		_, err := r.Next(t.Context())
		require.NoError(t, err)
	}
	for n := 701; n <= 6000; n++ {
		require.NoError(t, w.Append(stdout, []Entry{noise(rnd, n)}))
	}
	all := drain(t, r)
	assert.Contains(t, strings.Join(all, "\n"), "gap proven "+reasonLimit)
	assert.True(t, strings.HasPrefix(all[len(all)-1], "6000 "))
}
