//go:build !front

package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs/spool"
)

func TestStatusText(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		name, line, plain, note string
		notice                  launch.Notice
	}{
		{"bare", "train on gpu: queued", "-- train on gpu: queued --", "", launch.Notice{Phase: "queued"}},
		{"reason, bound, message", "train on gpu: provisioning (ImagePull), 1m05s of at most 20m00s: pulling",
			"-- train on gpu: provisioning (ImagePull): pulling (at most until 2026-01-02T15:23:00Z) --", "",
			launch.Notice{Phase: "provisioning", Reason: "ImagePull", Message: "pulling", Since: now.Add(-65 * time.Second), Until: now.Add(-65*time.Second + 20*time.Minute)}},
		{"progress", "train on gpu: preparing, 3s: installing 2 packages", "-- train on gpu: preparing --", "installing 2 packages",
			launch.Notice{Phase: "preparing", Since: now.Add(-3 * time.Second)}},
		{"later attempt", "train on gpu: running, attempt 3", "-- train on gpu: running, attempt 3 --", "", launch.Notice{Phase: "running", Attempt: 3}},
		{"a backend's escape codes", "train on gpu: running: a b[31m", "-- train on gpu: running: a b[31m --", "",
			launch.Notice{Phase: "running", Message: "a\nb\x1b[31m\r"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.line, statusText("train on gpu", tc.notice, tc.note, now))
			assert.Equal(t, tc.plain, statusPlain("train on gpu", tc.notice))
		})
	}
}

func TestLength(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": -time.Second, "59s": 59 * time.Second, "1m00s": time.Minute, "1h01m": 61 * time.Minute,
		"47h59m": 47*time.Hour + 59*time.Minute, "2d01h": 49 * time.Hour} {
		assert.Equal(t, want, length(d))
	}
}

func TestCut(t *testing.T) {
	assert.Equal(t, "äöü", cut("äöü", 3))
	assert.Equal(t, "ä...", cut("äöüßx", 4))
	assert.Equal(t, "...", cut("abcdef", 2))
}

// In a pipe the status is a line when the phase changes, and nothing else.
func TestPlainStatus(t *testing.T) {
	var out, err bytes.Buffer
	s := newScreen(&app{stdout: &out, stderr: &err}, "train on gpu")
	for range 3 {
		s.notice(launch.Notice{Kind: launch.Status, Phase: "queued", Message: "again"})
	}
	s.notice(launch.Notice{Kind: launch.Status, Phase: "running"})
	s.notice(launch.Notice{Kind: launch.Warning, Message: "careful"})
	s.tell("bye %d", 1)
	s.close()
	assert.Equal(t, "-- train on gpu: queued: again --\n-- train on gpu: running --\nWarning: careful\nbye 1\n", err.String())
	assert.Empty(t, out.String())
}

// log makes a spool with two streams, a gap and a partial line.
func testLog(t *testing.T) string {
	dir := t.TempDir()
	w, err := spool.OpenWriter(dir, spool.Options{Fence: 1})
	require.NoError(t, err)
	at := time.Date(2026, 1, 2, 15, 4, 5, 6_000_000, time.UTC)
	stdout, stderr := spool.Source{Attempt: 1, Stream: "stdout"}, spool.Source{Attempt: 1, Node: 1, Stream: "stderr"}
	require.NoError(t, w.Append(stdout, []spool.Entry{{Time: at, Data: []byte("one\ntw"), Partial: true}}))
	require.NoError(t, w.Append(stdout, []spool.Entry{{Time: at, Data: []byte("o\n")}}))
	require.NoError(t, w.Append(stderr, []spool.Entry{{Time: at, Data: []byte("oops\n")}}))
	require.NoError(t, w.Gap(stdout, spool.Gap{Certainty: spool.Possible, Reason: "rotated", Bytes: 3}))
	require.NoError(t, w.Append(spool.Source{Attempt: 2, Stream: "stdout"}, []spool.Entry{{Time: at, Data: []byte("\xff\n")}}))
	require.NoError(t, w.Finish())
	require.NoError(t, w.Close())
	return dir
}

func copyTestLog(t *testing.T, a *app, dir string, o logOptions) (string, string) {
	var out, err bytes.Buffer
	a.stdout, a.stderr = &out, &err
	r, e := spool.OpenReader(dir, spool.ReadOptions{Follow: true})
	require.NoError(t, e)
	defer func() { _ = r.Close() }()
	s := newScreen(a, "")
	require.NoError(t, newLogCopy(s, r, o, context.Background()).run(context.Background(), false))
	s.close()
	return out.String(), err.String()
}

func TestLogCopy(t *testing.T) {
	dir := testLog(t)
	out, err := copyTestLog(t, &app{}, dir, logOptions{})
	assert.Equal(t, "one\ntwo\n\xff\n", out, "the step's stdout, byte for byte")
	assert.Equal(t, "oops\n-- gap (possible): rotated, 3 bytes --\n", err)

	out, err = copyTestLog(t, &app{}, dir, logOptions{timestamps: true, prefix: true})
	assert.Equal(t, "2026-01-02T15:04:05.006Z [1.0 stdout] one\n2026-01-02T15:04:05.006Z [1.0 stdout] two\n2026-01-02T15:04:05.006Z [2.0 stdout] \xff\n", out)
	assert.Equal(t, "2026-01-02T15:04:05.006Z [1.1 stderr] oops\n-- gap (possible): rotated, 3 bytes --\n", err)

	out, err = copyTestLog(t, &app{}, dir, logOptions{fromAttempt: 2})
	assert.Equal(t, "\xff\n", out)
	assert.Empty(t, err)
}

// What stephost says itself begins on a line of its own; the log stays as it is.
func TestLogWithoutALineEnd(t *testing.T) {
	show := func(t *testing.T, a *app, stream string) {
		dir := t.TempDir()
		w, err := spool.OpenWriter(dir, spool.Options{Fence: 1})
		require.NoError(t, err)
		require.NoError(t, w.Append(spool.Source{Attempt: 1, Stream: stream}, []spool.Entry{{Data: []byte("no end")}}))
		require.NoError(t, w.Finish())
		require.NoError(t, w.Close())
		r, err := spool.OpenReader(dir, spool.ReadOptions{Follow: true})
		require.NoError(t, err)
		defer func() { _ = r.Close() }()
		s := newScreen(a, "")
		require.NoError(t, newLogCopy(s, r, logOptions{}, context.Background()).run(context.Background(), false))
		s.close()
		s.endLine()
		a.say("over")
	}
	for _, tc := range []struct {
		name, stream string
		one          bool // 2>&1
		out, err     string
	}{
		{"one file", "stdout", true, "no end\nover\n", ""},
		{"two files", "stdout", false, "no end", "over\n"},
		{"stderr", "stderr", false, "", "no end\nover\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			open := func(name string) *os.File {
				f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, f.Close()) })
				return f
			}
			read := func(name string) string {
				data, err := os.ReadFile(name)
				require.NoError(t, err)
				return string(data)
			}
			out, err := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "err")
			a := &app{stdout: &stdout{w: open(out)}, stderr: open(err)}
			if tc.one {
				a.stderr = open(out)
			}
			show(t, a, tc.stream)
			assert.Equal(t, tc.out, read(out))
			assert.Equal(t, tc.err, read(err))
		})
	}
}

func TestLogCopyJSON(t *testing.T) {
	out, err := copyTestLog(t, &app{output: "json"}, testLog(t), logOptions{})
	assert.Empty(t, err)
	assert.Equal(t, strings.Join([]string{
		`{"v":1,"type":"log","source":{"attempt":1,"node":0,"stream":"stdout"},"time":"2026-01-02T15:04:05.006Z","text":"one\ntw","partial":true}`,
		`{"v":1,"type":"log","source":{"attempt":1,"node":0,"stream":"stdout"},"time":"2026-01-02T15:04:05.006Z","text":"o\n"}`,
		`{"v":1,"type":"log","source":{"attempt":1,"node":1,"stream":"stderr"},"time":"2026-01-02T15:04:05.006Z","text":"oops\n"}`,
		`{"v":1,"type":"gap","source":{"attempt":1,"node":0,"stream":"stdout"},"time":"GAP","certainty":"possible","reason":"rotated","bytes":3}`,
		`{"v":1,"type":"log","source":{"attempt":2,"node":0,"stream":"stdout"},"time":"2026-01-02T15:04:05.006Z","base64":"/wo="}`,
	}, "\n")+"\n", replaceGapTime(out))
}

// replaceGapTime hides the time at which the mark was written.
func replaceGapTime(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if !strings.Contains(l, `"type":"gap"`) {
			continue
		}
		before, rest, _ := strings.Cut(l, `"time":"`)
		_, after, _ := strings.Cut(rest, `"`)
		lines[i] = before + `"time":"GAP"` + after
	}
	return strings.Join(lines, "")
}

// failing is an output that nobody reads any more.
type failing struct{ writes int }

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return 0, assert.AnError
}

func TestReaderGone(t *testing.T) {
	f := &failing{}
	var err bytes.Buffer
	s := newScreen(&app{stdout: f, stderr: &err}, "")
	r, e := spool.OpenReader(testLog(t), spool.ReadOptions{})
	require.NoError(t, e)
	defer func() { _ = r.Close() }()
	require.NoError(t, newLogCopy(s, r, logOptions{}, context.Background()).run(context.Background(), false))
	s.close()
	assert.Equal(t, 1, f.writes, "after the first failure nothing is tried again")
	assert.Contains(t, err.String(), "oops\n", "the other output goes on")
}
