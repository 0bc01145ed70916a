//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOneProcessIsSharedByAll(t *testing.T) {
	r := newRig(t)
	var starts atomic.Int32
	s := spec()
	open := s.Executable
	s.Executable = func(ctx context.Context) (*Executable, error) {
		starts.Add(1)
		return open(ctx)
	}
	const users = 20
	pids := make([]int, users)
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			p, err := r.Acquire(within(t), s)
			if err == nil {
				pids[i] = p.PID()
				p.Release()
			}
		})
	}
	wg.Wait()
	for _, pid := range pids {
		require.Equal(t, pids[0], pid)
	}
	require.NotZero(t, pids[0])
	require.EqualValues(t, 1, starts.Load())
}

func TestAnotherVersionIsAnotherProcess(t *testing.T) {
	r := newRig(t)
	a := acquire(t, r, spec())
	s := spec("--version=2.0.0")
	s.Version = "2.0.0"
	b := acquire(t, r, s)
	require.NotEqual(t, a.PID(), b.PID())
	require.Equal(t, "2.0.0", b.Metadata().Version)
}

func TestTheLastReleaseEndsTheProcess(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Linger = time.Millisecond })
	a, b := acquire(t, r, spec()), acquire(t, r, spec())
	pid := a.PID()
	a.Release()
	a.Release() // Counts once.
	require.NoError(t, b.Ping(within(t)))
	b.Release()
	eventually(t, "the process ends", func() bool { return !alive(pid) })
	require.ErrorIs(t, ended(t, b), ErrStopped)
	c := acquire(t, r, spec())
	require.NotEqual(t, pid, c.PID())
}

func TestLingeringProcessIsUsedAgain(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Linger = time.Hour })
	a := acquire(t, r, spec())
	a.Release()
	require.Equal(t, a.PID(), acquire(t, r, spec()).PID())
}

func TestACrashedPluginIsStartedAgain(t *testing.T) {
	r := newRig(t)
	a := acquire(t, r, spec())
	require.NoError(t, syscall.Kill(a.PID(), syscall.SIGKILL))
	var crash *CrashError
	require.ErrorAs(t, ended(t, a), &crash)
	require.Equal(t, "SIGKILL", crash.Exit.Signal)

	b := acquire(t, r, spec())
	require.NotEqual(t, a.PID(), b.PID())
	a.Release() // Of the old process: must not take the new one's use.
	require.NoError(t, b.Ping(within(t)))
}

func TestRestartsPauseFromTheSecondFailureOn(t *testing.T) {
	r := newRig(t)
	var last time.Time
	var pauses []time.Duration
	for range 4 {
		p := acquire(t, r, spec())
		if !last.IsZero() {
			pauses = append(pauses, p.proc.st.child.started.Sub(last))
		}
		require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL))
		_ = ended(t, p)
		last = time.Now()
	}
	// Only lower bounds: a machine under load makes everything longer.
	require.GreaterOrEqual(t, pauses[1], restartFirst/2)
	require.GreaterOrEqual(t, pauses[2], restartFirst/2)
	_, err := r.Acquire(cancelled(), spec())
	require.ErrorIs(t, err, context.Canceled)
}

func TestAcquireEndsWithItsContextWhilePausing(t *testing.T) {
	r := newRig(t)
	s := spec("--mode=exit")
	for range 2 {
		_, err := r.Acquire(within(t), s)
		require.Error(t, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := r.Acquire(ctx, s)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestACancelledStartLeavesNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(within(t))
	s := spec("--mode=hang")
	var pid atomic.Int32
	go func() {
		eventually(t, "a process", func() bool { p := children(t); pid.Store(int32(p)); return p != 0 })
		cancel()
	}()
	_, err := r.Acquire(ctx, s)
	require.ErrorIs(t, err, context.Canceled)
	eventually(t, "the process ends", func() bool { return !alive(int(pid.Load())) })
}

func TestACancelledCallerLeavesTheStartToOthers(t *testing.T) {
	r := newRig(t)
	s := spec()
	gate := make(chan struct{})
	open := s.Executable
	s.Executable = func(ctx context.Context) (*Executable, error) {
		<-gate
		return open(ctx)
	}
	ctx, cancel := context.WithCancel(within(t))
	first := make(chan error, 1)
	go func() {
		_, err := r.Acquire(ctx, s)
		first <- err
	}()
	second := make(chan error, 1)
	go func() {
		p, err := r.Acquire(within(t), s)
		if err == nil {
			err = p.Ping(within(t))
		}
		second <- err
	}()
	eventually(t, "two callers wait", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, sl := range r.slots {
			return sl.flight != nil && sl.flight.waiters == 2
		}
		return false
	})
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	close(gate)
	require.NoError(t, <-second)
}

func TestCloseEndsEverythingAndRefusesMore(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	hanging := make(chan error, 1)
	go func() {
		s := spec("--mode=hang")
		s.Version = "hang"
		_, err := r.Acquire(within(t), s)
		hanging <- err
	}()
	eventually(t, "a start in flight", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.slots) == 2
	})
	require.NoError(t, r.Close(within(t)))
	require.False(t, alive(p.PID()))
	require.ErrorIs(t, p.Err(), ErrStopped)
	require.ErrorIs(t, <-hanging, ErrClosed)
	_, err := r.Acquire(within(t), spec())
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, r.Close(within(t)))

	_, err = tryPlan(t, p, "count", "x")
	require.ErrorIs(t, err, ErrStopped)
}

func TestRegistryErrorsComeThrough(t *testing.T) {
	r := newRig(t)
	want := errors.New("the pin does not fit")
	s := spec()
	s.Executable = func(context.Context) (*Executable, error) { return nil, want }
	_, err := r.Acquire(within(t), s)
	require.ErrorIs(t, err, want)
}

func TestStartAndStopCyclesLeaveNothing(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Linger = -1 })
	cycle := func(i int) {
		p := acquire(t, r, spec())
		pid := p.PID()
		if i%4 == 3 {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			_ = ended(t, p)
		}
		p.Release()
		<-p.proc.gone
		require.False(t, alive(pid))
	}
	cycle(0) // What is made once is made.
	fds, goroutines := openFiles(t), runtime.NumGoroutine()
	for i := range 20 {
		cycle(i)
		r.mu.Lock()
		for _, sl := range r.slots {
			sl.failures = 0 // Not a test of the pauses.
		}
		r.mu.Unlock()
	}
	eventually(t, "no descriptor left", func() bool { return openFiles(t) <= fds })
	eventually(t, "no goroutine left", func() bool { return runtime.NumGoroutine() <= goroutines })
	left, err := os.ReadDir(r.sockets)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Empty(t, r.live)
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// children is one child of this process that runs the plugin, or 0.
func children(t testing.TB) int {
	t.Helper()
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, f := range tasks {
		b, _ := os.ReadFile(f)
		for _, pid := range fields(string(b)) {
			if exe, _ := os.Readlink("/proc/" + pid + "/exe"); exe == pluginFile {
				return atoi(pid)
			}
		}
	}
	return 0
}
