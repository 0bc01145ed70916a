//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLocal: host and plugin die while an application computes on a local master.
// Whoever comes next shows its stages, its whole log and its own exit code, and the
// arguments were what was written.
func TestLocal(t *testing.T) {
	w := newWorld(t, "--master=local[*]")
	w.put("job.py", job)
	w.put("helper.py", helper)
	gate := filepath.Join(w.dir, "gate")
	args := append([]string{"launch", "--operator", "op", "--source", w.source(), "--run-token", "t", "--cpu=2", "--memory=600MiB", "--env", "PLAIN=p q", "--env", "GATE=" + gate,
		"--secret", "TOKEN=env:SECRET", "--python", install.Python, "--pipeline", "words", "--step-name", "count", "--", "python", "job.py", "hold"}, nasty()...)
	cmd := w.command(args...)
	cmd.Env = append(w.env, "SECRET=hunter2")
	var stdout, stderr syncBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), "holding\n") }, hang, 100*time.Millisecond, "%s", &stderr)
	require.Eventually(t, func() bool {
		return strings.Contains(w.run("run", "show", "--token", "t", "--operator", "op").stdout, "stages 2/3")
	}, hang, 500*time.Millisecond)
	for _, pid := range processes(w.dir) {
		line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		if err == nil {
			assert.NotContains(t, string(line), "hunter2", "no secret on a command line")
		}
	}
	for _, pid := range children(cmd.Process.Pid) {
		kill(t, pid) // the plugin
	}
	kill(t, cmd.Process.Pid)
	<-ended
	require.NoError(t, os.WriteFile(gate, nil, 0o600))

	cmd = w.command(args...)
	cmd.Env = append(w.env, "SECRET=hunter2")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	require.Equal(t, 3, cmd.ProcessState.ExitCode(), "%s\n%s", &out, &errs)
	want, err := json.Marshal(append([]string{"hold"}, nasty()...))
	require.NoError(t, err)
	var got, expected any
	require.NoError(t, json.Unmarshal([]byte(line(t, out.String(), "argv ")), &got))
	require.NoError(t, json.Unmarshal(want, &expected))
	assert.Equal(t, expected, got)
	assert.Equal(t, `["p q", "hunter2"]`, line(t, out.String(), "env "))
	assert.Equal(t, "9900", line(t, out.String(), "sum "))
	for i := range 300 {
		require.Equal(t, 1, strings.Count(out.String(), "line "+strconv.Itoa(i)+"\n"), "each line once")
	}
	var page environmentPage
	found, err := filepath.Glob(filepath.Join(w.dir, "state", "stephost-spark", "jobs", "*", "output", "environment.json"))
	require.NoError(t, err)
	require.Len(t, found, 1, "one job")
	page.read(t, found[0])
	assert.Equal(t, "local[2]", page.Spark["spark.master"])
	assert.Equal(t, "600m", page.Spark["spark.driver.memory"])
	assert.Equal(t, "2", page.Spark["spark.sql.shuffle.partitions"])
	assert.Contains(t, page.Spark["spark.app.name"], "words/count ")
	assert.Empty(t, processes(w.dir), "no process is left")
}

// environmentPage is what Spark's own UI says about an application.
type environmentPage struct{ Spark, System map[string]string }

func (p *environmentPage) read(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, p))
}

// line is the rest of the only line that begins so.
func line(t *testing.T, text, prefix string) string {
	t.Helper()
	for _, l := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			return rest
		}
	}
	require.Fail(t, "no line "+prefix, "%s", text)
	return ""
}

// processes lists those whose environment holds text.
func processes(text string) []int {
	var found []int
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		environ, err := os.ReadFile(path)
		if err == nil && bytes.Contains(environ, []byte(text)) {
			pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
			found = append(found, pid)
		}
	}
	return found
}

func children(pid int) []int {
	out, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	var found []int
	for _, word := range strings.Fields(string(out)) {
		if n, err := strconv.Atoi(word); err == nil {
			found = append(found, n)
		}
	}
	return found
}

func kill(t *testing.T, pid int) {
	p, err := os.FindProcess(pid)
	require.NoError(t, err)
	_ = p.Kill() // it may have ended meanwhile
}
