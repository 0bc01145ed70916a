//go:build unix

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFrontSaysTheSame: whichever of the two programs is asked, the answer is the same
// to the byte, for help, mistakes, lists, completion and what is handed over.
func TestFrontSaysTheSame(t *testing.T) {
	l := newLab(t)
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "stephost.hcl"), []byte("step \"train\" {\n  operator = \"here\"\n  command  = [\"true\"]\n}\n"), 0o644))
	l.must("launch", "train", "--run-token", "known")
	lines := [][]string{{}, {"--help"}, {"--version"}, {"version"}, {"nix"}, {"--nix"}, {"-o", "yaml", "version"}, {"help", "nix"}, {"help", "help"}}
	for _, c := range []string{"validate", "plan", "build", "launch", "run", "doctor", "flavor", "operator", "completion", "version"} {
		lines = append(lines, []string{c, "--help"}, []string{"help", c}, []string{c, "--nix"}, []string{"__complete", c, ""}, []string{"__complete", c, "--"})
	}
	for _, noun := range []string{"flavor", "operator"} {
		for _, verb := range []string{"register", "list", "ls", "describe", "verify", "delete", "rm", "docs", "schema", "stamp", "init", "test",
			"apply", "update", "rename", "copy", "default", "nix"} {
			lines = append(lines, []string{noun, verb, "--help"}, []string{"help", noun, verb}, []string{noun, verb}, []string{"__complete", noun, verb, ""})
		}
	}
	lines = append(lines,
		[]string{"__complete", ""}, []string{"__complete", "launch", "--operator", ""}, []string{"__complete", "run", "show", ""},
		[]string{"-o", "json", "flavor", "list"}, []string{"-o", "json", "run", "show", "--token", "known"}, []string{"-o", "json", "flavor", "rm", "nix"},
		[]string{"-C", "nowhere", "validate"}, []string{"-C", "nowhere", "plan"}, []string{"plan", "train"}, []string{"operator", "rm", "nix"}, []string{"step-operator", "flavor", "list"})
	for _, args := range lines {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			front, whole := l.answer(l.bin, args), l.answer(l.bin+"-host", args)
			// Runs grow older.
			assert.Equal(t, ages(whole), ages(front))
		})
	}
}

func ages(text string) string {
	words := strings.Fields(text)
	for i := 1; i < len(words); i++ {
		if strings.HasSuffix(words[i], "ago") {
			words[i-1] = "AGE"
		}
	}
	return strings.Join(words, " ")
}

// answer is what a program prints, and its exit code.
func (l *lab) answer(bin string, args []string) string {
	var out bytes.Buffer
	cmd := l.command(args...)
	cmd.Path, cmd.Args[0] = bin, "stephost"
	cmd.Stdout, cmd.Stderr = &out, &out
	code := codeOf(l.t, cmd.Run())
	return out.String() + "\nexit " + strconv.Itoa(code)
}

// TestFrontAlone: what starts nothing needs nothing but the front, and everything else
// says what is missing.
func TestFrontAlone(t *testing.T) {
	l := newLab(t)
	alone := filepath.Join(t.TempDir(), "stephost")
	copyFile(t, l.bin, alone)
	l.bin = alone
	assert.Contains(t, l.must("operator", "list"), "here")
	assert.Contains(t, l.must("--help"), "launch")
	for _, args := range [][]string{{"run", "list"}, {"-o", "text", "run", "list"}, {"flavor", "delete", "x"}, {"help", "launch"}, {"__complete", "run", ""}} {
		_, errs, code := l.run(args...)
		assert.Equal(t, 125, code, args)
		assert.Contains(t, errs, "stephost-host", args)
		assert.Contains(t, errs, "Next: install stephost again", args)
	}
}

// TestFrontOfAnotherVersion: two versions never work as one.
func TestFrontOfAnotherVersion(t *testing.T) {
	l := newLab(t)
	l.bin += "-host"
	l.env = append(l.env, "STEPHOST_FRONT=9.9.9")
	_, errs, code := l.run("run", "list")
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "stephost is of version 9.9.9")
	l.env[len(l.env)-1] = "STEPHOST_FRONT="
	assert.NotContains(t, l.must("launch", "--operator", "here", "--", "env"), "STEPHOST_FRONT", "a step is not told")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o755))
}
