package tail

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// file is a log that the test writes as a runner would.
type file struct {
	t   *testing.T
	job jobdir.Job
	end int64
}

func newFile(t *testing.T) *file {
	j, err := jobdir.JobAt(filepath.Join(t.TempDir(), strings.Repeat("a", 26)))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(j.Logs(), 0o700))
	return &file{t: t, job: j}
}

func (f *file) record(seconds, lost int64) {
	var raw [recordSize]byte
	binary.LittleEndian.PutUint64(raw[0:], uint64(f.end))
	binary.LittleEndian.PutUint64(raw[8:], uint64(seconds*1e9))
	binary.LittleEndian.PutUint64(raw[16:], uint64(lost))
	f.add(f.job.Times("stdout"), raw[:])
}

func (f *file) write(data string) {
	f.add(f.job.Stream("stdout"), []byte(data))
	f.end += int64(len(data))
}

func (f *file) add(path string, data []byte) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(f.t, err)
	_, err = out.Write(data)
	require.NoError(f.t, err)
	require.NoError(f.t, out.Close())
}

func (f *file) reader(offset int64) *Reader {
	r := Open(f.job, "stdout", offset)
	f.t.Cleanup(r.Close)
	return r
}

// read is one Read with the entries as short texts: seconds, data, marks.
func (f *file) read(r *Reader, over bool) (got []string, wait time.Duration) {
	wait, err := r.Read(over, func(e Entry) error {
		text := fmt.Sprintf("%d %s", e.Time.Unix(), e.Data)
		if e.Partial {
			text += "~"
		}
		if e.Lost > 0 {
			text = fmt.Sprintf("[lost %d] ", e.Lost) + text
		}
		got = append(got, text)
		return nil
	})
	require.NoError(f.t, err)
	return got, wait
}

func TestTimes(t *testing.T) {
	f := newFile(t)
	r := f.reader(0)
	got, _ := f.read(r, false)
	assert.Empty(t, got, "no file yet")
	f.record(10, 0)
	f.write("a\nb\nhalf")
	f.record(20, 0)
	f.write(" a line\nc\n")
	f.record(30, 0)
	f.write("d\n")
	got, wait := f.read(r, false)
	assert.Equal(t, []string{"10 a\nb\n", "10 half a line\n", "20 c\n", "30 d\n"}, got)
	assert.Zero(t, wait)

	t.Run("the same from any cursor", func(t *testing.T) {
		got, _ := f.read(f.reader(4), true)
		assert.Equal(t, []string{"10 half a line\n", "20 c\n", "30 d\n"}, got)
		got, _ = f.read(f.reader(8), true)
		assert.Equal(t, []string{"20  a line\nc\n", "30 d\n"}, got)
		got, _ = f.read(f.reader(f.end), true)
		assert.Empty(t, got)
	})
}

func TestHalfALineWaits(t *testing.T) {
	f := newFile(t)
	r := f.reader(0)
	f.record(1, 0)
	f.write("whole\n10%\r")
	got, wait := f.read(r, false)
	assert.Equal(t, []string{"1 whole\n"}, got)
	assert.Positive(t, wait)
	assert.LessOrEqual(t, wait, Patience)

	r.since = r.since.Add(-Patience)
	got, wait = f.read(r, false)
	assert.Equal(t, []string{"1 10%\r~"}, got)
	assert.Zero(t, wait)

	f.write("20%")
	got, _ = f.read(r, true)
	assert.Equal(t, []string{"1 20%"}, got, "at the end nothing goes on")
}

func TestLostBytes(t *testing.T) {
	f := newFile(t)
	f.record(1, 0)
	f.write("one\ntw")
	f.record(2, 700)
	f.write("ree\n")
	f.record(3, 50)
	r := f.reader(0)
	got, _ := f.read(r, false)
	assert.Equal(t, []string{"1 one\n", "1 tw~", "[lost 700] 2 ree\n"}, got)
	got, _ = f.read(r, true)
	assert.Equal(t, []string{"[lost 50] 3 "}, got)
}

func TestLongLinesAreCut(t *testing.T) {
	f := newFile(t)
	f.write(strings.Repeat("x", 1<<20) + "\nend\n")
	var sizes []int
	var all bytes.Buffer
	_, err := f.reader(0).Read(false, func(e Entry) error {
		sizes = append(sizes, len(e.Data))
		assert.Equal(t, e.Partial, !bytes.HasSuffix(e.Data, []byte("\n")))
		all.Write(e.Data)
		assert.EqualValues(t, all.Len(), e.End)
		return nil
	})
	require.NoError(t, err)
	assert.EqualValues(t, f.end, all.Len())
	for _, n := range sizes {
		assert.LessOrEqual(t, n, Chunk)
	}
}

// Whatever is written when, and read when, from whatever cursor: the bytes are
// the bytes, and no entry is too long.
func TestRandomWrites(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	f := newFile(t)
	var want, got bytes.Buffer
	r := f.reader(0)
	for i := range 300 {
		if rnd.IntN(3) == 0 {
			f.record(int64(i), 0)
		}
		data := make([]byte, rnd.IntN(1<<rnd.IntN(19)))
		for k := range data {
			if data[k] = byte(rnd.IntN(256)); data[k] == '\n' && rnd.IntN(4) > 0 {
				data[k] = ' '
			}
		}
		f.write(string(data))
		want.Write(data)
		if rnd.IntN(2) == 0 {
			_, err := r.Read(false, collect(t, &got))
			require.NoError(t, err)
		}
		if rnd.IntN(20) == 0 {
			r = f.reader(r.Offset()) // another process goes on
		}
	}
	_, err := r.Read(true, collect(t, &got))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want.Bytes(), got.Bytes()), "%d bytes, want %d", got.Len(), want.Len())
}

func collect(t *testing.T, into *bytes.Buffer) func(Entry) error {
	return func(e Entry) error {
		require.LessOrEqual(t, len(e.Data), Chunk)
		require.NotEmpty(t, e.Data)
		into.Write(e.Data)
		require.EqualValues(t, into.Len(), e.End)
		return nil
	}
}

func TestParseCursor(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "0": 0, "17": 17} {
		n, err := ParseCursor(text)
		require.NoError(t, err)
		assert.Equal(t, want, n)
		if text != "" {
			assert.Equal(t, text, Cursor(n))
		}
	}
	for _, bad := range []string{"-1", "x", "1.5", "9999999999999999999999"} {
		_, err := ParseCursor(bad)
		assert.Error(t, err, bad)
	}
}
