//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/detached/runner"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// spares are the children of this process that are, or were, spare runners.
func spares(t *testing.T) (pids []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil || !strings.HasSuffix(string(line), "\x00"+runner.Argument+"\x00-\x00") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		require.NoError(t, err)
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(name), "stat"))
		if err == nil && parentOf(t, stat) == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// The first Submit takes the runner that is there, which then is like any other.
func TestSpareRunnerIsUsedOnce(t *testing.T) {
	l := newLocal()
	h := newHarnessOf(t, l)
	l.jobs.Warm()
	require.Len(t, spares(t), 1)
	spare := spares(t)[0]

	first := h.step("first", "stubborn")
	handle := h.accepted(first)
	h.printed(first.Key, "ready")
	child, err := h.job(first.Key).ReadChild()
	require.NoError(t, err)
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(child.PID) + "/stat")
	require.NoError(t, err)
	assert.Equal(t, spare, parentOf(t, stat))
	// Its last words are where those of others are.
	words, err := os.Readlink("/proc/" + strconv.Itoa(spare) + "/fd/2")
	require.NoError(t, err)
	assert.Equal(t, h.job(first.Key).Lock(), words)

	second := h.command("second", "true")
	end, _ := h.watch(second.Key, h.accepted(second))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)

	h.cancel(first.Key, handle, 0, true)
	end, _ = h.watch(first.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	h.wait("the runner to end", func() bool { return len(spares(t)) == 0 })
}

// One that died meanwhile is replaced, and costs no run.
func TestSpareRunnerKilled(t *testing.T) {
	l := newLocal()
	h := newHarnessOf(t, l)
	l.jobs.Warm()
	require.Len(t, spares(t), 1)
	require.NoError(t, syscall.Kill(spares(t)[0], syscall.SIGKILL))
	h.wait("the spare to die", func() bool { return len(spares(t)) == 0 })
	s := h.command("after", "sh", "-c", "exit 3")
	end, _ := h.watch(s.Key, h.accepted(s))
	require.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
	assert.EqualValues(t, 3, end.GetExitCode())
}

// One that nobody needs ends with its process, and with Close.
func TestSpareRunnerUnused(t *testing.T) {
	s, err := runner.NewSpare()
	require.NoError(t, err)
	require.Len(t, spares(t), 1)
	s.Close()
	require.Eventually(t, func() bool { return len(spares(t)) == 0 }, hang, hang/10000)
}
