//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/internal/pyenv"
	"github.com/stephost/stephost/test/spark"
	"github.com/stephost/stephost/test/torture"
)

// hang is longer than anything here takes, on any machine.
const hang = 8 * time.Minute

// world is a home with the operator `op`.
type world struct {
	t   *testing.T
	dir string
	env []string
}

// newWorld registers the operator with flags; a step's source is dir/src.
func newWorld(t *testing.T, flags ...string) *world {
	dir, err := os.MkdirTemp("", "sp") // short: sockets lie below it
	require.NoError(t, err)
	w := &world{t: t, dir: dir}
	w.env = append(install.Environ(), home.EnvVar+"="+filepath.Join(dir, "home"), "XDG_STATE_HOME="+filepath.Join(dir, "state"))
	// The examples' requirements come from the package index of this machine.
	w.env = append(w.env, pyenv.IndexEnviron()...)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Mkdir(w.source(), 0o700))
	w.ok(append([]string{"operator", "register", "op", "--flavor=spark", "--spark-home=" + install.Home, "--set", "submit_kwargs=" + lean(nil)}, flags...)...)
	return w
}

// lean is submit_kwargs for short tests, and more.
func lean(more map[string]string) string {
	all := spark.Properties()
	for k, v := range more {
		all[k] = v
	}
	text, _ := json.Marshal(all)
	return string(text)
}

func (w *world) source() string { return filepath.Join(w.dir, "src") }

func (w *world) put(name, text string) {
	require.NoError(w.t, os.WriteFile(filepath.Join(w.source(), name), []byte(text), 0o600))
}

// result is what --result-file says.
type result struct {
	Class    string `json:"class"`
	State    string `json:"state"`
	ExitCode *int   `json:"exit_code"`
	Outputs  []struct {
		Name     string `json:"name"`
		Location string `json:"location"`
	} `json:"outputs"`
	Values map[string]any `json:"values"`
}

// outcome of a stephost that has ended.
type outcome struct {
	code           int
	stdout, stderr string
}

func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.Command(torture.Stephost(), args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

func (w *world) run(args ...string) outcome {
	w.t.Helper()
	cmd := w.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	require.NoError(w.t, cmd.Start())
	timer := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (w *world) ok(args ...string) string {
	w.t.Helper()
	o := w.run(args...)
	require.Zero(w.t, o.code, "stephost %s\n%s%s", strings.Join(args, " "), o.stdout, o.stderr)
	return o.stdout
}

// launch runs a step from the world's source and returns its result, too.
func (w *world) launch(flags []string, argv ...string) (outcome, result) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "result.json")
	args := append([]string{"launch", "--operator", "op", "--source", w.source(), "--result-file", path}, flags...)
	o := w.run(append(append(args, "--"), argv...)...)
	var r result
	if text, err := os.ReadFile(path); err == nil {
		require.NoError(w.t, json.Unmarshal(text, &r), "%s", text)
	}
	return o, r
}
