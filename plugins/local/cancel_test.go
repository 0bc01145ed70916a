//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// printed waits until the step's own output begins with text.
func (h *harness) printed(key, text string) {
	h.t.Helper()
	h.wait("the step to print "+text, func() bool {
		data, err := os.ReadFile(h.job(key).Stream("stdout"))
		return err == nil && len(data) >= len(text) && string(data[:len(text)]) == text
	})
}

func alive(pid int) bool { return proc.Ticks(pid) != 0 }

func TestCancelIsPoliteFirst(t *testing.T) {
	h := newHarness(t)
	s := h.step("polite", "polite")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	require.NotNil(t, h.cancel(s.Key, handle, hang, false).GetAccepted())
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.Equal(t, operatorv1.Class_CLASS_CANCELLED, end.Class)
	assert.EqualValues(t, 3, end.GetExitCode(), "the step's own code is kept")
	assert.Equal(t, "ready\nsaved\n", h.logs(s.Key, handle, true, nil).bytes["stdout"].String())
	assert.NotNil(t, h.cancel(s.Key, handle, hang, false).GetAlreadyOver())
}

// A step that obeys and says that all is well was cancelled all the same.
func TestACancelledStepThatExitsWithZero(t *testing.T) {
	h := newHarness(t)
	s := h.step("obedient", "obedient")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	require.NotNil(t, h.cancel(s.Key, handle, hang, false).GetAccepted())
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.Equal(t, operatorv1.Class_CLASS_CANCELLED, end.Class)
	require.NotNil(t, end.ExitCode)
	assert.Zero(t, end.GetExitCode())
}

func TestCancelEndsAStubbornStepAfterTheGrace(t *testing.T) {
	h := newHarness(t)
	s := h.step("stubborn", "stubborn")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	const grace = 200 * time.Millisecond
	begin := time.Now()
	h.cancel(s.Key, handle, grace, false)
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.Equal(t, "SIGKILL", end.Signal)
	assert.GreaterOrEqual(t, time.Since(begin), grace)
}

func TestForceNeedsNoGrace(t *testing.T) {
	h := newHarness(t)
	s := h.step("force", "stubborn")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	h.cancel(s.Key, handle, time.Hour, false)
	h.cancel(s.Key, handle, time.Hour, true)
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.Equal(t, "SIGKILL", end.Signal)
}

func TestNothingOfTheStepIsLeft(t *testing.T) {
	h := newHarness(t)
	for name, cancelled := range map[string]bool{"at its end": false, "after cancel": true} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "daemon")
			s := h.step("daemon "+name, "daemon", file)
			if cancelled {
				s.Argv = append(s.Argv, "stay")
			}
			handle := h.accepted(s)
			var daemon int
			h.wait("the daemon", func() bool {
				data, err := os.ReadFile(file)
				if err != nil {
					return false
				}
				daemon, err = strconv.Atoi(string(data))
				return err == nil
			})
			if cancelled {
				h.printed(s.Key, "ready")
				require.True(t, alive(daemon))
				h.cancel(s.Key, handle, 100*time.Millisecond, false)
			}
			end, _ := h.watch(s.Key, handle)
			assert.False(t, alive(daemon), "the daemon was in a session of its own, without the mark in its environment")
			if !cancelled {
				assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "the step's own exit decides")
			} else {
				assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
			}
		})
	}
}

func TestCancelBeforeTheStart(t *testing.T) {
	h := newHarness(t)
	s := h.step("early", "witness")
	witness := filepath.Join(t.TempDir(), "witness")
	s.Env["WITNESS"] = witness
	job := h.job(s.Key)
	// What a Submit leaves that died before its runner read the request.
	_, _, err := h.state.Create(job, jobdir.Meta{RunToken: s.RunToken, RunID: s.RunId, Attempt: 1, RequestDigest: digest()})
	require.NoError(t, err)
	found, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: h.target, By: &operatorv1.FindRequest_Key{Key: s.Key}})
	require.NoError(t, err)
	require.Len(t, found.Jobs, 1)
	assert.True(t, found.Jobs[0].Incomplete)

	require.NotNil(t, h.cancel(s.Key, found.Jobs[0].Handle, time.Second, false).GetAccepted())
	end, _ := h.watch(s.Key, found.Jobs[0].Handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	handle := h.accepted(s) // a Submit that was on its way lands now
	end, _ = h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.NoFileExists(t, witness)
}

func TestRunLimit(t *testing.T) {
	h := newHarness(t)
	s := h.step("limit", "polite")
	s.Deadlines = seconds(0.3)
	handle := h.accepted(s)
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
	assert.Equal(t, operatorv1.Class_CLASS_TIMEOUT, end.Class)
	assert.Equal(t, "DeadlineExceeded", end.Reason)
}

// killRunner kills the runner of a job, as an out-of-memory killer would.
func (h *harness) killRunner(key string) {
	h.t.Helper()
	job := h.job(key)
	child, err := job.ReadChild()
	require.NoError(h.t, err)
	data, err := os.ReadFile("/proc/" + strconv.Itoa(child.PID) + "/stat")
	require.NoError(h.t, err)
	parent := parentOf(h.t, data)
	command, err := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/cmdline")
	require.NoError(h.t, err)
	require.Contains(h.t, string(command), runner.Argument)
	require.NoError(h.t, syscall.Kill(parent, syscall.SIGKILL))
	h.wait("the runner to die", func() bool { return !alive(parent) })
}

func (h *harness) size(key string) int64 {
	info, err := os.Stat(h.job(key).Stream("stdout"))
	require.NoError(h.t, err)
	return info.Size()
}

func TestRunnerKilledStepSurvivesLogWhole(t *testing.T) {
	for _, watched := range []bool{true, false} {
		t.Run("watched="+strconv.FormatBool(watched), func(t *testing.T) {
			h := newHarness(t)
			stop := filepath.Join(t.TempDir(), "stop")
			s := h.step("orphan", "slow", stop)
			handle := h.accepted(s)
			h.printed(s.Key, "00000000\n00000001\n")
			verdict := make(chan *operatorv1.Terminal, 1)
			whole := make(chan *log, 1)
			look := func() {
				go func() { end, _ := h.watch(s.Key, handle); verdict <- end }()
				go func() { whole <- h.logs(s.Key, handle, true, nil) }()
			}
			if watched {
				look()
			}
			h.killRunner(s.Key)
			child, err := h.job(s.Key).ReadChild()
			require.NoError(t, err)
			require.True(t, alive(child.PID), "the step lives on")
			if !watched {
				// Nobody reads the pipe for a while: the step must neither die nor
				// lose a line, only wait when the pipe is full.
				time.Sleep(200 * time.Millisecond)
				require.True(t, alive(child.PID))
				look()
			}
			before := h.size(s.Key)
			h.wait("a new runner that reads the pipe", func() bool { return h.size(s.Key) > before })
			require.NoError(t, os.WriteFile(stop, nil, 0o600))
			end := <-verdict
			assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.Phase)
			assert.Equal(t, operatorv1.Class_CLASS_LOST, end.Class)
			assert.Equal(t, "RunnerDied", end.Reason)
			assert.Nil(t, end.ExitCode)
			got := <-whole
			assert.Empty(t, got.gaps)
			for _, stream := range []string{"stdout", "stderr"} {
				countLines(t, got.bytes[stream].Bytes(), 9)
			}
			assert.Equal(t, got.bytes["stdout"].Len(), got.bytes["stderr"].Len())
		})
	}
}

func TestRunnerKilledThenCancelled(t *testing.T) {
	h := newHarness(t)
	file := filepath.Join(t.TempDir(), "daemon")
	s := h.step("orphan cancel", "daemon", file, "stay")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	child, err := h.job(s.Key).ReadChild()
	require.NoError(t, err)
	h.killRunner(s.Key)
	require.NotNil(t, h.cancel(s.Key, handle, 100*time.Millisecond, false).GetAccepted())
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.False(t, alive(child.PID))
	// This daemon left both session and environment behind, and lost its
	// parent: with the runner dead nothing ties it to the step any more. The
	// documentation says so; the test ends it.
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(data))
	require.NoError(t, err)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func TestRunnerAndStepKilledIsLost(t *testing.T) {
	h := newHarness(t)
	s := h.step("both", "stubborn")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	child, err := h.job(s.Key).ReadChild()
	require.NoError(t, err)
	h.killRunner(s.Key)
	require.NoError(t, syscall.Kill(child.PID, syscall.SIGKILL))
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.Phase)
	l := h.logs(s.Key, handle, true, nil)
	require.NotEmpty(t, l.gaps)
	assert.Equal(t, operatorv1.LogGap_CERTAINTY_POSSIBLE, l.gaps[0].Certainty)
	// A second runner never starts the step again.
	require.Eventually(t, func() bool {
		r, err := runner.Start(context.Background(), h.job(s.Key), &runner.Spec{Argv: []string{"true"}}, nil, nil)
		require.NoError(t, err)
		// Busy: the verdict can be read a moment before its runner lets go.
		require.Contains(t, []runner.Outcome{runner.Over, runner.Busy}, r.Outcome)
		return r.Outcome == runner.Over
	}, hang, time.Millisecond)
}
