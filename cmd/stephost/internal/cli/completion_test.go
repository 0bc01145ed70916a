package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Completion knows flavors, operators, steps and the attributes of flavors, and
// runs nothing to know them.
func TestCompletion(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	require.Zero(t, w.run("operator", "register", "gpu", "--flavor=cloud", "--role=train").code)
	w.write("stephost.hcl", sampleProject)
	complete := func(args ...string) []string { return append([]string{"__complete"}, args...) }
	golden(t, "completion", w.transcript(
		complete("flavor", "d"),
		complete("flavor", "describe", ""),
		complete("flavor", "delete", ""),
		complete("operator", "register", "x", "--flavor="),
		complete("operator", "register", "x", "--flavor", ""),
		complete("operator", "register", "x", "--flavor=cloud", "--r"),
		complete("operator", "register", "x", "--flavor=cloud", "--zone="),
		complete("operator", "register", "x", "--flavor=cloud", "--password", ""),
		complete("operator", "update", ""),
		complete("operator", "update", "gpu", "--v"),
		complete("operator", "update", "gpu", "--volume_"),
		complete("operator", "update", "gpu", "--dry_"),
		complete("operator", "update", "gpu", "--flavor-version="),
		complete("operator", "update", "gpu", "--unset", ""),
		complete("operator", "describe", "-C", w.dir, ""),
		complete("plan", "-C", w.dir, ""),
		complete("launch", "-C", w.dir, "--operator", ""),
		complete("flavor", "schema", "cloud", "--format", ""),
		complete("--output", ""),
		complete("completion", ""),
	))
	w.neverRan()
}

func TestCompletionIsQuiet(t *testing.T) {
	w := newWorld(t)
	w.write("stephost.hcl", "step {")
	for _, args := range [][]string{{"plan", "-C", w.dir, ""}, {"launch", "-f", "-", ""}, {"operator", "register", "x", "--flavor=none", "--"}} {
		r := w.run(append([]string{"__complete"}, args...)...)
		assert.Zero(t, r.code, "%v: %s", args, r.err)
		assert.NotContains(t, r.err, "Error", "%v", args)
	}
}

func TestCompletionScripts(t *testing.T) {
	w := newWorld(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := w.run("completion", shell)
		assert.Zero(t, r.code)
		assert.Contains(t, r.out, "stephost")
	}
	r := w.run("completion", "tcsh")
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "bash, zsh, fish or powershell")
}
