package torture

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
)

// asleep is longer than the step's run limit, and that is much longer than the step
// takes: beside other tests a second has become three.
const asleep = 11 * time.Second

// TestTortureSleep: the laptop's lid is closed across the run limit. The step,
// on another machine as far as stephost knows, ends well meanwhile.
func TestTortureSleep(t *testing.T) {
	newSlots().take(t)
	w := newWorld(t, new(faulty(Key)))
	cmd := w.command(nil, w.launchArgs("sleep 1;", "--timeout-run", "10s")...)
	require.NoError(t, cmd.Start())
	w.started()
	stopped := append(w.plugins(), cmd.Process.Pid)
	for _, pid := range stopped {
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	time.Sleep(asleep) // the passing of time is what is tested
	for _, pid := range stopped {
		require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	}
	_ = cmd.Wait()
	assert.Equal(t, 3, cmd.ProcessState.ExitCode())
	r := w.record()
	require.NotNil(t, r)
	assert.Nil(t, r.Intent)
	w.check(r, false, false)
}

// TestTortureDetached: the follower owns detached runs, survives their
// launchers, and ends with the last one.
func TestTortureDetached(t *testing.T) {
	free := newSlots()
	for _, f := range []Flavor{local(), faulty(Key)} {
		t.Run(f.Name, func(t *testing.T) {
			free.take(t)
			w := newWorld(t, &f)
			o := w.run(nil, w.launchArgs("sleep 1;", "--detach")...)
			require.Equal(t, 0, o.code, o.stderr)
			id := strings.TrimSpace(o.stdout)
			r := w.record()
			require.NotNil(t, r)
			assert.Equal(t, r.ID, id, "stdout is the ID alone")
			o = w.run(nil, "run", "wait", id)
			assert.Equal(t, 3, o.code, o.stderr)
			w.check(w.record(), false, false)
		})
	}
}

// TestTortureFollowerDies: whoever kills the follower finds the run again.
func TestTortureFollowerDies(t *testing.T) {
	newSlots().take(t)
	w := newWorld(t, new(local()))
	o := w.run(nil, w.launchArgs("sleep 1;", "--detach")...)
	require.Equal(t, 0, o.code, o.stderr)
	w.started()
	for _, pid := range w.processes("follower") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	w.check(w.recovered(), false, false)
}

// TestTortureEmptyHome: the machine is gone with its store between two launches
// of one token.
func TestTortureEmptyHome(t *testing.T) {
	free := newSlots()
	for _, f := range []Flavor{local(), faulty(Key), faulty(Search)} {
		t.Run(f.Name, func(t *testing.T) {
			free.take(t)
			w := newWorld(t, &f)
			cmd := w.command(nil, w.launchArgs("sleep 1;")...)
			require.NoError(t, cmd.Start())
			w.started()
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait()
			for _, dir := range []string{w.home.Runs(), w.home.Owners(), w.home.Work()} {
				w.OK("version") // nothing of stephost needs them to be there
				require.NoError(t, os.RemoveAll(dir))
			}
			o := w.run(nil, w.launchArgs("sleep 1;")...)
			assert.Equal(t, 3, o.code, o.stderr)
			assert.True(t, strings.HasPrefix(o.stdout, "line 1\n"), "the log is read from its start")
			r := w.record()
			require.NotNil(t, r)
			assert.True(t, r.Attempts[0].Existing)
			w.check(r, false, false)
		})
	}
}

// TestTortureAnotherMachine: a run that another home launched is shown, read,
// and cancelled by operator and token.
func TestTortureAnotherMachine(t *testing.T) {
	newSlots().take(t)
	w := newWorld(t, new(local()))
	cmd := w.command(nil, w.launchArgs("sleep 600;")...)
	require.NoError(t, cmd.Start())
	w.started()

	other := home.EnvVar + "=" + w.Dir + "/other"
	w.run([]string{other}, "operator", "register", "op", "--flavor=local")
	o := w.run([]string{other}, "run", "show", "--operator", "op", "--token", "nobody's")
	assert.Equal(t, 125, o.code, o.stdout)
	o = w.run([]string{other}, "run", "show", "--operator", "op", "--token", w.token)
	require.Equal(t, 0, o.code, o.stderr)
	// Nor does the operator have to be registered where the project has it.
	project := filepath.Join(w.Dir, "project")
	require.NoError(t, os.Mkdir(project, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(project, "stephost.hcl"), []byte("operator \"mine\" {\n  flavor = \"local\"\n}\n"), 0o600))
	o = w.run([]string{home.EnvVar + "=" + w.Dir + "/third"}, "-C", project, "run", "show", "--operator", "mine", "--token", w.token)
	require.Equal(t, 0, o.code, o.stderr)
	o = w.run([]string{other}, "run", "cancel", "--operator", "op", "--token", w.token)
	assert.Equal(t, 0, o.code, o.stderr)
	_ = cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), "the launcher hears of it from the backend")
	w.checkNothingLeft()
}
