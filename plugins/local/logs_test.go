//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func digest() string { return strings.Repeat("0", 64) }

func seconds(s float64) *operatorv1.Deadlines {
	return &operatorv1.Deadlines{Run: durationpb.New(time.Duration(s * float64(time.Second)))}
}

func parentOf(t testing.TB, stat []byte) int {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	pid, err := strconv.Atoi(fields[1])
	require.NoError(t, err)
	return pid
}

// countLines checks that data holds the numbers from 0, in order, one per line
// of the given width.
func countLines(t testing.TB, data []byte, width int) {
	t.Helper()
	require.Zero(t, len(data)%width, "no torn line")
	want := make([]byte, 0, width)
	for i := 0; len(data) > 0; i++ {
		want = fmt.Appendf(want[:0], "%0*d\n", width-1, i)
		if !bytes.Equal(want, data[:width]) {
			require.FailNow(t, "a line is missing or out of order", "line %d: %q", i, data[:width])
		}
		data = data[width:]
	}
}

func TestMillionLines(t *testing.T) {
	h := newHarness(t)
	s := h.step("million", "lines", "1000000")
	begin := time.Now()
	handle := h.accepted(s)
	l := h.logs(s.Key, handle, true, nil)
	took := time.Since(begin)
	assert.Empty(t, l.gaps)
	assert.Equal(t, 2, l.ends)
	require.Equal(t, 200_000_000, l.bytes["stdout"].Len())
	countLines(t, l.bytes["stdout"].Bytes(), 200)
	t.Logf("1,000,000 lines of 200 bytes in %s, %d entries", took, l.entries)
}

func TestLogsGoOnFromTheCursor(t *testing.T) {
	h := newHarness(t)
	stop := filepath.Join(t.TempDir(), "stop")
	s := h.step("cursor", "slow", stop)
	handle := h.accepted(s)
	var out, errs bytes.Buffer
	cursors := map[string]string{}
	for range 5 {
		h.printed(s.Key, out.String()+fmt.Sprintf("%08d\n", out.Len()/9))
		l := h.logs(s.Key, handle, false, cursors)
		out.Write(l.bytes["stdout"].Bytes())
		errs.Write(l.bytes["stderr"].Bytes())
		for source, cursor := range l.cursors {
			cursors[source] = cursor
		}
	}
	require.NoError(t, os.WriteFile(stop, nil, 0o600))
	l := h.logs(s.Key, handle, true, cursors)
	out.Write(l.bytes["stdout"].Bytes())
	errs.Write(l.bytes["stderr"].Bytes())
	countLines(t, out.Bytes(), 9)
	countLines(t, errs.Bytes(), 9)
	assert.Equal(t, out.Len(), errs.Len())
	end, _ := h.watch(s.Key, handle)
	assert.EqualValues(t, 7, end.GetExitCode())
	assert.Contains(t, cursors, "1/0/0//stdout")
}

// Opening /dev/stderr for writing empties a file, but not a pipe: scripts do it
// all the time.
func TestOpeningDevStderrKeepsTheLog(t *testing.T) {
	h := newHarness(t)
	s := h.command("devstderr", "sh", "-c", `echo one; echo two >&2; echo three > /dev/stderr; echo four | tee /dev/stderr; echo five > /dev/stdout; echo six`)
	handle := h.accepted(s)
	l := h.logs(s.Key, handle, true, nil)
	assert.Equal(t, "one\nfour\nfive\nsix\n", l.bytes["stdout"].String())
	assert.Equal(t, "two\nthree\nfour\n", l.bytes["stderr"].String())
}

func TestBytesAreBytes(t *testing.T) {
	h := newHarness(t)
	s := h.command("bytes", "sh", "-c", `head -c 300000 /dev/zero; printf '\377\376\r10%%\r20%%'`)
	handle := h.accepted(s)
	l := h.logs(s.Key, handle, true, nil)
	assert.Equal(t, append(make([]byte, 300_000), "\xff\xfe\r10%\r20%"...), l.bytes["stdout"].Bytes())
}

func TestProgressBarIsSeenLive(t *testing.T) {
	h := newHarness(t)
	s := h.command("bar", "sh", "-c", `printf '\r50%%'; sleep 3600`)
	handle := h.accepted(s)
	stream, err := h.client.Logs(h.ctx(), &operatorv1.LogsRequest{Target: h.target, Handle: handle, Key: s.Key, Follow: true})
	require.NoError(t, err)
	m, err := stream.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, m.Entries)
	assert.Equal(t, "\r50%", string(m.Entries[0].Data))
	assert.True(t, m.Entries[0].Partial)
	h.cancel(s.Key, handle, time.Second, true)
	h.watch(s.Key, handle)
}

func BenchmarkLaunchTrue(b *testing.B) {
	h := newHarness(b)
	for i := 0; b.Loop(); i++ {
		s := h.command(fmt.Sprint("bench", i), "true")
		r := h.submit(s)
		h.watch(s.Key, r.GetAccepted().GetHandle())
	}
}
