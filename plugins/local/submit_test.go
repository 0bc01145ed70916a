//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestTrue(t *testing.T) {
	h := newHarness(t)
	s := h.command("true", "true")
	handle := h.accepted(s)
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	assert.EqualValues(t, 0, end.GetExitCode())
	assert.NotNil(t, end.ExitCode)
	assert.False(t, end.EndedAt.AsTime().Before(end.StartedAt.AsTime()))
}

// nasty are arguments that something on the way to a process would change.
func nasty() []string {
	return []string{"$(HOME)", "$$", "${{inputs.x}}", "a\rb", "a\nb", `'"`, "\\", "", " ", "*", "~", "--", "-x=1",
		"\xff\xfe is no UTF-8"[2:], "ü😀", strings.Repeat("x", 10_000)}
}

func TestArgumentsArriveUnchanged(t *testing.T) {
	h := newHarness(t)
	s := h.step("argv", "tell", nasty()...)
	s.Env["NASTY"] = strings.Join(nasty(), "\n")
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "s3cr3t\nvalue"}}
	work := filepath.Join(t.TempDir(), "work dir")
	require.NoError(t, os.Mkdir(work, 0o700))
	s.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Directory_{Directory: &operatorv1.Environment_Directory{
		Path: work, Venv: "/venv of mine", Python: "/venv of mine/bin/python"}}}
	handle := h.accepted(s)
	end, _ := h.watch(s.Key, handle)
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)

	var got told
	require.NoError(t, json.Unmarshal(h.logs(s.Key, handle, true, nil).bytes["stdout"].Bytes(), &got))
	assert.Equal(t, nasty(), got.Argv[1:])
	real, err := filepath.EvalSymlinks(work)
	require.NoError(t, err)
	assert.Equal(t, real, got.Dir)
	env := map[string]string{}
	for _, kv := range got.Env {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	assert.Equal(t, s.Env["NASTY"], env["NASTY"])
	assert.Equal(t, "s3cr3t\nvalue", env["HF_TOKEN"])
	assert.Equal(t, "run-argv", env["STEPHOST_RUN"])
	assert.Equal(t, "1", env["STEPHOST_ATTEMPT"])
	assert.Equal(t, h.job(s.Key).Output(), env["STEPHOST_OUTPUT_DIR"])
	assert.True(t, strings.HasPrefix(env["PATH"], "/venv of mine/bin:"), env["PATH"])
	assert.Equal(t, "/venv of mine", env["VIRTUAL_ENV"])
	assert.NotEmpty(t, env["HOME"])

	t.Run("no secret on disk", func(t *testing.T) {
		h.gone(s.Key)
		require.NoError(t, filepath.Walk(h.state.Root(), func(path string, info os.FileInfo, err error) error {
			require.NoError(t, err)
			if !info.Mode().IsRegular() || filepath.Dir(path) == h.job(s.Key).Logs() {
				return nil // the step itself printed it
			}
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.NotContains(t, string(data), "s3cr3t", path)
			assert.Zero(t, info.Mode().Perm()&0o077, path)
			return nil
		}))
	})
}

func TestStepsThatCannotStart(t *testing.T) {
	h := newHarness(t)
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o700))
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600))
	noHeader := filepath.Join(t.TempDir(), "noheader")
	require.NoError(t, os.WriteFile(noHeader, []byte("echo hello\n"), 0o700))
	for i, c := range []struct {
		name   string
		argv   string
		code   int32
		reason string
	}{
		{"no such command", "no-such-command-anywhere", 127, "CommandNotFound"},
		{"no such path", "./no/such", 127, "CommandNotFound"},
		{"no interpreter", script, 127, "CommandNotFound"},
		{"not executable", plain, 126, "CommandNotExecutable"},
		{"no header", noHeader, 126, "CommandNotExecutable"},
		{"directory", "/", 126, "CommandNotExecutable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := h.command(fmt.Sprint("cannot", i), c.argv)
			end, _ := h.watch(s.Key, h.accepted(s))
			assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
			assert.Equal(t, operatorv1.Class_CLASS_USER, end.Class)
			assert.Equal(t, c.code, end.GetExitCode())
			assert.Equal(t, c.reason, end.Reason)
			assert.NotEmpty(t, end.Message)
		})
	}
}

// What the kernel takes from nobody is no matter of another attempt.
func TestStepsWithTooLongTexts(t *testing.T) {
	h := newHarness(t)
	most := 32 * os.Getpagesize()
	long := strings.Repeat("x", most)
	for name, c := range map[string]struct {
		change  func(s *operatorv1.Step)
		message string
	}{
		"argument": {func(s *operatorv1.Step) { s.Argv = append(s.Argv, long) },
			fmt.Sprintf("argument 1 of the command has %d bytes, and a process of this machine can be given at most %d in one", most+1, most)},
		"secret": {func(s *operatorv1.Step) { s.Secrets = map[string]*operatorv1.Secret{"HUGE": {Value: long}} },
			fmt.Sprintf(`the variable "HUGE" has %d bytes`, most+6)},
		"all": {func(s *operatorv1.Step) {
			s.Env = map[string]string{}
			for i := range 100 {
				s.Env[fmt.Sprint("V", i)] = long[:most-10]
			}
		}, "bytes together"},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.command("long "+name, "true")
			c.change(s)
			end, _ := h.watch(s.Key, h.accepted(s))
			assert.Equal(t, operatorv1.Class_CLASS_CONFIG, end.GetClass())
			assert.Equal(t, "ArgumentsTooLong", end.GetReason())
			assert.Contains(t, end.GetMessage(), c.message)
			assert.NotContains(t, end.GetMessage(), "xxx")
		})
	}
}

func TestExitCodes(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		script string
		code   int32
		signal string
	}{
		{"exit 1", 1, ""}, {"exit 255", 255, ""}, {"kill -KILL $$", 137, "SIGKILL"}, {"kill -SEGV $$", 139, "SIGSEGV"},
	} {
		t.Run(c.script, func(t *testing.T) {
			s := h.command(c.script, "sh", "-c", c.script)
			end, _ := h.watch(s.Key, h.accepted(s))
			assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
			assert.Equal(t, operatorv1.Class_CLASS_USER, end.Class)
			assert.Equal(t, c.code, end.GetExitCode())
			assert.Equal(t, c.signal, end.Signal)
		})
	}
}

func TestHundredSubmitsOneProcess(t *testing.T) {
	h := newHarness(t)
	s := h.step("hundred", "witness")
	witness := filepath.Join(t.TempDir(), "witness")
	s.Env["WITNESS"] = witness
	var wg sync.WaitGroup
	answers := make([]*operatorv1.SubmitResponse, 100)
	for i := range answers {
		wg.Go(func() { answers[i] = h.submit(s) })
	}
	wg.Wait()
	fresh := 0
	for _, a := range answers {
		require.NotNil(t, a.GetAccepted(), "%v", a)
		if !a.GetAccepted().Existing {
			fresh++
		}
	}
	assert.Equal(t, 1, fresh, "exactly one Submit is told that it made the job")
	end, _ := h.watch(s.Key, answers[0].GetAccepted().Handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	h.gone(s.Key)

	// Also after the end, and from a process that knows nothing.
	again := h.submit(s)
	require.NotNil(t, again.GetAccepted())
	assert.True(t, again.GetAccepted().Existing)
	h.gone(s.Key)
	data, err := os.ReadFile(witness)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(data), "\n"), "%s", data)
}

func TestSubmitRefusesAnotherRequestUnderTheKey(t *testing.T) {
	h := newHarness(t)
	s := h.command("same", "true")
	h.accepted(s)
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.target, Step: s, RequestDigest: strings.Repeat("1", 64)})
	require.NoError(t, err)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
}

func TestSubmitRejectsWithoutATrace(t *testing.T) {
	h := newHarness(t)
	for name, change := range map[string]func(*operatorv1.Step){
		"nodes":     func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{Nodes: 2} },
		"cores":     func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{CpuMillis: 1_000_000} },
		"gpu":       func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{Gpu: 64} },
		"gpu type":  func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{GpuType: "a10g"} },
		"memory":    func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{MemoryBytes: 1 << 60} },
		"bad key":   func(s *operatorv1.Step) { s.Key = "../../../etc" },
		"NUL":       func(s *operatorv1.Step) { s.Argv = []string{"echo", "a\x00b"} },
		"bad env":   func(s *operatorv1.Step) { s.Env = map[string]string{"A=B": "1"} },
		"empty env": func(s *operatorv1.Step) { s.Env = map[string]string{"": "1"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := h.command(name, "true")
			change(s)
			r := h.submit(s)
			require.NotNil(t, r.GetRejected(), "%v", r)
			require.NotEmpty(t, r.Diagnostics)
			assert.NotEmpty(t, r.Diagnostics[0].Summary)
			_, err := os.Stat(h.state.Jobs())
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
