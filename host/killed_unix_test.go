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

// TestPluginKilledAtStart: somebody ends the plugin, and then again while it starts. The
// job goes on, and so does the drive.
func TestPluginKilledAtStart(t *testing.T) {
	w := newWorld(t, "key")
	programs, err := fault.Build(w.ctx)
	require.NoError(t, err)
	real, err := programs.Install(t.TempDir(), "key")
	require.NoError(t, err)
	// A plugin that notes its process, and kills it while a file is there.
	notes := t.TempDir()
	starts, kill := filepath.Join(notes, "starts"), filepath.Join(notes, "kill")
	plugin := filepath.Join(t.TempDir(), filepath.Base(real))
	script := fmt.Sprintf("#!/bin/sh\necho $$ >> %s\n[ -e %s ] && kill -KILL $$\nexec %s\n", starts, kill, real)
	require.NoError(t, os.WriteFile(plugin, []byte(script), 0o700))
	manifest, err := os.ReadFile(real + ".flavor.hcl")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(plugin+".flavor.hcl", manifest, 0o600))
	h := w.host()
	require.NoError(t, h.Registry().DeleteOperator(w.ctx, "op", nil))
	require.NoError(t, h.Registry().DeleteFlavor(w.ctx, "fault-key", nil))
	_, err = h.Registry().Register(w.ctx, plugin, registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = h.Registry().PutOperatorText(w.ctx, fmt.Appendf(nil, "operator \"op\" {\n  flavor = \"fault-key\"\n  config {\n    socket = %q\n  }\n}\n", w.backend.Socket), registry.WriteOptions{})
	require.NoError(t, err)
	pids := func() []string {
		data, err := os.ReadFile(starts)
		require.NoError(t, err)
		return strings.Fields(string(data))
	}

	l, goOn, end := w.submitted(h, "")
	store, err := h.Runs(w.ctx)
	require.NoError(t, err)
	before := len(pids())
	require.NoError(t, os.WriteFile(kill, nil, 0o600))
	pid, err := strconv.Atoi(pids()[before-1])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Eventually(t, func() bool {
		r, err := store.Run(w.ctx, l.ID())
		return err == nil && strings.Contains(r.StateReason, "killed by SIGKILL") && len(pids()) >= before+3
	}, hang, 10*time.Millisecond, "the record says why the run is not watched")
	require.NoError(t, os.Remove(kill))
	goOn()
	r, err := end()
	require.NoError(t, err)
	assert.Equal(t, runs.ClassSucceeded, r.Verdict.Class)
	assert.Equal(t, 0, host.ResultOf(r, nil, 0).Exit)
}
