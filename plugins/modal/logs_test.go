package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	stdout = "1/0/0/step/stdout"
	stderr = "1/0/0/step/stderr"
)

// counted is the log of a step that prints so many numbered lines.
func counted(n int) string {
	var out strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&out, "line %d\n", i)
	}
	return out.String()
}

// script prints numbered lines to both outputs, and waits for a file after half
// of them.
func script(n int, gate string) string {
	return fmt.Sprintf(`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; echo "line $i" >&2; if [ $i = %d ]; then while [ ! -e %s ]; do sleep 0.02; done; fi; done`, n, n/2, gate)
}

// gaps reads a log to its end and returns the marks in it, and all text by
// source.
func (h *harness) gaps(key string, handle *operatorv1.Handle, cursors map[string]string) (gaps []*operatorv1.LogGap, text map[string]string) {
	stream, err := h.Plugin.Logs(h.Ctx(), &operatorv1.LogsRequest{Target: h.Target, Handle: handle, Key: key, Follow: true, Cursors: cursors})
	require.NoError(h.T, err)
	text = map[string]string{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return gaps, text
		}
		require.NoError(h.T, err)
		if m.Gap != nil {
			gaps = append(gaps, m.Gap)
		}
		for _, e := range m.GetEntries() {
			text[m.Source.Name] += string(e.Data)
		}
	}
}

// TestLogsResume: a log goes on behind its cursors, at any place where it was
// broken, without loss and without coming again.
func TestLogsResume(t *testing.T) {
	h := newHarness(t)
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			gate := filepath.Join(t.TempDir(), "gate")
			s := h.on(backend, h.Step("resume "+backend, script(2000, gate)))
			handle := h.Accepted(s)
			stream, err := h.Plugin.Logs(h.Ctx(), &operatorv1.LogsRequest{Target: h.Target, Handle: handle, Key: s.Key, Follow: true})
			require.NoError(t, err)
			text, cursors := map[string]string{}, map[string]string{}
			for strings.Count(text[stdout], "\n") < 500 || strings.Count(text[stderr], "\n") < 500 {
				m, err := stream.Recv()
				require.NoError(t, err)
				for _, e := range m.GetEntries() {
					text[m.Source.Name] += string(e.Data)
					cursors[m.Source.Name] = e.Cursor
				}
			}
			require.NoError(t, os.WriteFile(gate, nil, 0o600))
			gaps, rest := h.gaps(s.Key, handle, cursors)
			assert.Empty(t, gaps)
			for _, source := range []string{stdout, stderr} {
				assert.Equal(t, counted(2000), text[source]+rest[source], source)
			}
			// Without following, and from the start.
			once, err := h.Plugin.Logs(h.Ctx(), &operatorv1.LogsRequest{Target: h.Target, Handle: handle, Key: s.Key})
			require.NoError(t, err)
			again := ""
			for {
				m, err := once.Recv()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				if m.GetSource().GetName() == stdout {
					for _, e := range m.Entries {
						again += string(e.Data)
					}
				}
			}
			assert.Equal(t, counted(2000), again)
		})
	}
}

// TestLogsThroughFaults: streams that break and a service that is away lose
// nothing.
func TestLogsThroughFaults(t *testing.T) {
	h := newHarness(t)
	for backend, op := range map[string]string{"v1": "SandboxGetLogs", "v2": "SandboxStdioReadV2"} {
		t.Run(backend, func(t *testing.T) {
			gate := filepath.Join(t.TempDir(), "gate")
			s := h.on(backend, h.Step("faults "+backend, script(1000, gate)))
			handle := h.Accepted(s)
			require.NoError(t, h.Add(h.Ctx(), cloudfake.Rule{Op: op, Times: 4, Fault: cloudfake.Fault{Kind: cloudfake.Drop}}))
			require.NoError(t, h.Add(h.Ctx(), cloudfake.Rule{Op: "SandboxWait*", Times: 3, Fault: cloudfake.Fault{Kind: cloudfake.Internal}}))
			require.NoError(t, os.WriteFile(gate, nil, 0o600))
			gaps, text := h.gaps(s.Key, handle, nil)
			assert.Empty(t, gaps)
			assert.Equal(t, counted(1000), text[stdout])
			assert.Equal(t, counted(1000), text[stderr])
		})
	}
}

// TestTheMachineIsGone: the log of an ended sandbox whose machine has gone is read
// from what Modal stores; where both were read, that is marked.
func TestTheMachineIsGone(t *testing.T) {
	h := newHarness(t)
	s := h.Step("gone", "echo one; echo two; echo trouble >&2")
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	_, cursors := h.Logs(s.Key, handle, nil)
	require.NoError(t, h.Set(h.Ctx(), "machine_keeps_ms", "0"))
	gaps, text := h.gaps(s.Key, handle, nil)
	assert.Empty(t, gaps, "nothing was read before, and all of it is there")
	assert.Equal(t, map[string]string{stdout: "one\ntwo\n", stderr: "trouble\n"}, text)
	gaps, text = h.gaps(s.Key, handle, map[string]string{stdout: "0:4", stderr: cursors[stderr]})
	require.NotEmpty(t, gaps)
	assert.Equal(t, operatorv1.LogGap_CERTAINTY_POSSIBLE, gaps[0].Certainty)
	assert.Equal(t, map[string]string{stdout: "two\n"}, text)
}

// TestOnlyTheLatestIsKept: output that the machine has thrown away is a proven
// gap of so many bytes.
func TestOnlyTheLatestIsKept(t *testing.T) {
	h := newHarness(t)
	s := h.Step("kept", script(1000, "/"))
	handle := h.Accepted(s)
	h.Watch(s.Key, handle)
	const kept = 500
	require.NoError(t, h.Set(h.Ctx(), "machine_retains", fmt.Sprint(kept)))
	gaps, text := h.gaps(s.Key, handle, nil)
	require.Len(t, gaps, 2)
	all := counted(1000)
	for _, g := range gaps {
		assert.Equal(t, operatorv1.LogGap_CERTAINTY_PROVEN, g.Certainty)
		assert.EqualValues(t, len(all)-kept, g.Bytes)
	}
	assert.Equal(t, all[len(all)-kept:], text[stdout])
}

// TestLogsOfWhatNeverStarted: a sandbox that ends before it has a process has a
// log without a line, and the log ends.
func TestLogsOfWhatNeverStarted(t *testing.T) {
	h := newHarness(t)
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			h.Life(cloudfake.Life{QueuedMS: 600_000})
			s := h.on(backend, h.Step("never "+backend, "true"))
			handle := h.Accepted(s)
			require.NotNil(t, h.Cancel(s.Key, handle).GetAccepted())
			h.Watch(s.Key, handle)
			begun := time.Now()
			gaps, text := h.gaps(s.Key, handle, nil)
			assert.Empty(t, gaps)
			assert.Empty(t, text)
			assert.Less(t, time.Since(begun), cloudtest.Hang/2)
		})
	}
}
