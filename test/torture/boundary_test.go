package torture

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/runs"
)

var flavors = []string{"local", "fault-key", "fault-search", "fault-none"}

var hostPoints = []string{
	"host-preparing", "host-submitting", "host-answered", "host-submitted", "host-watching",
	"host-ended", "host-concluding", "host-concluded", "host-draining", "host-cleaning",
}

var pluginPoints = []string{
	"plugin-scope", "plugin-validate", "plugin-find", "plugin-find-done",
	"plugin-submit", "plugin-submit-done", "plugin-watch", "plugin-logs", "plugin-logs-done", "plugin-cleanup", "plugin-cleanup-done",
}

// mayBeUnknown tells where the truth is that nobody can know: the answer to
// Submit was lost, or it was never sent, and the backend cannot prove which.
func mayBeUnknown(flavor, point string) bool {
	switch point {
	case "host-submitting", "plugin-submit":
		return flavor == "fault-search" || flavor == "fault-none"
	case "host-answered", "plugin-submit-done":
		return flavor == "fault-none"
	}
	return false
}

// parallel bounds how many worlds live at once on a machine with two cores.
var parallel = make(chan struct{}, 4)

func slot(t *testing.T) {
	t.Parallel()
	parallel <- struct{}{}
	t.Cleanup(func() { <-parallel })
}

// TestTortureHostDies kills the host at every boundary, and the plugin with it
// in every second scenario.
func TestTortureHostDies(t *testing.T) {
	for _, flavor := range flavors {
		for i, point := range hostPoints {
			both := i%2 == 0
			t.Run(fmt.Sprintf("%s/%s/both=%v", flavor, point, both), func(t *testing.T) {
				slot(t)
				w := newWorld(t, flavor)
				args := w.launchArgs("")
				if flavor == "fault-none" {
					args = append([]string{"launch", "--first"}, args[1:]...)
				}
				o := w.run(w.arm(point), args...)
				if both {
					for _, pid := range w.plugins() {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}
				require.True(t, w.died(), "the failpoint was not reached: exit %d\n%s", o.code, o.stderr)
				assert.Equal(t, -1, o.code)
				w.check(w.recovered(), mayBeUnknown(flavor, point))
			})
		}
	}
}

// TestTorturePluginDies kills the plugin inside every call: the host goes on by
// itself.
func TestTorturePluginDies(t *testing.T) {
	for _, flavor := range flavors {
		for _, point := range pluginPoints {
			if flavor == "fault-none" && strings.HasPrefix(point, "plugin-find") {
				continue // it has no Find
			}
			t.Run(flavor+"/"+point, func(t *testing.T) {
				slot(t)
				w := newWorld(t, flavor)
				args := w.launchArgs("")
				if flavor == "fault-none" {
					args = append([]string{"launch", "--first"}, args[1:]...)
				}
				o := w.run(w.arm(point), args...)
				require.True(t, w.died(), "the failpoint was not reached: exit %d\n%s", o.code, o.stderr)
				if !mayBeUnknown(flavor, point) {
					assert.Equal(t, 3, o.code, "the host came through by itself: %s", o.stderr)
				}
				w.check(w.recovered(), mayBeUnknown(flavor, point))
			})
		}
	}
}

// check is what must hold after the last recovery.
func (w *world) check(r *runs.Run, unknown bool) {
	require.NotNil(w.t, r)
	w.checkOnce()
	if unknown && r.State == runs.Unknown {
		return
	}
	require.Equal(w.t, runs.Closed, r.State, r.StateReason)
	require.NotNil(w.t, r.Verdict)
	assert.Equal(w.t, "user", r.Verdict.Class, r.Verdict.Message)
	if assert.NotNil(w.t, r.Verdict.ExitCode) {
		assert.Equal(w.t, 3, *r.Verdict.ExitCode)
	}
	assert.Len(w.t, w.attempts(), 1)
	w.checkLog(r)
	w.checkNothingLeft()
}

// TestTortureCancel kills the host at a boundary and then cancels: the job is
// gone at the end, or the outcome says that nobody can know.
func TestTortureCancel(t *testing.T) {
	for _, flavor := range []string{"local", "fault-key", "fault-search"} {
		for _, point := range []string{"host-preparing", "host-submitting", "host-answered", "host-submitted", "host-watching"} {
			t.Run(flavor+"/"+point, func(t *testing.T) {
				slot(t)
				w := newWorld(t, flavor)
				w.run(w.arm(point), w.launchArgs("sleep 600;")...)
				require.True(t, w.died())
				w.cancelled(mayBeUnknown(flavor, point))
			})
		}
		for _, point := range []string{"host-cancelling", "host-cancel-sent", "host-concluding"} {
			t.Run(flavor+"/"+point, func(t *testing.T) {
				slot(t)
				w := newWorld(t, flavor)
				cmd := w.command(w.arm(point), w.launchArgs("sleep 600;")...)
				require.NoError(t, cmd.Start())
				require.Eventually(t, func() bool { return len(w.attempts()) == 1 }, hang, 10*time.Millisecond)
				require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
				_ = cmd.Wait()
				require.True(t, w.died())
				w.cancelled(false)
			})
		}
	}
}

func (w *world) cancelled(unknown bool) {
	if r := w.record(); r != nil && r.Intent == nil {
		w.run(nil, "run", "cancel", r.ID)
	}
	r := w.recovered()
	require.NotNil(w.t, r)
	w.checkOnce()
	if unknown && r.State == runs.Unknown {
		return
	}
	require.Equal(w.t, runs.Closed, r.State, r.StateReason)
	assert.Equal(w.t, "cancelled", r.Verdict.Class, r.Verdict.Message)
	w.checkNothingLeft()
}

// TestTortureSameToken: many processes launch one token at once; there is one
// job, and all report its verdict.
func TestTortureSameToken(t *testing.T) {
	processes := 100
	if testing.Short() {
		processes = 20
	}
	for _, flavor := range []string{"local", "fault-key"} {
		t.Run(flavor, func(t *testing.T) {
			w := newWorld(t, flavor)
			var wg sync.WaitGroup
			codes := make([]int, processes)
			cmds := make([]*exec.Cmd, processes)
			for i := range processes {
				cmds[i] = w.command(nil, w.launchArgs("sleep 1;")...)
				require.NoError(t, cmds[i].Start())
			}
			for i, cmd := range cmds {
				wg.Go(func() {
					_ = cmd.Wait()
					codes[i] = cmd.ProcessState.ExitCode()
				})
			}
			wg.Wait()
			for i, code := range codes {
				assert.Equal(t, 3, code, "process %d", i)
			}
			assert.Equal(t, []string{"1"}, w.attempts())
			w.checkNothingLeft()
		})
	}
}
