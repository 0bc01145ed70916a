package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// childEnv makes the test binary a writing process: see children.
const childEnv = "STEPHOST_SPOOL_TEST_CHILD"

// hang is how long a test waits for something that ought to come at once.
const hang = 60 * time.Second

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children()[name](os.Args[1:]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func children() map[string]func(args []string) error {
	return map[string]func(args []string) error{
		// write DIR SEGMENT: goes on from the stored cursor, one numbered line
		// an entry, telling each number once it is acknowledged, until killed.
		"write": func(args []string) error {
			segment, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return err
			}
			w, err := OpenWriter(args[0], Options{SegmentSize: segment})
			if err != nil {
				return err
			}
			n := 0
			if c := w.Cursors()[stdout.Key()]; c != "" {
				if n, err = strconv.Atoi(c); err != nil {
					return err
				}
			}
			fmt.Println(n)
			for {
				size := 1 + n%7
				var batch []Entry
				for range size {
					n++
					batch = append(batch, line(n))
				}
				if err := w.Append(stdout, batch); err != nil {
					return err
				}
				fmt.Println(n)
			}
		},
		"limited": limitedChild,
	}
}

var stdout = Source{Attempt: 1, Container: "main", Stream: "stdout"}
var stderr = Source{Attempt: 1, Container: "main", Stream: "stderr"}

// line is the numbered line n, with its number as cursor and as time.
func line(n int) Entry {
	return Entry{Time: time.Unix(int64(n), 0), Data: fmt.Appendf(nil, "line %d%s\n", n, strings.Repeat(".", n%50)), Cursor: strconv.Itoa(n)}
}

func lineRange(from, to int) []Entry {
	var e []Entry
	for n := from; n <= to; n++ {
		e = append(e, line(n))
	}
	return e
}

func open(t testing.TB, dir string, o Options) *Writer {
	t.Helper()
	w, err := OpenWriter(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// readAll reads what is there, as text.
func readAll(t testing.TB, dir string, o ReadOptions) []string {
	t.Helper()
	r, err := OpenReader(dir, o)
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	return drain(t, r)
}

func drain(t testing.TB, r *Reader) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	var all []string
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, text(rec))
	}
}

func text(rec *Record) string {
	switch rec.Kind {
	case KindEntry:
		return strings.TrimRight(string(rec.Entry.Data), ".\n")
	case KindGap:
		return fmt.Sprintf("gap %s %s %d", rec.Gap.Certainty, rec.Gap.Reason, rec.Gap.Bytes)
	case KindEnd:
		return "end " + rec.Source.Key()
	case KindNote:
		return "note " + rec.Note
	case KindEpoch:
		return "epoch " + rec.Source.Key() + " " + rec.Note
	case KindFinish:
		return "finish"
	}
	return "?"
}

func numbered(from, to int) []string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("line %d", n))
	}
	return all
}

// files are the names in dir that end so.
func files(t testing.TB, dir, suffix string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	require.NoError(t, err)
	return names
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hang); !cond(); time.Sleep(50 * time.Microsecond) {
		require.True(t, time.Now().Before(deadline), what)
	}
}

// command is this test binary as another process.
func command(t testing.TB, child string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+child)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestEverythingComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	w := open(t, dir, Options{})
	assert.Empty(t, files(t, dir, ""), "nothing written, nothing there")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	second := stdout
	second.Epoch = 2
	require.NoError(t, w.Append(stdout, []Entry{{Time: at, Data: []byte("a\r\x00\xff\n"), Cursor: "c1"}, {Time: at, Data: []byte("b"), Cursor: "c2", Partial: true}}))
	require.NoError(t, w.Append(stderr, []Entry{{Time: at, Data: []byte("e\n"), Cursor: "x", Late: true}}))
	require.NoError(t, w.Gap(stdout, Gap{Certainty: Possible, Reason: "seam", Bytes: 3}))
	require.NoError(t, w.Epoch(second, "restarted"))
	require.NoError(t, w.End(stdout))
	require.NoError(t, w.Note("hello"))
	require.NoError(t, w.Append(stdout, nil), "nothing is no error")
	require.NoError(t, w.Finish())
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Append(stdout, lineRange(1, 1)), ErrClosed)

	r, err := OpenReader(dir, ReadOptions{Follow: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var got []Record
	for {
		rec, err := r.Next(t.Context())
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		c := *rec
		c.Entry.Data = bytes.Clone(c.Entry.Data)
		if c.Kind != KindEntry {
			assert.WithinDuration(t, time.Now(), c.Time, hang)
			c.Time = time.Time{}
		}
		got = append(got, c)
	}
	assert.Equal(t, []Record{
		{Kind: KindEntry, Time: at, Source: stdout, Entry: Entry{Time: at, Data: []byte("a\r\x00\xff\n"), Cursor: "c1"}},
		{Kind: KindEntry, Time: at, Source: stdout, Entry: Entry{Time: at, Data: []byte("b"), Cursor: "c2", Partial: true}},
		{Kind: KindEntry, Time: at, Source: stderr, Entry: Entry{Time: at, Data: []byte("e\n"), Cursor: "x", Late: true}},
		{Kind: KindGap, Source: stdout, Gap: Gap{Certainty: Possible, Reason: "seam", Bytes: 3}},
		{Kind: KindEpoch, Source: second, Note: "restarted"},
		{Kind: KindEnd, Source: stdout},
		{Kind: KindNote, Note: "hello"},
		{Kind: KindFinish},
	}, got)

	w = open(t, dir, Options{})
	assert.Equal(t, map[string]string{"1/0/0/main/stdout": "c2", "1/0/0/main/stderr": "x"}, w.Cursors())
	assert.Equal(t, map[string]bool{"1/0/0/main/stdout": true}, w.Ended())
	require.NoError(t, w.Append(stdout, lineRange(1, 1)))
	all := readAll(t, dir, ReadOptions{})
	assert.Equal(t, []string{"finish", "line 1"}, all[len(all)-2:], "a reopened log goes on")

	size, err := Size(dir)
	require.NoError(t, err)
	assert.Positive(t, size)
	for _, name := range files(t, dir, "") {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	require.NoError(t, Remove(dir))
	size, err = Size(dir)
	require.NoError(t, err)
	assert.Zero(t, size)
}
