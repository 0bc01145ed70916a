package podlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang ends what does not come back.
const hang = time.Minute

// took is what a reader delivered.
type took struct {
	data   bytes.Buffer
	cursor string
	gaps   []Gap
	times  []time.Time
	got    chan struct{}
}

func newTook() *took { return &took{got: make(chan struct{}, 1)} }

func (o *took) reader(k *kubelet, uid string) *Reader {
	return &Reader{API: k, Pod: "pod", UID: uid, Container: "step",
		Write: func(e Entry) error {
			o.data.Write(e.Data)
			o.cursor = e.Cursor
			o.times = append(o.times, e.Time)
			select {
			case o.got <- struct{}{}:
			default:
			}
			return nil
		},
		Gap: func(g Gap) error { o.gaps = append(o.gaps, g); return nil },
	}
}

// again makes a new reader from the last cursor, as a new process does.
func (o *took) again(t *testing.T, k *kubelet) *Reader {
	t.Helper()
	r := o.reader(k, "uid")
	require.NoError(t, r.Start(o.cursor))
	return r
}

func contextOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	return ctx
}

var begin = time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.UTC)

// nasty is a log with everything that a line can be.
func nasty(rnd *rand.Rand) []byte {
	var b bytes.Buffer
	for i := range 300 {
		switch rnd.IntN(8) {
		case 0:
			b.WriteByte('\n')
		case 1:
			fmt.Fprintf(&b, "%d %s\n", i, strings.Repeat("x", rnd.IntN(3*recordSize)))
		case 2:
			for c := range 256 {
				if c != '\n' {
					b.WriteByte(byte(c))
				}
			}
			b.WriteByte('\n')
		case 3:
			b.WriteString("the same line\n")
		case 4:
			b.WriteString("2026-11-28T12:00:00.000000000Z looks like a time\r\n")
		default:
			fmt.Fprintf(&b, "line %d\n", i)
		}
	}
	b.WriteString("no newline here")
	return b.Bytes()
}

// fill writes data line by line; several lines share a time now and then, and
// some are out of order by milliseconds.
func fill(k *kubelet, rnd *rand.Rand, data []byte) {
	t := begin
	for len(data) > 0 {
		n := bytes.IndexByte(data, '\n') + 1
		if n == 0 {
			n = len(data)
		}
		at := t
		switch rnd.IntN(5) {
		case 0:
		case 1:
			at = t.Add(-time.Duration(rnd.IntN(5)) * time.Millisecond)
		default:
			t = t.Add(time.Duration(rnd.IntN(300_000_000)))
			at = t
		}
		k.write(at, data[:n])
		data = data[n:]
	}
}

func TestWhole(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, follow := range []bool{false, true} {
		k, o := newKubelet(), newTook()
		k.zone = time.FixedZone("there", 2*3600)
		want := nasty(rnd)
		fill(k, rnd, want)
		k.end()
		_, err := o.again(t, k).Read(contextOf(t), follow)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, o.data.Bytes()))
		assert.Empty(t, o.gaps)
		assert.True(t, o.times[0].Equal(begin) || o.times[0].After(begin.Add(-time.Second)))
	}
}

// Wherever a stream breaks, and whoever goes on: nothing is lost or doubled, and
// no gap is marked.
func TestBreaksAnywhere(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 20 {
		k, o := newKubelet(), newTook()
		want := nasty(rnd)
		fill(k, rnd, want)
		k.end()
		// A stream shows more than what a seam drops, or it would never get on.
		k.cut = func() int { return 40_000 + rnd.IntN(600_000) }
		r := o.again(t, k)
		breaks := 0
		for {
			_, err := r.Read(contextOf(t), rnd.IntN(2) == 0)
			if err == nil {
				break
			}
			require.ErrorIs(t, err, errBroken)
			require.Less(t, breaks, 100_000)
			breaks++
			if rnd.IntN(2) == 0 {
				r = o.again(t, k)
			}
		}
		require.True(t, bytes.Equal(want, o.data.Bytes()), "%d breaks", breaks)
		require.Empty(t, o.gaps)
	}
}

func TestAFurtherReadBringsNothing(t *testing.T) {
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("a\nb\n"))
	k.end()
	n, err := o.again(t, k).Read(contextOf(t), true)
	require.NoError(t, err)
	assert.EqualValues(t, 4, n)
	n, err = o.again(t, k).Read(contextOf(t), false)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Empty(t, o.gaps)
	assert.Equal(t, "a\nb\n", o.data.String())
}

func TestManyLinesOfOneTime(t *testing.T) {
	k, o := newKubelet(), newTook()
	var want bytes.Buffer
	for range 1000 {
		want.WriteString("same\n")
	}
	k.write(begin, want.Bytes())
	k.end()
	n := 0
	k.cut = func() int { n += 700; return n }
	r := o.again(t, k)
	for {
		if _, err := r.Read(contextOf(t), false); err == nil {
			break
		}
	}
	assert.True(t, bytes.Equal(want.Bytes(), o.data.Bytes()))
	assert.Empty(t, o.gaps)
}

// A seam whose line is gone with a rotated file is marked, and what is there
// comes whole.
func TestRotatedWhileAway(t *testing.T) {
	for name, follow := range map[string]bool{"read": false, "followed": true} {
		t.Run(name, func(t *testing.T) {
			k, o := newKubelet(), newTook()
			k.write(begin, []byte("seen\n"))
			_, err := o.again(t, k).Read(contextOf(t), false)
			require.NoError(t, err)
			k.write(begin.Add(time.Second), []byte("lost\n"))
			k.rotate()
			// Both within the slack of the seam and behind it.
			k.write(begin.Add(1100*time.Millisecond), []byte("new 1\n"))
			k.write(begin.Add(5*time.Second), []byte("new 2\n"))
			k.end()
			_, err = o.again(t, k).Read(contextOf(t), follow)
			require.NoError(t, err)
			assert.Equal(t, "seen\nnew 1\nnew 2\n", o.data.String())
			require.Len(t, o.gaps, 1)
			assert.False(t, o.gaps[0].Proven)
		})
	}
}

// A seam must not hold new lines until more come.
func TestSeamOfAQuietLog(t *testing.T) {
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("seen\n"))
	_, err := o.again(t, k).Read(contextOf(t), false)
	require.NoError(t, err)
	<-o.got
	k.rotate()
	k.write(begin.Add(time.Millisecond), []byte("new\n"))
	ctx, cancel := context.WithCancel(contextOf(t))
	done := make(chan error, 1)
	r := o.again(t, k)
	go func() { _, err := r.Read(ctx, true); done <- err }()
	<-o.got
	cancel()
	require.Error(t, <-done)
	assert.Equal(t, "seen\nnew\n", o.data.String())
	assert.Len(t, o.gaps, 1)
}

// following is a follower that has read the line "one".
func following(t *testing.T) (*kubelet, *took, <-chan error) {
	t.Helper()
	k, o := newKubelet(), newTook()
	ctx := contextOf(t)
	k.write(begin, []byte("one\n"))
	done := make(chan error, 1)
	r := o.again(t, k)
	go func() { _, err := r.Read(ctx, true); done <- err }()
	<-o.got
	return k, o, done
}

func TestRotatedUnderAFollower(t *testing.T) {
	k, o, done := following(t)
	k.rotate()
	k.write(begin.Add(time.Second), []byte("two\n"))
	<-o.got
	k.end()
	require.NoError(t, <-done)
	assert.Equal(t, "one\ntwo\n", o.data.String())
}

// TestAFileUnderAFollowerSkipped: a follower that stood still for two rotations is
// served the newest file, and nobody says so. The hole is marked, with the last look
// at the latest.
func TestAFileUnderAFollowerSkipped(t *testing.T) {
	k, o, done := following(t)
	line := func(after time.Duration, text string) []record {
		return []record{{time: begin.Add(after), data: []byte(text)}}
	}
	k.mu.Lock()
	k.files = append(k.files, line(time.Second, "two\n"), line(12*time.Second, "three\n"))
	k.changed.Broadcast()
	k.mu.Unlock()
	<-o.got
	k.end()
	require.NoError(t, <-done)
	assert.Equal(t, "one\nthree\n", o.data.String())
	require.Len(t, o.gaps, 1)
	assert.Contains(t, o.gaps[0].Reason, "nothing came from")
}

func TestAnotherPod(t *testing.T) {
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("a\n"))
	k.end()
	_, err := o.again(t, k).Read(contextOf(t), false)
	require.NoError(t, err)
	r := o.reader(k, "another")
	require.NoError(t, r.Start(o.cursor))
	assert.Len(t, o.gaps, 1)
	_, err = r.Read(contextOf(t), false)
	require.NoError(t, err)
	assert.Equal(t, "a\na\n", o.data.String())
}

func TestTheKubeletsOwnWordsAreNoLog(t *testing.T) {
	for _, text := range []string{"unable to retrieve container logs for containerd://abc", "failed to open log file \"x\": no such file\n"} {
		var s splitter
		var pieces []piece
		yield := func(p piece) error { pieces = append(pieces, p); return nil }
		err := s.write([]byte(text), yield)
		if err == nil {
			err = s.end(false, true, yield)
		}
		var foreign *ForeignError
		require.ErrorAs(t, err, &foreign)
		assert.Empty(t, pieces)
	}
	// A step that prints the same words keeps them.
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("unable to retrieve container logs for me\n"))
	k.end()
	_, err := o.again(t, k).Read(contextOf(t), false)
	require.NoError(t, err)
	assert.Equal(t, "unable to retrieve container logs for me\n", o.data.String())
}

// A kubelet that gives up a follow says so where the log stands, also in the
// middle of a line (seen with "too many open files"), and the next read goes on
// behind it.
func TestAFollowThatTheKubeletGivesUp(t *testing.T) {
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("one\nhalf a"))
	k.giveUp = "failed to create fsnotify watcher: too many open files"
	r := o.again(t, k)
	_, err := r.Read(contextOf(t), true)
	var foreign *ForeignError
	require.ErrorAs(t, err, &foreign)
	assert.Equal(t, "one\nhalf a", o.data.String())
	k.giveUp = ""
	k.write(begin.Add(time.Second), []byte(" line\n"))
	k.end()
	_, err = r.Read(contextOf(t), true)
	require.NoError(t, err)
	assert.Equal(t, "one\nhalf a line\n", o.data.String())
	assert.Empty(t, o.gaps)
}

// Partial lines of both streams are mixed by the runtime; the bytes are kept.
func TestALineWithoutATime(t *testing.T) {
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("no newline"))
	k.write(begin.Add(time.Second), []byte("from stderr\n"))
	k.write(begin.Add(2*time.Second), []byte("next\n"))
	k.end()
	_, err := o.again(t, k).Read(contextOf(t), false)
	require.NoError(t, err)
	assert.Equal(t, "no newlinefrom stderr\nnext\n", o.data.String())
}

func TestAHostThatIsGone(t *testing.T) {
	k, o := newKubelet(), newTook()
	k.write(begin, []byte("a\n"))
	gone := errors.New("gone")
	r := o.reader(k, "uid")
	r.Write = func(Entry) error { return gone }
	require.NoError(t, r.Start(""))
	_, err := r.Read(contextOf(t), true)
	var write *WriteError
	require.ErrorAs(t, err, &write)
	assert.ErrorIs(t, err, gone)
}

func TestCursor(t *testing.T) {
	c := cursor{pod: "5f0c-uid", time: begin.UnixNano(), number: 3, length: 77, sum: 0xdeadbeef, open: true}
	got, ok := parseCursor(c.String())
	require.True(t, ok)
	assert.Equal(t, c, got)
	for _, bad := range []string{"", "7", "2 a 1 1 1 1 c", "1 a b c d e f"} {
		_, ok := parseCursor(bad)
		assert.False(t, ok, bad)
	}
}

func BenchmarkRead(b *testing.B) {
	k := newKubelet()
	var text bytes.Buffer
	for i := range 100_000 {
		fmt.Fprintf(&text, "%079d\n", i)
	}
	k.write(begin, text.Bytes())
	k.end()
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		r := newTook().reader(k, "uid")
		r.Write = func(Entry) error { return nil }
		if err := r.Start(""); err != nil {
			b.Fatal(err)
		}
		if n, err := r.Read(context.Background(), false); err != nil || n != int64(text.Len()) {
			b.Fatal(n, err)
		}
	}
}
