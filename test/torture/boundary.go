package torture

import (
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slots bounds how many worlds live at once on a machine with two cores.
type slots chan struct{}

func newSlots() slots { return make(slots, 4) }

func (s slots) take(t *testing.T) {
	t.Parallel()
	s <- struct{}{}
	t.Cleanup(func() { <-s })
}

// hostDies kills the host at every boundary, and the plugin with it in every
// second scenario.
func hostDies(t *testing.T, f *Flavor, free slots) {
	for i, point := range f.hostPoints() {
		both := i%2 == 0
		t.Run(fmt.Sprintf("%s/both=%v", point, both), func(t *testing.T) {
			free.take(t)
			w := newWorld(t, f)
			o := w.run(w.arm(point), w.firstLaunch()...)
			if both {
				w.killPlugins()
			}
			require.True(t, w.died(), "the failpoint was not reached: exit %d\n%s", o.code, o.stderr)
			assert.Equal(t, -1, o.code)
			may, must := f.unknown(point)
			w.check(w.recovered(), may, must)
		})
	}
}

// pluginDies kills the plugin inside every call: the host goes on by itself.
func pluginDies(t *testing.T, f *Flavor, free slots) {
	for _, point := range f.pluginPoints() {
		t.Run(point, func(t *testing.T) {
			free.take(t)
			w := newWorld(t, f)
			o := w.run(w.arm(point), w.firstLaunch()...)
			require.True(t, w.died(), "the failpoint was not reached: exit %d\n%s", o.code, o.stderr)
			may, must := f.unknown(point)
			if !may {
				assert.Equal(t, f.exitCode(), o.code, "the host came through by itself: %s", o.stderr)
			}
			w.check(w.recovered(), may, must)
		})
	}
}

// cancels kills the host, or the plugin in its window, at a boundary and then
// cancels: the job is gone at the end, or the outcome says that nobody can know.
func cancels(t *testing.T, f *Flavor, free slots) {
	before, within := f.cancelPoints()
	for _, point := range before {
		t.Run(point, func(t *testing.T) {
			free.take(t)
			w := newWorld(t, f)
			w.run(w.arm(point), w.launchArgs("sleep 600;")...)
			require.True(t, w.died())
			w.checkCancelled(f.unknown(point))
		})
	}
	for _, point := range within {
		t.Run(point, func(t *testing.T) {
			free.take(t)
			w := newWorld(t, f)
			cmd := w.command(w.arm(point), w.launchArgs("sleep 600;")...)
			require.NoError(t, cmd.Start())
			w.started()
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			_ = cmd.Wait()
			require.True(t, w.died())
			w.checkCancelled(false, false)
		})
	}
}

// SameToken launches one token from many processes at once: there is one job,
// and all report its verdict.
func SameToken(t *testing.T, f Flavor, processes int) {
	w := newWorld(t, &f)
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
		assert.Equal(t, f.exitCode(), code, "process %d", i)
	}
	assert.Equal(t, []string{"1"}, w.attempts())
	w.checkNothingLeft()
}
