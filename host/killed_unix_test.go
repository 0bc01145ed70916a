//go:build unix

package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/test/fault"
)

// noted registers the flavor with a plugin that notes its process at each start, and
// kills it while the file kill is there.
func (w *world) noted(h *host.Host) (kill string, pids func() []int) {
	t := w.t
	programs, err := fault.Build(w.ctx)
	require.NoError(t, err)
	real, err := programs.Install(t.TempDir(), "key")
	require.NoError(t, err)
	notes := t.TempDir()
	starts, kill := filepath.Join(notes, "starts"), filepath.Join(notes, "kill")
	plugin := filepath.Join(t.TempDir(), filepath.Base(real))
	script := fmt.Sprintf("#!/bin/sh\necho $$ >> %s\n[ -e %s ] && kill -KILL $$\nexec %s\n", starts, kill, real)
	require.NoError(t, os.WriteFile(plugin, []byte(script), 0o700))
	manifest, err := os.ReadFile(real + ".flavor.hcl")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(plugin+".flavor.hcl", manifest, 0o600))
	require.NoError(t, h.Registry().DeleteOperator(w.ctx, "op", nil))
	require.NoError(t, h.Registry().DeleteFlavor(w.ctx, "fault-key", nil))
	_, err = h.Registry().Register(w.ctx, plugin, registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(w.ctx, fmt.Appendf(nil, "operator \"op\" {\n  flavor = \"fault-key\"\n  config {\n    socket = %q\n  }\n}\n", w.backend.Socket), registry.WriteOptions{})
	require.NoError(t, err)
	return kill, func() (out []int) {
		data, err := os.ReadFile(starts)
		require.NoError(t, err)
		for _, word := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(word)
			require.NoError(t, err)
			out = append(out, pid)
		}
		return out
	}
}

// TestPluginKilledAtStart: somebody ends the plugin, and then again while it starts. The
// job goes on, and so does the drive.
func TestPluginKilledAtStart(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	kill, pids := w.noted(h)

	l, goOn, end := w.submitted(h, "")
	store, err := h.Runs(w.ctx)
	require.NoError(t, err)
	before := pids()
	require.NoError(t, os.WriteFile(kill, nil, 0o600))
	require.NoError(t, syscall.Kill(before[len(before)-1], syscall.SIGKILL))
	require.Eventually(t, func() bool {
		r, err := store.Run(w.ctx, l.ID())
		return err == nil && strings.Contains(r.StateReason, "killed by SIGKILL") && len(pids()) >= len(before)+3
	}, hang, 10*time.Millisecond, "the record says why the run is not watched")
	require.NoError(t, os.Remove(kill))
	goOn()
	r, err := end()
	require.NoError(t, err)
	assert.Equal(t, runs.ClassSucceeded, r.Verdict.Class)
	assert.Equal(t, 0, host.ResultOf(r, nil, 0).Exit)
}

// TestStoppedPlugin: a plugin that is stopped answers nothing, not even a cancel. It is
// ended, and the next one obeys.
func TestStoppedPlugin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "key")
	h := w.host()
	_, pids := w.noted(h)
	l, _, end := w.submitted(h, "")
	before := pids()
	require.NoError(t, syscall.Kill(before[len(before)-1], syscall.SIGSTOP))
	require.NoError(t, l.Cancel(w.ctx, runs.CauseUser, "somebody", false))
	r, err := end()
	require.NoError(t, err)
	assert.Equal(t, "cancelled", r.Verdict.Class)
	assert.Greater(t, len(pids()), len(before))
}
