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

// An operator has one value of each: what is written twice is refused with both places.
func TestGivenTwice(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--role=a", "--role=b"}, `--role="a" and --role="b" are for one and the same value`},
		{[]string{"--role=a", "--zone=north", "--region=south"}, `--zone="north" and --region="south"`},
		{[]string{"--set", "config.role=a", "--role=b"}, `--set config.role="a" and --role="b"`},
		{[]string{"--role=a", "--image=x", "--set", "environment.image=y"}, `--image="x" and --set environment.image="y"`},
		{[]string{"--role=a", "--password=env:A", "--password=env:B"}, "--password and --password"},
		{[]string{"--role=-", "--zone=-"}, "--role=- and --zone=- cannot both have it"},
		{[]string{"--role=\xff"}, "is not UTF-8 text"},
		{[]string{"--role=a", "--image=\xff"}, "--image takes UTF-8 text"},
	} {
		r := w.runWith("north\n", append([]string{"operator", "register", "gpu", "--flavor=cloud"}, tc.args...)...)
		assert.Equal(t, 125, r.code, "%q", tc.args)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), tc.want)
	}
	_, err := os.Stat(filepath.Join(w.home, "operators", "gpu.hcl"))
	assert.ErrorIs(t, err, os.ErrNotExist)
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

// What is stored does not depend on where it was applied, and is what was written.
func TestApplyKeepsWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	text := "# ours\noperator \"a\" {\n  flavor=\"cloud\"   # any\n  config {\n    role = file(\"sd\") # kept\n    password=secret(\"file:pw\")\n  }\n}\n"
	file := w.write("ops.hcl", text)
	want := strings.NewReplacer(`"cloud"`, `"cloud@0.1.0"`, `"sd"`, `"`+w.dir+`/sd"`, `file:pw`, `file:`+w.dir+`/pw`).Replace(text)
	for _, tc := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"operator", "apply", file}},
		{"", []string{"-C", w.dir, "operator", "apply", "ops.hcl"}},
		{text, []string{"-C", w.dir, "operator", "apply", "-"}},
	} {
		r := w.runWith(tc.stdin, tc.args...)
		require.Zero(t, r.code, r.err)
		stored, err := os.ReadFile(filepath.Join(w.home, "operators", "a.hcl"))
		require.NoError(t, err)
		assert.Equal(t, want, string(stored))
	}
	w.write("ops.hcl", strings.Replace(text, "# kept", "\n    rle = 1", 1))
	r := w.run("operator", "apply", file)
	assert.Contains(t, r.err, "ops.hcl line 6", "an error is shown where it was written")
	w.write("ops.hcl", text+text)
	assert.Contains(t, w.run("operator", "apply", file).err, `The operator "a" is declared twice`)
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

// A value that is known at launch is named, and is no rule of the flavor. A default has
// one origin, null or not.
func TestWhatIsKnownAtLaunch(t *testing.T) {
	w := newWorld(t)
	text := w.manifest("0.1.0", "30")
	head, rest, ok := strings.Cut(text, "    validation {")
	require.True(t, ok)
	_, rest, _ = strings.Cut(rest, "\n    }\n")
	require.NoError(t, os.WriteFile(w.plug+".flavor.hcl", []byte(head+rest), 0o644))
	w.registerCloud()
	r := w.run("operator", "register", "gpu", "--flavor=cloud", "--role=env:ROLE")
	require.Zero(t, r.code, r.err)
	assert.Equal(t, "operator gpu (cloud@0.1.0) registered\n  checked at launch: config.role: known at launch\n", r.out)
	r = w.run("operator", "describe", "gpu")
	assert.Regexp(t, `config.password +null +flavor cloud\n`, r.out)
	assert.Regexp(t, `config.region +"north" +flavor cloud\n`, r.out)

	require.NoError(t, os.WriteFile(w.plug+".flavor.hcl", []byte(w.manifest("0.2.0", "30")), 0o644))
	w.registerCloud()
	r = w.run("operator", "register", "other", "--flavor=cloud@0.2.0", "--role=env:ROLE")
	require.Zero(t, r.code, r.err)
	assert.Contains(t, r.out, "  checked at launch: config.role: known at launch\n  checked at launch: 1 rule of the flavor (stephost operator show other)\n")
}
