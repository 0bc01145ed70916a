//go:build linux

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/spark"
)

// TestStandaloneWorkerLost: the master loses the worker that runs a driver, and says
// that the driver is in ERROR, but the driver runs on. There is no second attempt
// beside it, though one is allowed.
func TestStandaloneWorkerLost(t *testing.T) {
	dir, err := os.MkdirTemp("", "spl")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c, err := spark.Start(context.Background(), install, dir, 2, "spark.worker.timeout 4")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Stop()) })
	w := onCluster(t, c)
	witness, result := filepath.Join(w.dir, "witness"), filepath.Join(w.dir, "result")
	cmd := w.command("launch", "--operator", "op", "--source", w.source(), "--set", "deploy_mode=cluster", "--set", "driver_memory=512m",
		"--env", "WITNESS="+witness, "--retry-system=1", "--timeout-log-drain=2s", "--result-file", result,
		"--", "sh", "-c", `echo "$STEPHOST_ATTEMPT" >> "$WITNESS"; sleep 90`)
	var stderr syncBuffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	ran := func() []string {
		text, _ := os.ReadFile(witness) // not there yet
		return strings.Fields(string(text))
	}
	require.Eventually(t, func() bool { return len(ran()) == 1 }, hang, 50*time.Millisecond, "%s", &stderr)
	for n, worker := range c.Workers {
		found, err := filepath.Glob(filepath.Join(dir, "worker"+string(rune('0'+n)), "driver-*"))
		require.NoError(t, err)
		if len(found) > 0 {
			pid := worker.Process.Pid
			require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
		}
	}
	_ = cmd.Wait()
	assert.Equal(t, 75, cmd.ProcessState.ExitCode(), "%s", &stderr)
	text, err := os.ReadFile(result)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"lost"`)
	assert.Contains(t, stderr.String(), "may still run")
	assert.NotEmpty(t, processes("WITNESS="+witness), "it does")
	assert.Equal(t, []string{"1"}, ran())
	assert.Len(t, driverList(t, c), 1)
}
