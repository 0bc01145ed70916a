//go:build linux

package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/host/problem"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func fields(s string) []string { return strings.Fields(s) }

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func TestPluginsThatDoNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		stage Stage
		want  []string // in the problem's text
	}{
		"exit":      {[]string{"--mode=exit"}, StageHandshake, []string{"exit status 3", "cannot find libfoo"}},
		"panic":     {[]string{"--mode=panic"}, StageHandshake, []string{"exit status 2", "panic: at the start"}},
		"garbage":   {[]string{"--mode=garbage"}, StageHandshake, []string{"standard output", "?[31mred"}},
		"flood":     {[]string{"--mode=flood"}, StageHandshake, []string{"in place of the handshake", "la la la"}},
		"hang":      {[]string{"--mode=hang"}, StageHandshake, []string{"no answer within 500ms"}},
		"holder":    {[]string{"--mode=holder"}, StageHandshake, []string{"exit status 4"}},
		"elsewhere": {[]string{"--mode=elsewhere"}, StageHandshake, []string{"192.0.2.1:80", "no local address"}},
		"setup":     {[]string{"--mode=setup"}, StageHandshake, []string{"exit status 125", "the setup failed"}},
		"slip":      {[]string{"--mode=slip"}, StageContact, []string{"exit status 125", "this flavor cannot start: code and manifest do not agree"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options) {
				if name == "hang" {
					o.StartTimeout = 500 * time.Millisecond
				}
			})
			_, err := r.Acquire(within(t), spec(c.args...))
			var e *StartError
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.stage, e.Stage)
			require.NotEqual(t, codes.Unavailable, status.Code(e.Err), "which would be tried again")
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			for _, want := range c.want {
				require.Contains(t, p.Error()+"\n"+p.Detail, want)
			}
			require.Equal(t, "test", p.Flavor)
			require.NotEmpty(t, p.Next)
			require.NotContains(t, p.Error()+p.Detail, "\x1b")
			require.Zero(t, children(t), "its process is gone")
		})
	}
}

func TestFilesThatCannotBeExecuted(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	wrong, err := os.ReadFile(pluginFile)
	require.NoError(t, err)
	wrong[0x12], wrong[0x13] = 0xf3, 0 // e_machine: RISC-V
	for name, c := range map[string]struct{ path, want string }{
		"another architecture": {write("arch", string(wrong), 0o700), "machine architecture"},
		"no program":           {write("text", "hello", 0o700), "machine architecture"},
		"no interpreter":       {write("script", "#!/no/such/python\n", 0o700), "interpreter"},
		"missing":              {filepath.Join(dir, "missing"), "missing"},
		"not executable":       {write("mode", "#!/bin/sh\n", 0o600), "not executable"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := spec()
			s.Executable = func(context.Context) (*Executable, error) { return &Executable{Argv: []string{c.path}}, nil }
			_, err := r.Acquire(within(t), s)
			var e *StartError
			require.ErrorAs(t, err, &e)
			require.Equal(t, StageExec, e.Stage)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestMismatches(t *testing.T) {
	for name, c := range map[string]struct{ args, what, want string }{
		"flavor":   {"--flavor=other", "flavor", "the plugin's flavor is other, registered is test"},
		"version":  {"--version=9.9.9", "version", "the plugin's version is 9.9.9"},
		"digest":   {"--digest=sha256:11", "manifest digest", "sha256:11"},
		"none":     {"--digest=", "manifest digest", "is none, registered"},
		"protocol": {"--protocol=7", "protocol", "[7]"},
		"major":    {"--mode=major", "protocol", "the plugin's protocol is 2, registered is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.Acquire(within(t), spec(c.args))
			var e *MismatchError
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.what, e.What)
			require.ErrorContains(t, err, c.want)
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			require.NotEmpty(t, p.Next)
			require.Zero(t, children(t))
		})
	}
	t.Run("no digest of its own, manifest beside", func(t *testing.T) {
		s := spec("--digest=")
		s.DigestOptional = true
		acquire(t, newRig(t), s)
	})
}

func TestABannerBeforeTheHandshakeIsForgiven(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec("--mode=banner"))
	require.NoError(t, p.Ping(within(t)))
	require.Contains(t, r.log.String(), "Welcome to libbanner 7")
}

func TestPanicInAHandlerCostsOneCall(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	_, err := tryPlan(t, p, "panic", "boom")
	var e *CallError
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "panic in Plan: in a handler: boom")
	require.Equal(t, codes.Internal, status.Code(err))
	require.NoError(t, p.Ping(within(t)))
	eventually(t, "the stack arrives", func() bool {
		_, err := tryPlan(t, p, "panic", "boom")
		return asCall(err) != nil && strings.Contains(asCall(err).Detail, "testflavor/main.go")
	})
	require.NoError(t, p.Err())
}

func asCall(err error) *CallError {
	e, _ := err.(*CallError)
	return e
}

func TestPanicOutsideAHandlerIsACrashWithItsText(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	_, err := tryPlan(t, p, "die")
	var e *CrashError
	require.ErrorAs(t, err, &e)
	require.Equal(t, Exit{Code: 2}, e.Exit)
	require.Contains(t, e.Panic, "panic: in a goroutine")
	require.Contains(t, e.Panic, "goroutine ")
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.ErrorContains(t, err, "panic: in a goroutine")
	var pr *problem.Error
	require.ErrorAs(t, err, &pr)
	require.Contains(t, pr.Detail, "panic: in a goroutine")
}

func TestAnEndWithExitZeroIsACrashToo(t *testing.T) {
	r := newRig(t)
	_, err := tryPlan(t, acquire(t, r, spec()), "exit", "0")
	var e *CrashError
	require.ErrorAs(t, err, &e)
	require.Equal(t, Exit{Code: 0}, e.Exit)
}

func TestMessageLimits(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	require.Equal(t, strconv.Itoa(5<<20), plan(t, p, "count", strings.Repeat("x", 5<<20)), "5 MiB to the plugin")
	require.Len(t, plan(t, p, "size", strconv.Itoa(15<<20)), 15<<20, "15 MiB from the plugin")
	for name, argv := range map[string][]string{
		"to the plugin":   {"count", strings.Repeat("x", 17<<20)},
		"from the plugin": {"size", strconv.Itoa(17 << 20)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryPlan(t, p, argv...)
			var e *CallError
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, "larger than the limit of 16 MiB")
			require.NoError(t, p.Ping(within(t)))
		})
	}
}

func TestLongAndManyLinesNeitherBlockNorExplode(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	require.Equal(t, "printed", plan(t, p, "stderr", strconv.Itoa(1<<20)))
	require.Equal(t, "printed", plan(t, p, "stdout", strconv.Itoa(1<<20)))
	require.Equal(t, "done", plan(t, p, "chatter"))
	require.Equal(t, "logged", plan(t, p, "log", "x"))
	eventually(t, "the log arrives", func() bool { return strings.Contains(r.log.String(), "a message") })
	log := r.log.String()
	require.Contains(t, log, "more bytes dropped")
	require.Contains(t, log, "no more of it is logged")
	for line := range strings.Lines(log) {
		require.Less(t, len(line), logLine+1024)
	}
}

func TestThePluginsLogGoesIntoTheHostsLog(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Redact = func(s string) string { return strings.ReplaceAll(s, "hunter2", "(sensitive)") }
	})
	p := acquire(t, r, spec())
	plan(t, p, "log", "hunter2")
	eventually(t, "the log arrives", func() bool { return strings.Contains(r.log.String(), "a message") })
	log := r.log.String()
	require.Contains(t, log, "[WARN]  flavor: a message: flavor=test colour=red secret=\"(sensitive)\"")
	require.Contains(t, log, "[DEBUG] flavor: a detail")
	require.NotContains(t, log, "hunter2")
}

func TestGrandchildInTheGroupDiesWithThePlugin(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	grandchild := atoi(plan(t, p, "grandchild"))
	require.True(t, alive(grandchild))
	require.NoError(t, r.Close(within(t)))
	eventually(t, "the grandchild dies", func() bool { return !alive(grandchild) })
}

func TestGrandchildOutsideTheGroupHoldsNobodyUp(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	runner := atoi(plan(t, p, "detached", "600"))
	t.Cleanup(func() { _ = syscall.Kill(runner, syscall.SIGKILL) })
	require.NoError(t, r.Close(within(t)))
	require.True(t, alive(runner), "a detached runner survives")
	require.False(t, alive(p.PID()))
}

func TestAStoppedPluginIsKilledInTime(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGSTOP))
	eventually(t, "every thread has stopped", func() bool { return stopped(p.PID()) })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.Equal(t, codes.DeadlineExceeded, status.Code(p.Ping(ctx)), "bounded from outside")
	require.NoError(t, r.Close(ctx))
	require.False(t, alive(p.PID()))
}

func TestAStopWithoutHurryGoesThroughItsSteps(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec("--mode=teardown")) // Its teardown never returns.
	done := make(chan struct{})
	go func() { defer close(done); _, _ = tryPlan(t, p, "deaf") }()
	require.NoError(t, r.Close(within(t)))
	require.False(t, alive(p.PID()))
	<-done
}

func TestSignals(t *testing.T) {
	t.Run("INT and HUP to the group have no effect", func(t *testing.T) {
		r := newRig(t)
		p := acquire(t, r, spec())
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGINT} {
			require.NoError(t, syscall.Kill(-p.PID(), s))
			require.NoError(t, p.Ping(within(t)))
		}
		require.NoError(t, p.Err())
	})
	t.Run("TERM to the group ends it in order, after a running Submit", func(t *testing.T) {
		r := newRig(t)
		p := acquire(t, r, spec())
		witness := filepath.Join(t.TempDir(), "w")
		type result struct {
			r   *operatorv1.SubmitResponse
			err error
		}
		submitted := make(chan result, 1)
		go func() {
			resp, err := p.Client().Submit(within(t), submit("300ms", witness))
			submitted <- result{resp, err}
		}()
		waited := make(chan error, 1)
		go func() { _, err := tryPlan(t, p, "wait", witness+".plan"); waited <- err }()
		eventually(t, "both run", func() bool {
			return exists(witness+".started") && exists(witness+".plan.started")
		})
		require.NoError(t, syscall.Kill(-p.PID(), syscall.SIGTERM))
		got := <-submitted
		require.NoError(t, got.err, "the reply of a running Submit still arrives")
		require.Equal(t, "w", got.r.GetAccepted().GetNativeName())
		require.Error(t, <-waited)
		var crash *CrashError
		require.ErrorAs(t, ended(t, p), &crash)
		require.Equal(t, Exit{Code: 0}, crash.Exit)
		require.FileExists(t, witness)
	})
	t.Run("Close waits for a running Submit", func(t *testing.T) {
		r := newRig(t)
		p := acquire(t, r, spec())
		witness := filepath.Join(t.TempDir(), "w")
		submitted := make(chan error, 1)
		go func() {
			_, err := p.Client().Submit(within(t), submit("300ms", witness))
			submitted <- err
		}()
		eventually(t, "Submit runs", func() bool { return exists(witness + ".started") })
		require.NoError(t, r.Close(within(t)))
		require.NoError(t, <-submitted)
		require.Equal(t, "submitted", read(t, witness))
	})
}

func TestTheCallersCancelDoesNotReachASubmit(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	witness := filepath.Join(t.TempDir(), "w")
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan struct{})
	go func() { defer close(done); _, _ = p.Client().Submit(ctx, submit("200ms", witness)) }()
	eventually(t, "Submit runs", func() bool { return exists(witness + ".started") })
	cancel()
	<-done
	eventually(t, "Submit ends", func() bool { return exists(witness) })
	require.Equal(t, "submitted", read(t, witness))
}

func TestTextFileBusyIsRetried(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plugin")
	b, err := os.ReadFile(pluginFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, b, 0o700))
	w, err := os.OpenFile(file, os.O_WRONLY, 0)
	require.NoError(t, err)
	// A child that was forked while the file was being written.
	holder := exec.Command("sleep", "0.3")
	holder.ExtraFiles = []*os.File{w}
	require.NoError(t, holder.Start())
	w.Close()
	defer holder.Wait()

	r := newRig(t)
	s := spec()
	s.Executable = func(context.Context) (*Executable, error) { return &Executable{Argv: []string{file}}, nil }
	require.NoError(t, acquire(t, r, s).Ping(within(t)))
}

func TestTextFileBusyForLongIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plugin")
	b, err := os.ReadFile(pluginFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, b, 0o700))
	w, err := os.OpenFile(file, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer w.Close()
	s := spec()
	s.Executable = func(context.Context) (*Executable, error) { return &Executable{Argv: []string{file}}, nil }
	_, err = newRig(t).Acquire(within(t), s)
	require.ErrorContains(t, err, "text file busy (another process has the file open for writing)")
}

func submit(argv ...string) *operatorv1.SubmitRequest {
	return &operatorv1.SubmitRequest{Step: &operatorv1.Step{Argv: argv}}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func stopped(pid int) bool {
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	for _, f := range tasks {
		b, _ := os.ReadFile(f)
		if _, state, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return len(tasks) > 0
}
