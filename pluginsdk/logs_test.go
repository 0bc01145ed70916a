package pluginsdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// logging is a flavor whose log a test writes.
type logging struct {
	bench
	onLogs func(ctx context.Context, r LogRequest, w *LogWriter) error
}

func (l *logging) Logs(ctx context.Context, _ benchConfig, _ Handle, r LogRequest, w *LogWriter) error {
	return l.onLogs(ctx, r, w)
}

// received is what a host would have stored.
type received struct {
	data    map[string][]byte
	cursors map[string]string
	ended   map[string]bool
	gaps    []*operatorv1.LogGap
	reach   []bool
	entries []*operatorv1.LogEntry
}

func newReceived() *received {
	return &received{data: map[string][]byte{}, cursors: map[string]string{}, ended: map[string]bool{}}
}

// read takes messages until the stream ends or stop says so after an entry.
func (r *received) read(t testing.TB, s interface {
	Recv() (*operatorv1.LogsResponse, error)
}, stop func() bool) {
	t.Helper()
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		if m.GetReachability() != nil {
			r.reach = append(r.reach, m.GetReachability().GetReachable())
			continue
		}
		name := m.GetSource().GetName()
		if m.GetGap() != nil {
			r.gaps = append(r.gaps, m.GetGap())
		}
		for _, e := range m.GetEntries() {
			require.LessOrEqual(t, len(e.GetData()), maxEntry)
			if !e.GetPartial() && len(e.GetData()) == maxEntry {
				require.Equal(t, byte('\n'), e.GetData()[len(e.GetData())-1])
			}
			r.data[name] = append(r.data[name], e.GetData()...)
			r.cursors[name] = e.GetCursor()
			r.entries = append(r.entries, e)
			if stop != nil && stop() {
				return
			}
		}
		if m.GetEnd() {
			r.ended[name] = true
		}
	}
}

func (r *received) open(t testing.TB, ctx context.Context, c operatorv1.StepOperatorClient, follow bool) interface {
	Recv() (*operatorv1.LogsResponse, error)
} {
	t.Helper()
	s, err := c.Logs(ctx, &operatorv1.LogsRequest{
		Target: testTarget(""), Handle: &operatorv1.Handle{}, Key: testKey, Follow: follow, Cursors: r.cursors})
	require.NoError(t, err)
	return s
}

var out1 = LogSource{Attempt: 1, Container: "main", Stream: "stdout"}
var err1 = LogSource{Attempt: 1, Container: "main", Stream: "stderr"}

func TestLogsSplitAndEnd(t *testing.T) {
	long := strings.Repeat("x", 3*maxEntry) + "\n"
	binary := []byte{0, 0xff, '\r', 0xfe, '\n'}
	l := &logging{onLogs: func(_ context.Context, r LogRequest, w *LogWriter) error {
		assert.True(t, r.Follow)
		assert.NoError(t, w.Entry(out1, LogEntry{Time: time.Unix(5, 0), Data: []byte(long), Cursor: "c1"}))
		assert.NoError(t, w.Gap(out1, Gap{Proven: true, Reason: "rotated", Bytes: 7}))
		assert.NoError(t, w.Entry(out1, LogEntry{Data: binary, Cursor: "c2"}))
		assert.NoError(t, w.Bytes(err1, time.Unix(6, 0), []byte("a\nb\nrest"), 8))
		assert.NoError(t, w.End(err1))
		return w.Entry(err1, LogEntry{Data: []byte("late\n"), Cursor: "13"})
	}}
	c := serveTest(t, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
	r := newReceived()
	r.read(t, r.open(t, testContext(t), c, true), nil)
	assert.Equal(t, long+string(binary), string(r.data[out1.Name()]))
	assert.Equal(t, "a\nb\nrestlate\n", string(r.data[err1.Name()]))
	assert.Equal(t, map[string]bool{out1.Name(): true, err1.Name(): true}, r.ended)
	require.Len(t, r.gaps, 1)
	assert.Equal(t, operatorv1.LogGap_CERTAINTY_PROVEN, r.gaps[0].GetCertainty())
	assert.True(t, r.entries[len(r.entries)-1].GetLate())
	assert.True(t, r.entries[0].GetPartial())
	assert.Equal(t, int64(5), r.entries[0].GetTime().GetSeconds())
}

// TestLogsResumeAnywhere breaks the stream after every possible entry, and the
// author's code at random, and wants every byte exactly once.
func TestLogsResumeAnywhere(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	type piece struct {
		src  LogSource
		data []byte
	}
	var pieces []piece
	want := map[string][]byte{}
	for i := range 40 {
		src := []LogSource{out1, err1}[i%2]
		n := []int{0, 1, 10, maxEntry, maxEntry + 1, 200_000}[rng.IntN(6)]
		data := bytes.Repeat([]byte{byte('a' + i%26)}, n)
		for k := 100; k < n; k += 1 + rng.IntN(n) {
			data[k] = '\n'
		}
		pieces = append(pieces, piece{src, data})
		want[src.Name()] = append(want[src.Name()], data...)
	}
	var calls atomic.Int32
	l := &logging{onLogs: func(_ context.Context, r LogRequest, w *LogWriter) error {
		fails := calls.Add(1)%3 == 1
		from := map[string]int{}
		for _, s := range []LogSource{out1, err1} {
			if _, err := fmt.Sscanf(r.Cursor(s), "c%d", new(int)); err == nil {
				var n int
				_, _ = fmt.Sscanf(r.Cursor(s), "c%d", &n)
				from[s.Name()] = n + 1
			}
		}
		for i, p := range pieces {
			if i < from[p.src.Name()] {
				continue
			}
			if err := w.Entry(p.src, LogEntry{Data: p.data, Cursor: fmt.Sprintf("c%d", i), Partial: true}); err != nil {
				return err
			}
			if fails && i > len(pieces)/2 {
				return Unreachable(errors.New("broke"))
			}
		}
		return nil
	}}
	c := serveTest(t, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
	r := newReceived()
	for rounds := 0; len(r.ended) < 2; rounds++ {
		require.Less(t, rounds, 1000)
		ctx, cancel := context.WithCancel(testContext(t))
		n, limit := 0, 1+rounds
		r.read(t, r.open(t, ctx, c, true), func() bool { n++; return n >= limit })
		cancel()
	}
	for name, data := range want {
		require.True(t, bytes.Equal(data, r.data[name]), "source %s: %d bytes instead of %d", name, len(r.data[name]), len(data))
	}
}

func TestLogsRetry(t *testing.T) {
	var calls atomic.Int32
	l := &logging{onLogs: func(_ context.Context, r LogRequest, w *LogWriter) error {
		switch calls.Add(1) {
		case 1:
			assert.NoError(t, w.Entry(out1, LogEntry{Data: []byte("one\n"), Cursor: "1"}))
			return Throttled(errors.New("429"), time.Millisecond)
		case 2:
			assert.Equal(t, "1", r.Cursor(out1))
			panic("boom")
		}
		assert.Equal(t, "1", r.Cursor(out1))
		return w.Entry(out1, LogEntry{Data: []byte("two\n"), Cursor: "2"})
	}}
	c := serveTest(t, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
	r := newReceived()
	r.read(t, r.open(t, testContext(t), c, true), nil)
	assert.Equal(t, "one\ntwo\n", string(r.data[out1.Name()]))
	assert.Equal(t, []bool{false, false, true}, r.reach)
}

func TestLogsWithoutFollow(t *testing.T) {
	l := &logging{onLogs: func(_ context.Context, r LogRequest, w *LogWriter) error {
		assert.False(t, r.Follow)
		assert.Equal(t, int64(4), r.Offset(out1))
		return w.Bytes(out1, time.Now(), []byte("two\n"), 8)
	}}
	c := serveTest(t, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
	r := newReceived()
	r.cursors[out1.Name()] = "0:4"
	r.read(t, r.open(t, testContext(t), c, false), nil)
	assert.Equal(t, "two\n", string(r.data[out1.Name()]))
	assert.Equal(t, "0:8", r.cursors[out1.Name()])
	assert.Empty(t, r.ended, "without follow nothing is known to be over")
}

// A source that the host knows and that has nothing new is ended as well.
func TestLogsEndsKnownSources(t *testing.T) {
	l := &logging{onLogs: func(context.Context, LogRequest, *LogWriter) error { return nil }}
	c := serveTest(t, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
	r := newReceived()
	r.cursors[out1.Name()] = "0:4"
	r.read(t, r.open(t, testContext(t), c, true), nil)
	assert.True(t, r.ended[out1.Name()])
}

// A host that does not read holds the author's code up; a host that goes away
// lets it go.
func TestLogsBackpressure(t *testing.T) {
	returned := make(chan error, 1)
	var written atomic.Int64
	l := &logging{onLogs: func(_ context.Context, _ LogRequest, w *LogWriter) error {
		data := bytes.Repeat([]byte("x"), maxEntry)
		for {
			if err := w.Entry(out1, LogEntry{Data: data}); err != nil {
				returned <- err
				return err
			}
			written.Add(int64(len(data)))
		}
	}}
	c := serveTest(t, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
	ctx, cancel := context.WithCancel(testContext(t))
	r := newReceived()
	s := r.open(t, ctx, c, true)
	_, err := s.Recv()
	require.NoError(t, err)
	require.Never(t, func() bool { return written.Load() > 64<<20 }, 200*time.Millisecond, 10*time.Millisecond)
	cancel()
	assert.Error(t, <-returned)
}

func TestCursorRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		skip   int64
		cursor string
	}{{0, ""}, {0, "a:b"}, {12, "x"}} {
		skip, cursor := parseCursor(formatCursor(tc.skip, tc.cursor))
		assert.Equal(t, tc.skip, skip)
		assert.Equal(t, tc.cursor, cursor)
	}
	for _, bad := range []string{"", "x", "-1:a", "9999999999999999999999:a"} {
		skip, cursor := parseCursor(bad)
		assert.Zero(t, skip)
		assert.Empty(t, cursor)
	}
	assert.Equal(t, "1/2/3/a/b/stdout", LogSource{Attempt: 1, Epoch: 2, Node: 3, Container: "a/b", Stream: "stdout"}.Name())
	assert.Equal(t, "a/b", sourceFromName("1/2/3/a/b/stdout").GetContainer())
	assert.Equal(t, "odd", sourceFromName("odd").GetName())
}

// BenchmarkLogs measures the Logs engine over gRPC in memory: 200-byte lines,
// one per entry and packed into reads of 64 KiB.
func BenchmarkLogs(b *testing.B) {
	line := []byte(strings.Repeat("x", 199) + "\n")
	block := bytes.Repeat(line, maxEntry/len(line))
	run := func(b *testing.B, write func(w *LogWriter, n int) error) {
		l := &logging{}
		c := serveTest(b, benchManifest("cancel", "logs"), RemoteOf[benchConfig](l))
		l.onLogs = func(_ context.Context, _ LogRequest, w *LogWriter) error { return write(w, b.N) }
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		b.ResetTimer()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s, err := c.Logs(ctx, &operatorv1.LogsRequest{Target: testTarget(""), Handle: &operatorv1.Handle{}, Follow: true})
		require.NoError(b, err)
		n := 0
		for {
			m, err := s.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(b, err)
			for _, e := range m.GetEntries() {
				n += len(e.GetData())
			}
		}
		require.GreaterOrEqual(b, n, b.N*len(line))
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	}
	b.Run("packed", func(b *testing.B) {
		run(b, func(w *LogWriter, n int) error {
			end, now := int64(0), time.Now()
			for done := 0; done < n; done += maxEntry / len(line) {
				end += int64(len(block))
				if err := w.Bytes(out1, now, block, end); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("single", func(b *testing.B) {
		run(b, func(w *LogWriter, n int) error {
			now := time.Now()
			for range n {
				if err := w.Entry(out1, LogEntry{Time: now, Data: line, Cursor: "12345"}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
