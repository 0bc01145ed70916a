//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/shim"
	"github.com/stephost/stephost/pluginsdk"
)

// The test binary is the shim, and the step that shows what it got.
const role = "TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "shim":
		os.Setenv(role, "step")
		os.Exit(run(os.Args[1:]))
	case "step":
		seen := map[string]any{"argv": os.Args[1:], "env": os.Environ()}
		_ = json.NewEncoder(os.Stdout).Encode(seen)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shimmed is the shim with argv and env, as a process.
func shimmed(t *testing.T, env []string, argv ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, argv...)
	cmd.Env = append([]string{role + "=shim", "PATH=" + os.Getenv("PATH")}, env...)
	return cmd
}

type seen struct{ Argv, Env []string }

func show(t *testing.T, env []string, argv ...string) seen {
	t.Helper()
	out, err := shimmed(t, env, argv...).Output()
	require.NoError(t, err)
	var s seen
	require.NoError(t, json.Unmarshal(out, &s))
	return s
}

var nasty = []string{"$(HOME)", "$$", "${{x}}", "a\rb", "a\nb", `"q" 'q'`, "", strings.Repeat("x", 10<<10), "ü→"}

func TestArgvStaysArgv(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	argv := append([]string{self}, nasty...)
	assert.Equal(t, nasty, show(t, nil, argv...).Argv)

	t.Run("by the environment", func(t *testing.T) {
		name, value, err := pluginsdk.ArgvEnv(&pluginsdk.Step{Argv: argv})
		require.NoError(t, err)
		vars, packed, err := pluginsdk.SplitEnv(map[string]string{name: value, "LONG": strings.Repeat("ß", 600), "SHORT": "s"}, 512)
		require.NoError(t, err)
		require.True(t, packed)
		var list []string
		for k, v := range vars {
			list = append(list, k+"="+v)
		}
		got := show(t, list)
		assert.Equal(t, nasty, got.Argv)
		assert.Contains(t, got.Env, "LONG="+strings.Repeat("ß", 600))
		assert.Contains(t, got.Env, "SHORT=s")
		for _, kv := range got.Env {
			assert.False(t, shim.IsControl(kv), kv)
		}
	})
}

func TestRankVariables(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	env := []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=2", shim.MasterAddr + "=m", "JOB_COMPLETION_INDEX=1", "MASTER_PORT=7"}
	got := show(t, env, self).Env
	for _, want := range []string{"STEPHOST_RANK=1", "STEPHOST_WORLD_SIZE=2", "STEPHOST_MASTER_ADDR=m", "STEPHOST_MASTER_PORT=29500", "RANK=1", "WORLD_SIZE=2",
		"MASTER_ADDR=m", "MASTER_PORT=7", "PET_NNODES=2", "PET_NODE_RANK=1", "PET_MASTER_ADDR=m"} {
		assert.Contains(t, got, want)
	}
	got = show(t, []string{shim.RankFrom + "=kubernetes", shim.Nodes + "=1", "JOB_COMPLETION_INDEX=0"}, self).Env
	assert.Contains(t, got, "STEPHOST_WORLD_SIZE=1")
	assert.NotContains(t, got, "WORLD_SIZE=1")
}

func TestOutputs(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "a", "b")
	got := show(t, []string{shim.OutputDir + "=" + dir, shim.OutputURIFrom + "=AIP_MODEL_DIR", "AIP_MODEL_DIR=gs://b/m"}, self).Env
	assert.Contains(t, got, "STEPHOST_OUTPUT_DIR="+dir)
	assert.Contains(t, got, "STEPHOST_OUTPUT_URI=gs://b/m")
	assert.DirExists(t, dir)
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o644))
	for _, tc := range []struct {
		name   string
		argv   []string
		env    []string
		code   int
		signal string
		says   string
	}{
		{"success", []string{"sh", "-c", "exit 0"}, nil, 0, "", ""},
		{"its own code", []string{"sh", "-c", "exit 3"}, nil, 3, "", ""},
		{"a signal", []string{"sh", "-c", "kill -KILL $$"}, nil, 137, "SIGKILL", ""},
		{"nothing there", []string{"no-such-command"}, nil, 127, "", "not found on PATH"},
		{"no such file", []string{"/no/such"}, nil, 127, "", "/no/such"},
		{"not executable", []string{plain}, nil, 126, "", plain},
		{"a directory", []string{dir}, nil, 126, "", dir},
		{"nothing to run", nil, nil, 125, "", "no command was given"},
		{"no rank", []string{"sh"}, []string{shim.RankFrom + "=kubernetes"}, 125, "", "rank is not known"},
		{"a part is missing", []string{"sh"}, []string{shim.Packed + "=2", shim.PackedPart + "0=e30="}, 125, "", "1 of 2 parts"},
		{"damaged", []string{"sh"}, []string{shim.Packed + "=1", shim.PackedPart + "0=c2VjcmV0"}, 125, "", "damaged"},
		{"no output variable", []string{"sh"}, []string{shim.OutputURIFrom + "=AIP_MODEL_DIR"}, 125, "", "AIP_MODEL_DIR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			exit, failure := filepath.Join(dir, "exit"), filepath.Join(dir, "failure")
			cmd := shimmed(t, append(tc.env, shim.ExitFile+"="+exit, shim.FailureFile+"="+failure), tc.argv...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			_ = cmd.Run()
			assert.Equal(t, tc.code, cmd.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), tc.says)
			assert.NotContains(t, stderr.String(), "secret")
			text, err := os.ReadFile(exit)
			require.NoError(t, err)
			code, signal, ok := pluginsdk.ParseExit(string(text))
			assert.True(t, ok)
			assert.Equal(t, tc.code, code)
			assert.Equal(t, tc.signal, signal)
			if tc.code == 0 {
				assert.NoFileExists(t, failure)
				return
			}
			again, err := os.ReadFile(failure)
			require.NoError(t, err)
			assert.Equal(t, text, again)
		})
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := shimmed(t, nil, "sh", "-c", `trap 'echo got; exit 7' TERM INT HUP USR1; echo ready; while :; do sleep 0.01; done`)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(out)
			require.True(t, lines.Scan())
			require.NoError(t, cmd.Process.Signal(sig))
			require.True(t, lines.Scan())
			assert.Equal(t, "got", lines.Text())
			_ = cmd.Wait()
			assert.Equal(t, 7, cmd.ProcessState.ExitCode())
		})
	}
}

// TestOrphansAreReaped: a grandchild whose parent ends first becomes the shim's
// child and must not stay as a zombie while the step goes on.
func TestOrphansAreReaped(t *testing.T) {
	const script = `
(sh -c 'sleep 0.05' & echo $! ) > "$1/pid"
pid=$(cat "$1/pid")
i=0
while [ -e /proc/$pid ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done
[ ! -e /proc/$pid ]`
	out, err := shimmed(t, nil, "sh", "-c", script, "sh", t.TempDir()).CombinedOutput()
	assert.NoError(t, err, string(out))
}
