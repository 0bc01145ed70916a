package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOperators(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	golden(t, "operators", w.transcript(
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=train", "--zone=south", "--password=env:CLOUD_PW",
			"--tolerations", `[{key="gpu"}]`, "--spot", "--base_image=python:3.11-slim", "--set", "timeouts.run=2h", "--gpu", "1"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=other"},
		[]string{"operator", "describe", "gpu"},
		[]string{"operator", "describe", "gpu", "-o", "json"},
		[]string{"operator", "update", "gpu", "--volume_size=40", "--unset=spot", "--dry-run"},
		[]string{"operator", "update", "gpu", "--volume_size=40", "--unset=spot"},
		[]string{"operator", "update", "gpu", "--unset=volume-sice"},
		[]string{"operator", "update", "gpu"},
		[]string{"operator", "update"},
		[]string{"operator", "update", "none", "--role=x"},
		[]string{"operator", "rename", "gpu", "train-gpu"},
		[]string{"operator", "copy", "train-gpu", "gpu"},
		[]string{"operator", "default", "gpu"},
		[]string{"operator", "list"},
		[]string{"operator", "delete", "gpu"},
		[]string{"operator", "delete", "gpu"},
		[]string{"operator", "list", "-o", "json"},
	))
	w.neverRan()
}

// What is wrong is said at once, at the flag, with its text; and nothing is
// written.
func TestOperatorDiagnostics(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	golden(t, "operator_diagnostics", w.transcript(
		[]string{"operator", "register", "gpu", "--flavor=cloud"},
		[]string{"operator", "register", "--flavor=cloud", "--role=x"},
		[]string{"operator", "register", "../gpu", "--flavor=cloud", "--role=x"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--rle=x"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=BAD!", "--volume-size=abc", "--password=hunter2", "--zone=west",
			"--tolerations", `[{key="a", efect="b"}]`, "--set", "nope=3", "--set", "volume-sise=hunter2"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=BAD!", "--volume-size=0", "--zone=west"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=train", "--gpu=lots", "--timeout-run=soon"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=@none"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--set", "role"},
	))
	entries, err := os.ReadDir(filepath.Join(w.home, "operators"))
	if err == nil {
		for _, e := range entries {
			assert.False(t, strings.HasSuffix(e.Name(), ".hcl"), e.Name())
		}
	}
	w.neverRan()
}

func TestSecretLiteralIsNeverShownOrStored(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	for _, args := range [][]string{
		{"--password=hunter2"}, {"--password", "hunter2"}, {"--set", "password=hunter2"}, {"--set", "config.password=hunter2"},
		{"--pasword=hunter2"}, {"--set", "pasword=hunter2"},
	} {
		for _, output := range []string{"text", "json"} {
			r := w.run(append([]string{"-o", output, "operator", "register", "gpu", "--flavor=cloud", "--role=train"}, args...)...)
			assert.Equal(t, 125, r.code, "%v", args)
			assert.NotContains(t, r.out+r.err, "hunter2", "%v", args)
		}
	}
	_, err := os.Stat(filepath.Join(w.home, "operators", "gpu.hcl"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestValuesFromElsewhere(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	secret := w.write("pw", "hunter2\n")
	w.write("tolerations.hcl", `[{ key = "gpu", effect = "NoExecute" }]`)
	r := w.runWith("from-stdin\n", "-C", w.dir, "operator", "register", "gpu", "--flavor=cloud", "--role=-", "--password=@pw",
		"--tolerations=@tolerations.hcl", "--requirements-file=requirements.txt")
	require.Zero(t, r.code, r.err)
	text, err := os.ReadFile(filepath.Join(w.home, "operators", "gpu.hcl"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `role     = "from-stdin"`)
	assert.Contains(t, string(text), `secret("file:`+secret+`")`)
	assert.Contains(t, string(text), "NoExecute")
	assert.Contains(t, string(text), `"`+filepath.Join(w.dir, "requirements.txt")+`"`, "a stored path does not depend on where one stands")
	assert.NotContains(t, string(text), "hunter2")
	assert.Contains(t, string(text), `flavor = "cloud@0.1.0"`)
}

func TestMoveToAnotherVersion(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	require.Zero(t, w.run("operator", "register", "gpu", "--flavor=cloud", "--role=train", "--spot").code)
	require.NoError(t, os.WriteFile(w.plug+".flavor.hcl", []byte(w.manifest("0.2.0", "50")), 0o644))
	golden(t, "operator_versions", w.transcript(
		[]string{"flavor", "register", w.plug},
		[]string{"operator", "list"},
		[]string{"operator", "update", "gpu", "--flavor-version=0.3.0"},
		[]string{"operator", "update", "gpu", "--flavor-version=0.2.0", "--dry-run"},
		[]string{"operator", "update", "gpu", "--flavor-version", "0.2.0"},
		[]string{"operator", "list"},
		[]string{"flavor", "delete", "cloud"},
	))
	w.neverRan()
}

func TestUpdateKeepsComments(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	file := w.write("ops.hcl", "# the big one\noperator \"gpu\" {\n  flavor = \"cloud\" # pinned by nobody\n  config {\n    role = \"train\"\n    zone = \"north\" # near\n  }\n}\n")
	require.Zero(t, w.run("operator", "apply", file).code)
	r := w.run("operator", "update", "gpu", "--region=south")
	require.Zero(t, r.code, r.err)
	text, err := os.ReadFile(filepath.Join(w.home, "operators", "gpu.hcl"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "# the big one")
	assert.Contains(t, string(text), `zone = "south" # near`, "an alias is changed where it stands")
}

func TestApply(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	good := w.write("good.hcl", "operator \"a\" {\n  flavor = \"cloud\"\n  config {\n    role = \"a\"\n  }\n}\noperator \"b\" {\n  flavor = \"cloud\"\n  config {\n    role = \"b\"\n  }\n}\n")
	bad := w.write("bad.hcl", "operator \"c\" {\n  flavor = \"cloud\"\n  config {\n    role = \"c\"\n  }\n}\n\noperator \"d\" {\n  flavor = \"cloud\"\n  config {\n    rle = \"d\"\n  }\n}\n")
	golden(t, "apply", w.transcript(
		[]string{"operator", "apply", good, "--dry-run"},
		[]string{"operator", "list"},
		[]string{"operator", "apply", good},
		[]string{"operator", "apply", bad},
		[]string{"operator", "apply", filepath.Join(w.dir, "none.hcl")},
		[]string{"operator", "list"},
	))
	src, err := os.ReadFile(good)
	require.NoError(t, err)
	assert.Zero(t, w.runWith(string(src), "operator", "apply", "-").code)
	w.neverRan()
}

func TestProjectHidesRegistered(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	require.Zero(t, w.run("operator", "register", "here", "--flavor=cloud", "--role=train").code)
	w.write("stephost.hcl", sampleProject)
	r := w.run("operator", "list", "-C", w.dir)
	require.Zero(t, r.code)
	assert.Contains(t, r.out, "hidden by the project's")
	w.write("stephost.hcl", "operator {")
	r = w.run("operator", "list", "-C", w.dir)
	assert.Zero(t, r.code)
	assert.Contains(t, r.out, "here")
	assert.Contains(t, r.err, "stephost validate")
}

func TestListInNoDirectory(t *testing.T) {
	w := newWorld(t)
	r := w.run("operator", "list", "-C", filepath.Join(w.base, "none"))
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "Next: ")
}
