package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// threeSegments is lines 1 to 30000 in several segments of several blocks.
func threeSegments(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	w := open(t, dir, Options{SegmentSize: 512 << 10})
	for n := 1; n <= 30000; n += 50 {
		require.NoError(t, w.Append(stdout, lineRange(n, n+49)))
	}
	require.NoError(t, w.Close())
	return dir
}

func TestTailAndSince(t *testing.T) {
	raw := threeSegments(t)
	packed := copyDir(t, raw)
	require.NoError(t, Compact(t.Context(), packed))
	require.GreaterOrEqual(t, len(files(t, packed, zstdSuffix)), 2)
	for name, dir := range map[string]string{"as written": raw, "compressed": packed} {
		for _, tc := range []struct {
			name string
			o    ReadOptions
			want []string
		}{
			{"all", ReadOptions{}, numbered(1, 30000)},
			{"tail 1", ReadOptions{Tail: 1}, numbered(30000, 30000)},
			{"tail across segments", ReadOptions{Tail: 25000}, numbered(5001, 30000)},
			{"tail of more than there is", ReadOptions{Tail: 40000}, numbered(1, 30000)},
			{"tail none", ReadOptions{Tail: -1}, nil},
			{"since", ReadOptions{Since: time.Unix(20000, 0)}, numbered(20000, 30000)},
			{"since the future", ReadOptions{Since: time.Unix(40000, 0)}, nil},
			{"both", ReadOptions{Since: time.Unix(29000, 0), Tail: 10}, numbered(29991, 30000)},
			{"both, tail longer", ReadOptions{Since: time.Unix(29000, 0), Tail: 5000}, numbered(29000, 30000)},
		} {
			t.Run(name+"/"+tc.name, func(t *testing.T) { assert.Equal(t, tc.want, readAll(t, dir, tc.o)) })
		}
	}
}

func TestTailCutsEntries(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{})
	require.NoError(t, w.Append(stdout, []Entry{
		{Data: []byte("a\nb\nc\n")}, {Data: []byte("d\nhalf "), Partial: true}, {Data: []byte("line\n")}, {Data: []byte("no end")},
	}))
	for tail, want := range map[int]string{1: "no end", 2: "half line\nno end", 3: "d\nhalf line\nno end", 4: "c\nd\nhalf line\nno end", 9: "a\nb\nc\nd\nhalf line\nno end"} {
		r, err := OpenReader(dir, ReadOptions{Tail: tail})
		require.NoError(t, err)
		var b bytes.Buffer
		for {
			rec, err := r.Next(t.Context())
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			b.Write(rec.Entry.Data)
		}
		require.NoError(t, r.Close())
		assert.Equal(t, want, b.String(), "tail %d", tail)
	}
}

// `zstd -d` gives the segment back.
func TestCompressedIsPlainZstd(t *testing.T) {
	dir := threeSegments(t)
	raw := copyDir(t, dir)
	require.NoError(t, Compact(t.Context(), dir))
	for seq := uint64(1); ; seq++ {
		want, err := os.ReadFile(segmentPath(raw, seq))
		if err != nil {
			break // compressed by the writer already
		}
		f, err := os.Open(zstdPath(dir, seq))
		if err != nil {
			break // the last one
		}
		dec, err := zstd.NewReader(f)
		require.NoError(t, err)
		got, err := io.ReadAll(dec)
		dec.Close()
		require.NoError(t, f.Close())
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
}

func TestHugeEntryIsCut(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{})
	data := bytes.Repeat([]byte("0123456789abcde\n"), 10<<20/16)
	require.NoError(t, w.Append(stdout, []Entry{{Data: data, Cursor: "end"}}))
	r, err := w.NewReader(ReadOptions{})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	var got []byte
	for {
		rec, err := r.Next(t.Context())
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		got = append(got, rec.Entry.Data...)
	}
	assert.True(t, bytes.Equal(data, got))
	assert.Equal(t, "end", w.Cursors()[stdout.Key()])
}

// result is that of follow.
type result struct {
	n   int
	err error
}

// follow reads numbered lines until the log is finished.
func follow(ctx context.Context, r *Reader) (n int, err error) {
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if rec.Kind != KindEntry {
			continue
		}
		n++
		if rec.Entry.Cursor != strconv.Itoa(n) {
			return n, fmt.Errorf("line %s where %d should be", rec.Entry.Cursor, n)
		}
	}
}

// Readers in this process and by file, opened before the log exists, while
// segments are closed and compressed under them.
func TestFollow(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	parent := t.TempDir()
	dir := parent + "/log"
	results := make(chan result)
	early, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	w := open(t, dir, Options{SegmentSize: 64 << 10})
	inside, err := w.NewReader(ReadOptions{Follow: true})
	require.NoError(t, err)
	outside, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	readers := []*Reader{early, inside, outside}
	for _, r := range readers {
		go func() {
			n, err := follow(ctx, r)
			results <- result{n, err}
		}()
	}
	const total = 20000
	for n := 1; n <= total; n += 10 {
		require.NoError(t, w.Append(stdout, lineRange(n, n+9)))
	}
	require.NoError(t, w.Finish())
	for range readers {
		res := <-results
		require.NoError(t, res.err)
		assert.Equal(t, total, res.n)
	}
	for _, r := range readers {
		require.NoError(t, r.Close())
	}
}

// A reader across processes: the writer is another one, killed and replaced.
func TestFollowAnotherProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	dir := t.TempDir()
	r, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	seen := 0
	for range 3 {
		cmd := command(t, "write", dir, strconv.Itoa(64<<10))
		require.NoError(t, cmd.Start())
		for target := seen + 5000; seen < target; {
			rec, err := r.Next(ctx)
			require.NoError(t, err)
			seen++
			require.Equal(t, strconv.Itoa(seen), rec.Entry.Cursor)
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{})
	require.NoError(t, w.Append(stdout, lineRange(1, 1)))
	for _, from := range []func() (*Reader, error){
		func() (*Reader, error) { return w.NewReader(ReadOptions{Follow: true}) },
		func() (*Reader, error) { return OpenReader(dir, ReadOptions{Follow: true}) },
	} {
		r, err := from()
		require.NoError(t, err)
		_, err = r.Next(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := r.Next(ctx); done <- err }()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, r.Close())
	}
}

// A reader that does not read does not hold up the writer, and sees it all
// later.
func TestBlockedReader(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{SegmentSize: 64 << 10})
	r, err := w.NewReader(ReadOptions{Follow: true})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	require.NoError(t, w.Append(stdout, lineRange(1, 1)))
	_, err = r.Next(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Append(stdout, lineRange(2, 20000)))
	require.NoError(t, w.Finish())
	all := drain(t, r)
	assert.Equal(t, append(numbered(2, 20000), "finish"), all)
}

// The log is removed under a reader: it says so, whatever it has read, and whatever
// is left at the moment.
func TestRemovedUnderReaders(t *testing.T) {
	for _, tc := range []struct {
		name   string
		remove func(t *testing.T, dir string)
	}{
		{"all", func(t *testing.T, dir string) { require.NoError(t, Remove(dir)) }},
		{"all but the directory", func(t *testing.T, dir string) {
			for _, name := range files(t, dir, "") {
				require.NoError(t, os.Remove(name))
			}
		}},
		{"the end, so far", func(t *testing.T, dir string) {
			names := files(t, dir, "")
			require.NoError(t, os.Remove(names[len(names)-1]))
		}},
	} {
		for _, o := range []ReadOptions{{}, {Follow: true}} {
			t.Run(fmt.Sprintf("%s/follow %t", tc.name, o.Follow), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), hang)
				defer cancel()
				dir := threeSegments(t)
				r, err := OpenReader(dir, o)
				require.NoError(t, err)
				defer func() { require.NoError(t, r.Close()) }()
				_, err = r.Next(ctx)
				require.NoError(t, err)
				tc.remove(t, dir)
				n := 1
				for ; err == nil; n++ {
					_, err = r.Next(ctx)
				}
				require.ErrorIs(t, err, ErrRemoved, "after %d records", n)
			})
		}
	}
	dir := t.TempDir()
	r, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, Remove(dir))
	_, err = r.Next(t.Context())
	require.ErrorIs(t, err, ErrRemoved, "a log in which nothing was written yet")
}

func TestEmptyLog(t *testing.T) {
	dir := t.TempDir() + "/none"
	assert.Empty(t, readAll(t, dir, ReadOptions{}))
	assert.Empty(t, readAll(t, dir, ReadOptions{Tail: 5}))
	size, err := Size(dir)
	require.NoError(t, err)
	assert.Zero(t, size)
	require.NoError(t, Compact(t.Context(), dir))
	require.NoError(t, Remove(dir))
}
