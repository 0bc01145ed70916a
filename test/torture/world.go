package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/internal/failpoint"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 3 * time.Minute

// World is one home with one operator, and what the step is.
type World struct {
	t      *testing.T
	flavor *Flavor
	home   home.Home
	token  string
	lines  int
	last   []string // the launch that was made last

	// Dir is the world's directory: short, because sockets lie below it.
	Dir string
	// Launch holds more flags of `stephost launch`, beside the flavor's.
	Launch []string
	// BackendPID is set by Setup when its backend is a process whose environment
	// holds the world's directory.
	BackendPID int
}

func newWorld(t *testing.T, f *Flavor) *World {
	dir, err := os.MkdirTemp("", "tt")
	require.NoError(t, err)
	w := &World{t: t, flavor: f, Dir: dir, home: home.At(filepath.Join(dir, "home")), token: "torture/" + t.Name(), lines: 40}
	t.Cleanup(func() {
		w.killAll()
		_ = os.RemoveAll(dir)
	})
	f.Setup(t, w)
	return w
}

// Token is the run token of the world's run.
func (w *World) Token() string { return w.token }

// Witness is the world's own witness file, on this machine.
func (w *World) Witness() string { return filepath.Join(w.Dir, "witness") }

// OK runs stephost and fails the test unless it ends with 0.
func (w *World) OK(args ...string) (stdout string) {
	o := w.run(nil, args...)
	require.Equal(w.t, 0, o.code, "stephost %s\n%s%s", strings.Join(args, " "), o.stdout, o.stderr)
	return o.stdout
}

// script is the step: it notes that it ran, prints numbered lines and ends with
// code 3.
func (w *World) script(sleep string) string {
	witness := w.Witness()
	if w.flavor.Witness != nil {
		witness = w.flavor.Witness(w)
	}
	return fmt.Sprintf(`echo "$STEPHOST_ATTEMPT" >> %s; i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; [ $((i %% 10)) = 0 ] && sleep 0.02; done; %s exit 3`,
		witness, w.lines, sleep)
}

func (w *World) launchArgs(sleep string, more ...string) []string {
	args := append([]string{"launch", "--operator", "op", "--run-token", w.token, "--on-term", "cancel"}, more...)
	w.last = append(slices.Concat(args, w.flavor.Launch, w.Launch), "--", "sh", "-c", w.script(sleep))
	return w.last
}

// firstLaunch is launchArgs, with the caller's word that the token was never
// used where the backend cannot be asked for it.
func (w *World) firstLaunch() []string {
	if w.flavor.Idempotency == None {
		return w.launchArgs("", "--first")
	}
	return w.launchArgs("")
}

// command is a stephost of this world. Everything that it starts can be told by
// the world's directory in its environment.
func (w *World) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(built.stephost, args...)
	cmd.Dir = w.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.Dir, "TMPDIR=" + os.TempDir(),
		home.EnvVar + "=" + w.home.Root(), "XDG_STATE_HOME=" + filepath.Join(w.Dir, "state")}, env...)
	return cmd
}

// outcome of a finished process.
type outcome struct {
	code           int
	stdout, stderr string
}

func (w *World) run(env []string, args ...string) outcome {
	cmd := w.command(env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	require.NoError(w.t, cmd.Start())
	timer := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// arm is the environment that kills who reaches the failpoint first, once.
func (w *World) arm(point string) []string {
	return []string{failpoint.EnvVar + "=" + point, failpoint.OnceVar + "=" + filepath.Join(w.Dir, "died")}
}

func (w *World) died() bool {
	_, err := os.Stat(filepath.Join(w.Dir, "died"))
	return err == nil
}

// recovered runs `run recover --all` until the run is closed or unknown.
func (w *World) recovered() *runs.Run {
	for range 5 {
		o := w.run(nil, "run", "recover", "--all")
		r := w.record()
		if r == nil || r.State == runs.Closed || r.State == runs.Unknown {
			return r
		}
		w.t.Logf("after recover (exit %d) the run is %s: %s%s", o.code, r.State, o.stdout, o.stderr)
	}
	return w.record()
}

// record is the run as it is stored; nil when there is none.
func (w *World) record() *runs.Run {
	ctx := context.Background()
	store, err := runs.Open(ctx, w.home.Runs(), runs.Options{})
	require.NoError(w.t, err)
	defer store.Close()
	r, err := store.ByToken(ctx, w.token)
	var missing *runs.NotFoundError
	if errors.As(err, &missing) {
		return nil
	}
	require.NoError(w.t, err)
	return r
}

// attempts that the step itself noted.
func (w *World) attempts() []string {
	if w.flavor.Attempts != nil {
		return w.flavor.Attempts(w)
	}
	data, err := os.ReadFile(w.Witness())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(w.t, err)
	return strings.Fields(string(data))
}

// started waits until the step's process has left its mark.
func (w *World) started() {
	require.Eventually(w.t, func() bool { return len(w.attempts()) == 1 }, hang, 10*time.Millisecond)
}

// processes are those whose environment holds this world's directory.
func (w *World) processes(more ...string) []int {
	entries, err := os.ReadDir("/proc")
	require.NoError(w.t, err)
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == w.BackendPID {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !bytes.Contains(env, []byte("HOME="+w.Dir)) {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && len(stat) > i+2 && stat[i+2] == 'Z' {
			continue
		}
		cmdline := commandLine(pid)
		if len(more) > 0 && !slices.ContainsFunc(more, func(s string) bool { return strings.Contains(cmdline, s) }) {
			continue
		}
		if w.flavor.Foreign != nil && w.flavor.Foreign(pid, cmdline) {
			continue
		}
		out = append(out, pid)
	}
	return out
}

func commandLine(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.ReplaceAll(string(data), "\x00", " ")
}

// plugins are the plugin processes (not the runners of jobs).
func (w *World) plugins() []int {
	return slices.DeleteFunc(w.processes("stephost-flavor-", "/proc/self/fd/"), func(pid int) bool {
		return strings.Contains(commandLine(pid), "runner")
	})
}

func kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
		_ = p.Release()
	}
}

func (w *World) killPlugins() {
	for _, pid := range w.plugins() {
		kill(pid)
	}
}

func (w *World) killAll() {
	for _, pid := range w.processes() {
		kill(pid)
	}
}
