package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/internal/failpoint"
	"github.com/stephost/stephost/test/fault"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 3 * time.Minute

// built are the programs, made once.
var built struct {
	dir      string
	stephost string
	fault    *fault.Programs
}

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	built.dir, built.stephost = dir, filepath.Join(dir, "bin", "stephost")
	for out, pkg := range map[string]string{
		built.stephost: root + "/cmd/stephost",
		filepath.Join(dir, "bin", "plugins", "stephost-flavor-local"): root + "/plugins/local",
	} {
		cmd := exec.Command("go", "build", "-tags", "failpoint", "-o", out, ".")
		cmd.Dir = pkg
		if text, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("building %s: %w\n%s", pkg, err, text)
		}
	}
	os.Setenv("GOFLAGS", "-tags=failpoint")
	os.Setenv(fault.EnvCache, filepath.Join(dir, "fault"))
	if built.fault, err = fault.Build(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// world is one home with one operator, and what the step is.
type world struct {
	t       *testing.T
	flavor  string // "local", "fault-key", "fault-search", "fault-none"
	dir     string
	home    home.Home
	backend *fault.Backend
	witness string
	token   string
	lines   int
}

func newWorld(t *testing.T, flavor string) *world {
	// A short path: sockets lie below it.
	dir, err := os.MkdirTemp("", "tt")
	require.NoError(t, err)
	w := &world{t: t, flavor: flavor, dir: dir, home: home.At(filepath.Join(dir, "home")), witness: filepath.Join(dir, "witness"), token: "torture/" + t.Name(), lines: 40}
	t.Cleanup(func() {
		w.killAll()
		_ = os.RemoveAll(dir)
	})
	config := ""
	if variant, ok := strings.CutPrefix(flavor, "fault-"); ok {
		w.backend, err = built.fault.Start(context.Background(), filepath.Join(dir, "backend"))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, w.backend.Stop()) })
		plugin, err := built.fault.Install(dir, variant)
		require.NoError(t, err)
		w.ok("flavor", "register", plugin)
		config = "--socket=" + w.backend.Socket
	}
	args := []string{"operator", "register", "op", "--flavor=" + flavor}
	if config != "" {
		args = append(args, config)
	}
	w.ok(args...)
	return w
}

// script is the step: it notes that it ran, prints numbered lines and ends with
// code 3.
func (w *world) script(sleep string) string {
	return fmt.Sprintf(`echo "$STEPHOST_ATTEMPT" >> %s; i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; [ $((i %% 10)) = 0 ] && sleep 0.02; done; %s exit 3`,
		w.witness, w.lines, sleep)
}

func (w *world) launchArgs(sleep string) []string {
	return []string{"launch", "--operator", "op", "--run-token", w.token, "--on-term", "cancel", "--", "sh", "-c", w.script(sleep)}
}

// command is a stephost of this world. Everything that it starts can be told by
// the world's directory in its environment.
func (w *world) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(built.stephost, args...)
	cmd.Dir = w.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.TempDir(),
		home.EnvVar + "=" + w.home.Root(), "XDG_STATE_HOME=" + filepath.Join(w.dir, "state")}, env...)
	return cmd
}

// outcome of a finished process.
type outcome struct {
	code           int
	stdout, stderr string
}

func (w *world) run(env []string, args ...string) outcome {
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

func (w *world) ok(args ...string) outcome {
	o := w.run(nil, args...)
	require.Equal(w.t, 0, o.code, "stephost %s\n%s%s", strings.Join(args, " "), o.stdout, o.stderr)
	return o
}

// arm is the environment that kills who reaches the failpoint first, once.
func (w *world) arm(point string) []string {
	return []string{failpoint.EnvVar + "=" + point, failpoint.OnceVar + "=" + filepath.Join(w.dir, "died")}
}

func (w *world) died() bool {
	_, err := os.Stat(filepath.Join(w.dir, "died"))
	return err == nil
}

// recovered runs `run recover --all` until the run is closed or unknown.
func (w *world) recovered() *runs.Run {
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
func (w *world) record() *runs.Run {
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
func (w *world) attempts() []string {
	data, err := os.ReadFile(w.witness)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(w.t, err)
	return strings.Fields(string(data))
}

// checkOnce: no attempt ran twice.
func (w *world) checkOnce() {
	ran := w.attempts()
	for i, a := range ran {
		assert.NotContains(w.t, ran[:i], a, "attempt %s ran twice", a)
	}
}

// checkLog: every line once and in order, or a mark where it may not be.
func (w *world) checkLog(r *runs.Run) {
	store, err := runs.Open(context.Background(), w.home.Runs(), runs.Options{})
	require.NoError(w.t, err)
	defer store.Close()
	reader, err := spool.OpenReader(store.LogDir(r.ID), spool.ReadOptions{})
	require.NoError(w.t, err)
	defer reader.Close()
	text, marked := map[int32]*strings.Builder{}, false
	for {
		rec, err := reader.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(w.t, err)
		switch {
		case rec.Kind == spool.KindGap:
			marked = true
			w.t.Logf("gap (%s): %s", rec.Gap.Certainty, rec.Gap.Reason)
		case rec.Kind == spool.KindEntry && rec.Source.Stream == "stdout":
			if text[rec.Source.Attempt] == nil {
				text[rec.Source.Attempt] = &strings.Builder{}
			}
			text[rec.Source.Attempt].Write(rec.Entry.Data)
		}
	}
	assert.False(w.t, marked, "nothing in these scenarios loses a line")
	var want strings.Builder
	for i := 1; i <= w.lines; i++ {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	last := int32(len(r.Attempts))
	got := ""
	if text[last] != nil {
		got = text[last].String()
	}
	assert.Equal(w.t, want.String(), got, "the log of attempt %d", last)
}

// checkNothingLeft: no process that knows this world lives.
func (w *world) checkNothingLeft() {
	assert.Eventually(w.t, func() bool { return len(w.processes()) == 0 }, 30*time.Second, 20*time.Millisecond, "processes are left")
	if left := w.processes(); len(left) > 0 {
		for _, pid := range left {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			w.t.Logf("left: %d %q", pid, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
}

// processes are those whose environment holds this world's directory.
func (w *world) processes(more ...string) []int {
	entries, err := os.ReadDir("/proc")
	require.NoError(w.t, err)
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || (w.backend != nil && pid == w.backend.PID()) {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !bytes.Contains(env, []byte("HOME="+w.dir)) {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && len(stat) > i+2 && stat[i+2] == 'Z' {
			continue
		}
		if len(more) > 0 {
			cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if !slices.ContainsFunc(more, func(s string) bool { return bytes.Contains(cmdline, []byte(s)) }) {
				continue
			}
		}
		out = append(out, pid)
	}
	return out
}

// plugins are the plugin processes (not the runners of jobs).
func (w *world) plugins() []int {
	return slices.DeleteFunc(w.processes("stephost-flavor-", "/proc/self/fd/"), func(pid int) bool {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return bytes.Contains(cmdline, []byte("runner"))
	})
}

func (w *world) killAll() {
	for _, pid := range w.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
