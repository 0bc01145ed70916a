//go:build unix

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLaunchStreamsAndCodes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, tc := range []struct {
		name, script, out string
		code              int
	}{
		{"stdout is the step's alone", "echo a; echo b >&2; printf c", "a\nc", 0},
		{"the step's own code", "exit 124", "", 124},
		{"killed", "kill -9 $$", "", 1},
		{"an odd byte", `printf '\377\0\r\n'`, "\xff\x00\r\n", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, errs, code := l.run(l.step(tc.script).launch()...)
			assert.Equal(t, tc.out, out)
			if tc.name != "killed" { // 1, or 128 and the signal: the class decides
				assert.Equal(t, tc.code, code, errs)
			} else {
				assert.NotZero(t, code)
			}
		})
	}
}

func TestLaunchFromStdin(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, text := range map[string]string{
		"hcl":  "step \"train\" {\n  operator = \"here\"\n  command = [\"echo\", \"$HOME\", \"\"]\n}\n",
		"json": `{"step": {"train": {"operator": "here", "command": ["echo", "$HOME", ""]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			cmd := l.command("launch", "-f", "-")
			cmd.Stdin = strings.NewReader(text)
			out, err := cmd.Output()
			require.NoError(t, err)
			assert.Equal(t, "$HOME \n", string(out), "argv stays argv")
		})
	}
}

func TestLaunchJSON(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	file := filepath.Join(l.dir, "result.json")
	out, errs, code := l.run(l.step(`echo hi; echo '::stephost value acc=0.5'; exit 3`).launch("--output", "json", "--result-file", file)...)
	assert.Equal(t, 3, code)
	assert.Empty(t, errs)
	var types []string
	var last map[string]any
	for line := range strings.Lines(out) {
		last = nil
		require.NoError(t, json.Unmarshal([]byte(line), &last), line)
		assert.EqualValues(t, 1, last["v"])
		types = append(types, last["type"].(string))
	}
	assert.Contains(t, types, "status")
	assert.Contains(t, types, "log")
	assert.Equal(t, "result", types[len(types)-1])
	assert.Equal(t, "user", last["class"])
	assert.EqualValues(t, 3, last["exit_code"])
	assert.Equal(t, map[string]any{"acc": 0.5}, last["values"])
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var same map[string]any
	require.NoError(t, json.Unmarshal(data, &same))
	assert.Equal(t, last, same)
}

// Whatever is wrong, a program finds a result.
func TestLaunchRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, args := range map[string][]string{
		"no such operator": {"launch", "--operator", "nope", "--", "true"},
		"nothing to run":   {"launch"},
		"a bad size":       {"launch", "--operator", "here", "--memory", "lots", "--", "true"},
		"a literal secret": {"launch", "--operator", "here", "--secret", "TOKEN=hunter2", "--", "true"},
		"no such step":     {"launch", "nope", "--operator", "here"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "result.json")
			out, errs, code := l.run(append([]string{args[0], "--output=json", "--result-file", file}, args[1:]...)...)
			assert.Equal(t, 125, code)
			assert.NotContains(t, out+errs, "hunter2")
			var last, same map[string]any
			lines := strings.Split(strings.TrimSpace(out), "\n")
			require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last), out)
			assert.Equal(t, "result", last["type"])
			assert.EqualValues(t, 125, last["exit"])
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &same))
			assert.EqualValues(t, 125, same["exit"])
			_, errs, code = l.run(args...)
			assert.Equal(t, 125, code)
			assert.Contains(t, errs, "Error")
			assert.NotContains(t, errs, "hunter2")
		})
	}
	assert.Empty(t, l.runs(), "nothing was stored")
}

// The reader of the pipe goes away: the run goes on.
func TestReaderGone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done")
	var quoted []string
	for _, a := range append([]string{l.bin}, s.launch()...) {
		quoted = append(quoted, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	cmd := l.command()
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	cmd.Path, cmd.Args = sh, []string{"sh", "-c", "{ " + strings.Join(quoted, " ") + "; echo \"exit $?\" >&2; } | head -n 1"}
	text, err := cmd.CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(text), "1\n")
	assert.Contains(t, string(text), "exit 0\n")
	r := l.only()
	assert.Equal(t, "succeeded", r.Verdict.Class)
	assert.Equal(t, "1\n2\n3\n4\n5\n6\n7\n8\n", l.must("run", "logs", r.Run))
	assert.Equal(t, "7\n8\n", l.must("run", "logs", "--tail", "2", r.Run))
	assert.Empty(t, l.must("run", "logs", "--tail", "0", r.Run))
}

func TestDetach(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("sleep 1; echo end; echo model > $STEPHOST_OUTPUT_DIR/model; exit 5")
	out, errs, code := l.run(s.launch("--detach")...)
	require.Equal(t, 0, code, errs)
	id := strings.TrimSpace(out)
	assert.Contains(t, errs, "run attach "+id)
	_, _, code = l.run("run", "wait", id[:20])
	assert.Equal(t, 5, code)
	l.quiet()
	r := l.only()
	assert.Equal(t, "closed", r.State)
	to := t.TempDir()
	l.must("run", "outputs", id, "--get", to)
	data, err := os.ReadFile(filepath.Join(to, "model"))
	require.NoError(t, err)
	assert.Equal(t, "model\n", string(data))
	story := l.must("run", "show", id)
	for _, word := range []string{"failed with exit code 5", "Story", "attempt 1", "submitted"} {
		assert.Contains(t, story, word)
	}
	l.must("run", "prune", "--older-than", "0")
	assert.Empty(t, l.runs())
}

func TestCancelFromElsewhere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("sleep 1000")
	p := l.start(s.launch("--run-token", "t")...)
	s.started()
	out, errs, code := l.run("run", "cancel", "--token", "t")
	assert.Equal(t, 0, code, errs)
	assert.Contains(t, out, "was cancelled")
	assert.Equal(t, 130, p.wait(), p.err)
	assert.False(t, s.alive())
	_, errs, code = l.run("run", "cancel", "--token", "t")
	assert.Equal(t, 0, code)
	assert.Contains(t, errs, "over already")
}

func TestRecover(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := l.step("echo end; exit 3")
	p := l.start(s.launch()...)
	s.started()
	_ = p.cmd.Process.Kill()
	p.wait()
	l.must("run", "recover", "--all")
	r := l.only()
	assert.Equal(t, "closed", r.State)
	assert.Equal(t, "user", r.Verdict.Class)
	assert.Equal(t, "end\n", l.must("run", "logs", r.Run))
	_, errs, code := l.run("run", "recover")
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "--all")
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	out, errs, code := l.run("doctor")
	assert.Equal(t, 0, code, out+errs)
	for _, word := range []string{"home", "store of runs", "flavor local@", "operator here", "would launch in", "python"} {
		assert.Contains(t, out, word)
	}
	out, _, code = l.run("doctor", "nope", "--output", "json")
	assert.Equal(t, 125, code, "a name that nothing has is wrong input")
	assert.Contains(t, out, `"error":`)
}
