//go:build unix

package group_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment/internal/group"
	"github.com/stephost/stephost/host/environment/internal/lock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hang = 30 * time.Second

func sh(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) }

// zombie: an orphan that nobody reaps (a container without an init) is dead.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(data), ") Z ")
}

func TestOutput(t *testing.T) {
	var lines []string
	out, err := group.Run(t.Context(), group.Command{Argv: sh(`echo one; echo two >&2; printf 'a\rb\n\nlast'`), Line: func(l string) { lines = append(lines, l) }})
	require.NoError(t, err)
	assert.Equal(t, []string{"one", "two", "a", "b", "last"}, lines)
	assert.Equal(t, lines, out.Tail)
	assert.Zero(t, out.Code)

	out, err = group.Run(t.Context(), group.Command{Argv: sh(`echo out; echo err >&2; exit 3`), Capture: true})
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 3, out.Code)
	assert.Equal(t, "out\n", string(out.Stdout))
	assert.Equal(t, []string{"err"}, out.Tail)

	out, err = group.Run(t.Context(), group.Command{Argv: sh(`i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done; head -c 20000 /dev/zero | tr '\0' x`)})
	require.NoError(t, err)
	assert.Len(t, out.Tail, 400, "bounded")

	_, err = group.Run(t.Context(), group.Command{Argv: []string{"/no/such/tool"}})
	assert.ErrorIs(t, err, os.ErrNotExist)
	out, err = group.Run(t.Context(), group.Command{Argv: sh(`read x || echo no input`)})
	require.NoError(t, err)
	assert.Equal(t, []string{"no input"}, out.Tail)
}

func TestCancelKillsTheWholeGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	cause := errors.New("cancelled by the test")
	ctx, cancel := context.WithCancelCause(t.Context())
	began := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		// It ignores the polite signal, and so does its child.
		_, err := group.Run(ctx, group.Command{Argv: sh(`trap '' TERM; sleep 1000 & echo $! > "$1"; echo ready; wait; wait`, file),
			Line: func(string) { close(began) }})
		done <- err
	}()
	<-began
	cancel(cause)
	select {
	case err := <-done:
		assert.ErrorIs(t, err, cause)
	case <-time.After(hang):
		t.Fatal("does not end")
	}
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return gone(pid) }, hang, 10*time.Millisecond)
}

func TestWhatAToolLeavesIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	_, err := group.Run(t.Context(), group.Command{Argv: sh(`sleep 1000 & echo $! > "$1"`, file)})
	require.NoError(t, err, "a child that holds the output does not keep Run")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	if waitsUnreaped() {
		assert.Eventually(t, func() bool { return gone(pid) }, hang, 10*time.Millisecond)
	} else {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func waitsUnreaped() bool { _, err := os.Stat("/proc/self/stat"); return err == nil }

func TestEndedContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "trace")
	_, err := group.Run(ctx, group.Command{Argv: sh(`: > "$1"`, file)})
	assert.ErrorIs(t, err, context.Canceled)
	assert.NoFileExists(t, file)
}

// The tool is killed with its parent, what it has started is not: that goes on
// holding what the next builder waits for, even where the tool hands on nothing but
// its standard streams.
func TestHoldIsHandedOn(t *testing.T) {
	_, err := exec.LookPath("setsid")
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "lock")
	l, err := lock.Take(t.Context(), name, nil)
	require.NoError(t, err)
	pidFile := filepath.Join(t.TempDir(), "pid")
	_, err = group.Run(t.Context(), group.Command{Hold: l.File(),
		Argv: sh(`setsid --fork sh -c 'echo $$ > "$1.new" && mv "$1.new" "$1" && exec sleep 3600' sh "$1" 3<&- >/dev/null 2>&1; cat`, pidFile)})
	require.NoError(t, err, "what is held is empty to read")
	var pid int
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(pidFile)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
		return err == nil
	}, hang, time.Millisecond)
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	require.NoError(t, l.File().Close()) // as the death of the holder does

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = lock.Take(ctx, name, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	l, err = lock.Take(t.Context(), name, nil)
	require.NoError(t, err)
	l.Release()
}
