//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stubborn ignores the polite request, so that a cancel takes until the hard
// one (ten seconds later).
const stubborn = `trap "" TERM; while :; do sleep 0.1; done`

func TestStatusLineOnTerminal(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("sleep 1.5; echo hello; printf half; sleep 0.5; echo ' line'; echo oops >&2")
	p := l.startTerminal(s.launch()...)
	require.Equal(t, 0, p.wait())
	text := p.out.String()
	assert.Contains(t, text, "\r\x1b[K", "the status line is redrawn in place")
	assert.Contains(t, text, "step on here: running")
	for _, line := range []string{"hello\r\n", "half line\r\n", "oops\r\n"} {
		assert.Contains(t, text, line, "log lines stay whole")
	}
	assert.Contains(t, text, "step \x1b[1msucceeded\x1b[0m")
	draws := strings.Count(text, "step on here: running")
	assert.LessOrEqual(t, draws, 40, "at most ten times a second")
	last := text[strings.LastIndex(text, "\x1b[K"):]
	assert.NotContains(t, last, "step on here:", "nothing of it stays at the end")
}

func TestCtrlC(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("sleep 1000")
	p := l.startTerminal(s.launch("--result-file", filepath.Join(l.dir, "result"))...)
	s.started()
	_, err := p.pty.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, 130, p.wait(), p.out)
	assert.False(t, s.alive(), "confirmed means gone")
	assert.Contains(t, p.out.String(), "Cancelling run")
	r := l.only()
	assert.Equal(t, "closed", r.State)
	assert.Equal(t, "cancelled", r.Verdict.Class)
	assert.Equal(t, "signal", r.Cancel.Cause)
	data, err := os.ReadFile(filepath.Join(l.dir, "result"))
	require.NoError(t, err)
	assert.Contains(t, string(data), `"class":"cancelled"`)
	assert.Contains(t, string(data), `"exit":130`)
}

// Only a second Ctrl-C, at least a second later, leaves; and the cancel goes on.
func TestSecondCtrlCLeavesTheCancelToTheFollower(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step(stubborn)
	p := l.startTerminal(s.launch()...)
	s.started()
	_, err := p.pty.WriteString("\x03\x03") // a bouncing key is one Ctrl-C
	require.NoError(t, err)
	p.sees("Cancelling run")
	pause := time.NewTimer(1200 * time.Millisecond) // what a person's second press is told apart by
	<-pause.C
	_, err = p.pty.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, 130, p.wait(), p.out)
	assert.Contains(t, p.out.String(), "being cancelled in the background")
	assert.True(t, s.alive(), "it left before the job was gone")
	_, _, code := l.run("run", "wait", l.only().Run)
	assert.Equal(t, 130, code)
	assert.False(t, s.alive())
	assert.Equal(t, "cancelled", l.only().Verdict.Class)
}

// A CI system sends SIGINT, then SIGTERM: the second one withdraws nothing.
func TestIntThenTerm(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step(stubborn)
	p := l.start(s.launch("--run-token", "ci/1")...)
	s.started()
	p.signal(syscall.SIGINT)
	p.sees("Cancelling run")
	pause := time.NewTimer(2 * time.Second)
	<-pause.C
	p.signal(syscall.SIGTERM)
	p.sees("run cancel")
	assert.Equal(t, 130, p.wait(), "the first signal decides")
	assert.Contains(t, p.err.String(), "token ci/1")
	assert.False(t, s.alive())
	assert.Equal(t, "cancelled", l.only().Verdict.Class)
}

func TestTermCancelsWithoutToken(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("sleep 1000")
	timeout, err := exec.LookPath("timeout")
	require.NoError(t, err, "the coreutils are part of what this test needs")
	cmd := l.command()
	cmd.Path, cmd.Args = timeout, append([]string{"timeout", "3", l.bin}, s.launch()...)
	text, err := cmd.CombinedOutput()
	assert.Equal(t, 124, codeOf(t, err), "%s", text)
	// timeout(1) does not wait for the confirmation; the launch does.
	require.Eventually(t, func() bool { r := l.only(); return r.State == "closed" }, hang, 50*time.Millisecond)
	assert.Equal(t, "cancelled", l.only().Verdict.Class)
	assert.False(t, s.alive())
}

// An orchestrator's pod is drained and comes back with the same token.
func TestTermWithTokenDetaches(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("echo begin; sleep 3; echo end; exit 4")
	p := l.start(s.launch("--run-token", "dag/1 ü")...)
	s.started()
	p.signal(syscall.SIGTERM)
	assert.Equal(t, 143, p.wait(), p.err)
	assert.Contains(t, p.err.String(), "goes on in the background")
	assert.True(t, s.alive())
	out, errs, code := l.run(s.launch("--run-token", "dag/1 ü")...)
	assert.Equal(t, 4, code, errs)
	assert.Equal(t, "begin\nend\n", out, "the log from its start")
	assert.Len(t, s.pids(), 1, "the step ran once")
	// And again: its verdict, and nothing runs.
	out, _, code = l.run(s.launch("--run-token", "dag/1 ü")...)
	assert.Equal(t, 4, code)
	assert.Equal(t, "begin\nend\n", out)
	assert.Len(t, s.pids(), 1)
}

func TestHangupDetaches(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("sleep 2; echo end")
	p := l.startTerminal(s.launch()...)
	s.started()
	require.NoError(t, p.pty.Close()) // the terminal is closed
	code := codeOf(t, p.cmd.Wait())
	assert.Equal(t, 129, code)
	r := l.only()
	assert.True(t, r.Detached)
	_, _, code = l.run("run", "wait", r.Run)
	assert.Equal(t, 0, code)
	assert.Equal(t, "end\n", l.must("run", "logs", r.Run))
	assert.Len(t, s.pids(), 1)
}

// The signal may come at any moment of the submission: the job is gone at the
// end, or was never there.
func TestInterruptDuringSubmit(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"preparing", "submitting"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			s := l.step("sleep 1000")
			p := l.start(s.launch()...)
			p.sees(word)
			p.signal(syscall.SIGINT)
			assert.Equal(t, 130, p.wait(), p.err)
			assert.False(t, s.alive())
			assert.Equal(t, "cancelled", l.only().Verdict.Class)
		})
	}
}

// A viewer leaves, and the run goes on.
func TestViewerLeaves(t *testing.T) {
	t.Parallel()
	for _, verb := range [][]string{{"run", "attach"}, {"run", "wait"}, {"run", "logs", "-f"}} {
		t.Run(strings.Join(verb, " "), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			s := l.step("echo begin; while [ ! -e go ]; do sleep 0.05; done; echo end")
			s.argv[len(s.argv)-1] = "cd " + l.dir + "; " + s.argv[len(s.argv)-1]
			owner := l.start(s.launch()...)
			owner.sees("begin")
			id := l.only().Run
			viewer := l.start(append(verb, id)...)
			if verb[1] == "wait" {
				viewer.sees("running")
			} else {
				viewer.sees("begin")
			}
			viewer.signal(syscall.SIGINT)
			assert.Equal(t, 130, viewer.wait(), viewer.err)
			assert.True(t, s.alive())
			require.NoError(t, os.WriteFile(filepath.Join(l.dir, "go"), nil, 0o600))
			assert.Equal(t, 0, owner.wait(), owner.err)
			assert.Equal(t, "begin\nend\n", owner.out.String())
		})
	}
}

// The owner dies without a word: attach takes over and brings the run to its
// end, with the whole log.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("echo begin; while [ ! -e go ]; do sleep 0.05; done; echo end; exit 3")
	s.argv[len(s.argv)-1] = "cd " + l.dir + "; " + s.argv[len(s.argv)-1]
	p := l.start(s.launch()...)
	p.sees("begin")
	id := l.only().Run
	p.signal(syscall.SIGKILL)
	assert.Equal(t, -1, p.wait())
	_, errs, _ := l.run("run", "list")
	assert.Contains(t, errs, "run recover "+id, "somebody says that it waits")
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "go"), nil, 0o600))
	out, errs, code := l.run("run", "attach", id)
	assert.Equal(t, 3, code, errs)
	assert.Equal(t, "begin\nend\n", out)
	assert.Len(t, s.pids(), 1)
}
