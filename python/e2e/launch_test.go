package e2e

import (
	"context"
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
)

func TestLaunch(t *testing.T) {
	w := newWorld(t, example, "  config {\n    slots = 3\n  }")
	h := w.host()

	t.Run("exit code, streams, progress", func(t *testing.T) {
		l := w.start(h, `echo hello; echo "progress: half of it"; echo oops >&2; echo '::stephost value a=[1]'; sleep 0.3; exit 3`, "")
		v := w.wait(l)
		assert.Equal(t, "user", v.Class, v.Message)
		require.NotNil(t, v.ExitCode)
		assert.Equal(t, 3, *v.ExitCode)
		out, gaps := w.log(l.Session, "stdout")
		assert.Equal(t, "hello\nprogress: half of it\n::stephost value a=[1]\n", out)
		assert.Zero(t, gaps)
		errs, _ := w.log(l.Session, "stderr")
		assert.Equal(t, "oops\n", errs)
		r, err := l.Wait(w.ctx)
		require.NoError(t, err)
		assert.Equal(t, "[1]", string(r.Values["a"]))
		shown := false
		for len(w.notices) > 0 {
			shown = shown || (<-w.notices).Message == "half of it"
		}
		assert.True(t, shown, "the progress is shown")
	})

	t.Run("argv, env and secrets arrive as they are", func(t *testing.T) {
		t.Setenv("E2E_SECRET", "s3cr3t \"quoted\"")
		argv := []string{"printf", "<%s>", "$(HOME)", "$$", "${{x}}", "\\r", "line\nbreak", "it's \"quoted\"", "", strings.Repeat("x", 10_000), "ünïcode"}
		l := w.startArgv(h, argv, "")
		v := w.wait(l)
		require.Equal(t, "succeeded", v.Class, v.Message)
		out, _ := w.log(l.Session, "stdout")
		want := ""
		for _, a := range argv[2:] {
			want += "<" + a + ">"
		}
		assert.Equal(t, want, out)

		l = w.start(h, `printf %s/%s/%s/%s "$A" "$TOKEN" "$STEPHOST_ATTEMPT" "${STEPHOST_PLUGIN-none}"`,
			"  env = { A = \"b c\" }\n  secrets = { TOKEN = env(\"E2E_SECRET\") }")
		require.Equal(t, "succeeded", w.wait(l).Class)
		out, _ = w.log(l.Session, "stdout")
		assert.Equal(t, `b c/s3cr3t "quoted"/1/none`, out)
	})

	t.Run("a program that does not exist", func(t *testing.T) {
		v := w.wait(w.startArgv(h, []string{"no-such-program"}, ""))
		assert.Equal(t, "user", v.Class)
		require.NotNil(t, v.ExitCode)
		assert.Equal(t, 127, *v.ExitCode)
		assert.Contains(t, v.Message, "no-such-program")
	})

	t.Run("a signal", func(t *testing.T) {
		v := w.wait(w.start(h, "kill -KILL $$", ""))
		assert.Equal(t, "user", v.Class)
		assert.Equal(t, "SIGKILL", v.Signal)
		assert.Nil(t, v.ExitCode)
	})

	t.Run("several at once share one plugin", func(t *testing.T) {
		var launched []*started
		for i := range 6 { // twice the slots
			launched = append(launched, w.start(h, fmt.Sprintf("sleep 0.1; echo %d", i), ""))
		}
		for i, l := range launched {
			require.Equal(t, "succeeded", w.wait(l).Class)
			out, _ := w.log(l.Session, "stdout")
			assert.Equal(t, strconv.Itoa(i)+"\n", out)
		}
		assert.Len(t, plugins(t), 1)
	})
}

func TestLogsAreWhole(t *testing.T) {
	const lines = 100_000
	w := newWorld(t, example, "")
	h := w.host()
	began := time.Now()
	l := w.start(h, fmt.Sprintf(`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i of a step that prints much"; done`, lines), "")
	require.Equal(t, "succeeded", w.wait(l).Class)
	took := time.Since(began)
	out, gaps := w.log(l.Session, "stdout")
	var want strings.Builder
	for i := 1; i <= lines; i++ {
		fmt.Fprintf(&want, "line %d of a step that prints much\n", i)
	}
	assert.Zero(t, gaps)
	if out != want.String() {
		t.Fatalf("the log has %d bytes, not the %d that were printed", len(out), want.Len())
	}
	t.Logf("%d lines printed one by one, launched and read: %s", lines, took.Round(time.Millisecond))
}

func TestCancel(t *testing.T) {
	w := newWorld(t, example, "  config {\n    slots = 1\n  }")
	h := w.host()
	pids := filepath.Join(w.t.TempDir(), "pids")
	// One process leaves the step's process group and session; all must go.
	running := w.start(h, fmt.Sprintf(`setsid sh -c 'echo $$ >>%[1]s.part; sleep 1000' & sleep 1000 & echo $$ $! >>%[1]s.part; until [ $(wc -w <%[1]s.part) = 3 ]; do sleep 0.01; done; mv %[1]s.part %[1]s; wait`, pids), "")
	started := w.file(pids)
	require.Len(t, started, 3)
	waiting := w.start(h, "echo never", "")

	require.NoError(t, waiting.Cancel(w.ctx, "test", "a test", false))
	assert.Equal(t, "cancelled", w.wait(waiting).Class, "a step that waits for its slot can be cancelled")
	require.NoError(t, running.Cancel(w.ctx, "test", "a test", false))
	v := w.wait(running)
	assert.Equal(t, "cancelled", v.Class, v.Message)
	assert.False(t, v.CancelUnconfirmed)
	for _, pid := range started {
		n, err := strconv.Atoi(pid)
		require.NoError(t, err)
		assert.False(t, alive(n), "process %d of the step is left", n)
	}
	assert.Equal(t, "succeeded", w.wait(w.start(h, "true", "")).Class, "the slot is free again")
}

func TestLauncherPluginKilled(t *testing.T) {
	w := newWorld(t, example, "")
	h := w.host()
	pids := filepath.Join(w.t.TempDir(), "pids")
	l := w.start(h, fmt.Sprintf("echo before; echo $$ >>%[1]s; sleep 1000", pids), "retry {\n  system = 3\n}")
	started := w.file(pids)
	w.eventually("the line is stored", func() bool { out, _ := w.log(l.Session, "stdout"); return out == "before\n" })
	running := plugins(t)
	require.Len(t, running, 1)
	require.NoError(t, syscall.Kill(running[0], syscall.SIGKILL))
	v := w.wait(l)
	assert.Equal(t, "lost", v.Class, v.Message)
	out, _ := w.log(l.Session, "stdout")
	assert.Equal(t, "before\n", out, "its log is still there")
	assert.Len(t, w.file(pids), 1, "it was started once")
	n, err := strconv.Atoi(started[0])
	require.NoError(t, err)
	w.eventually("the step's process is gone", func() bool { return !alive(n) })
	assert.Equal(t, "succeeded", w.wait(w.start(h, "true", "")).Class, "the plugin is started again")
}

func remoteWorld(t *testing.T) (w *world, jobs string) {
	jobs = t.TempDir()
	return newWorld(t, detached, fmt.Sprintf("  config {\n    dir = %q\n  }", jobs)), jobs
}

func TestRemote(t *testing.T) {
	w, _ := remoteWorld(t)
	h := w.host()
	t.Run("plugin killed while the step runs", func(t *testing.T) {
		pids, open := filepath.Join(t.TempDir(), "pids"), filepath.Join(t.TempDir(), "open")
		l := w.start(h, fmt.Sprintf("echo before; echo $$ >>%s; until [ -e %s ]; do sleep 0.05; done; echo after; exit 4", pids, open), "")
		w.file(pids)
		running := plugins(t)
		require.Len(t, running, 1)
		require.NoError(t, syscall.Kill(running[0], syscall.SIGKILL))
		require.NoError(t, os.WriteFile(open, nil, 0o600))
		v := w.wait(l)
		require.Equal(t, "user", v.Class, v.Message)
		assert.Equal(t, 4, *v.ExitCode)
		out, gaps := w.log(l.Session, "stdout")
		assert.Equal(t, "before\nafter\n", out)
		assert.Zero(t, gaps)
		assert.Len(t, w.file(pids), 1, "it was started once")
	})
	t.Run("plugin killed during a submit", func(t *testing.T) {
		pids := filepath.Join(t.TempDir(), "pids")
		l := w.start(h, fmt.Sprintf("echo $$ >>%s; exit 5", pids), "settings {\n  slow_submit = 1\n}")
		w.file(pids)
		for _, pid := range plugins(t) {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		v := w.wait(l)
		require.Equal(t, "user", v.Class, v.Message)
		assert.Equal(t, 5, *v.ExitCode)
		assert.Len(t, w.file(pids), 1, "it was started once")
	})
	t.Run("cancel", func(t *testing.T) {
		pids := filepath.Join(t.TempDir(), "pids")
		l := w.start(h, fmt.Sprintf("echo $$ >>%s; sleep 1000", pids), "")
		w.file(pids)
		require.NoError(t, l.Cancel(w.ctx, "test", "a test", false))
		v := w.wait(l)
		assert.Equal(t, "cancelled", v.Class, v.Message)
	})
	require.NoError(t, h.Close(context.Background()))
	assert.Empty(t, plugins(t), "no plugin is left")
}
