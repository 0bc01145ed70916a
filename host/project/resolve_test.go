package project_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

const levels = `
defaults {
  environment {
    registry   = "defaults/reg"
    python     = "3.10"
    base_image = "defaults-base"
    source { path = "defaults-src" }
  }
  env      = { A = "defaults", B = "defaults", C = "defaults", S = "defaults" }
  labels   = { team = "defaults" }
  timeouts { run = "1h" }
  retry    { user = 9 }
}
operator "o" {
  flavor = "cloud"
  config {
    role        = "r"
    volume_size = 1
    tags        = { a = "operator", b = "operator" }
    zones       = ["operator"]
  }
  settings {
    instance_type = "operator"
  }
  environment {
    base_image = "operator-base"
    python     = "3.11"
  }
  env      = { B = "operator", C = "operator" }
  secrets  = { S = env("HOME") }
  resources { gpu_type = "T4" }
}
step "s" {
  command = ["step"]
  environment {
    python = null
    source { path = "step-src" }
  }
  settings {
    volume_size   = null
    tags          = { b = "step", c = null }
    zones         = ["step"]
    instance_type = "step"
  }
  env    = { C = "step", A = null }
  labels = { who = "step" }
}
`

func TestPrecedence(t *testing.T) {
	w := load(t, levels)
	require.Empty(t, w.text(w.diags))
	r := w.request(flavor(t, cloud), "s", "o")
	got, diags := w.resolve(r)
	require.Empty(t, diags)
	assert.Equal(t, map[string]string{"A": "defaults", "B": "operator", "C": "step"}, got.Env, "S became a secret on the operator")
	assert.Contains(t, got.Secrets["S"], "HOME")
	assert.Equal(t, map[string]string{"team": "defaults", "who": "step"}, got.Labels)
	assert.Equal(t, "operator-base", got.Environment.BaseImage)
	assert.Equal(t, "3.11", got.Environment.Python, "null is not set")
	assert.Equal(t, "defaults/reg", got.Environment.RegistryPush)
	require.Len(t, got.Environment.Sources, 1)
	assert.Equal(t, "step-src", got.Environment.Sources[0].Written)
	assert.Equal(t, time.Hour, got.Timeouts.Run)
	assert.Equal(t, 9, got.Retry.User)
	assert.Equal(t, project.Resources{GPU: 1, GPUType: "t4"}, got.Resources, "a type without a count is one")
	assert.JSONEq(t, `{"instance_type":"step","tags":{"a":"operator","b":"step","c":null},"token":null,"volume_size":1,"zones":["step"]}`, string(got.Settings))
	assert.Equal(t, "step s (stephost.hcl:43)", got.Origins["settings.instance_type"])
	assert.Equal(t, "operator o (stephost.hcl:18)", got.Origins["settings.volume_size"])
	assert.NotContains(t, got.Origins, "env.S")

	inline := project.NewInline(w.sources, "/cwd")
	for _, f := range [][2]string{{"set", "volume_size=7"}, {"set", `tags={a="flag"}`}, {"env", "A=flag"}, {"base-image", "flag-base"},
		{"source", "here"}, {"source", "there:lib"}, {"gpu", "2"}, {"gpu-type", "NVIDIA_L4"}, {"timeout-run", "5m"}, {"retry-user", "0"},
		{"label", "team=flag"}, {"step-name", "renamed"}, {"run-name", "run 1"}, {"requirement", "six"}, {"requirement", "seven"},
		{"registry", "flag/reg/"}, {"secret", "A2=env:HOME"}} {
		require.Empty(t, inline.Add(f[0], f[1]), f[0])
	}
	require.Empty(t, inline.Command([]string{"e\u0301", "${HOME}", "", "a\nb", "--", "%{x}"}))
	r.Inline = inline.Step()
	got, diags = w.resolve(r)
	require.Empty(t, diags)
	assert.Equal(t, "renamed", got.Name)
	assert.Equal(t, "run 1", got.PipelineRun)
	assert.Equal(t, []string{"e\u0301", "${HOME}", "", "a\nb", "--", "%{x}"}, got.Argv, "byte for byte")
	assert.Equal(t, "flag", got.Env["A"])
	assert.Equal(t, "flag-base", got.Environment.BaseImage)
	assert.Equal(t, "flag/reg", got.Environment.RegistryPush)
	assert.Equal(t, []string{"six", "seven"}, got.Environment.Requirements)
	assert.Equal(t, []project.Source{{Path: "/cwd/here", Written: "here"}, {Path: "/cwd/there", Target: "lib", Written: "there"}}, got.Environment.Sources)
	assert.Equal(t, project.Resources{GPU: 2, GPUType: "l4"}, got.Resources)
	assert.Equal(t, 5*time.Minute, got.Timeouts.Run)
	assert.Equal(t, 0, got.Retry.User)
	assert.Equal(t, "flag", got.Labels["team"])
	assert.Contains(t, got.Secrets["A2"], "HOME")
	assert.JSONEq(t, `{"instance_type":"step","tags":{"a":"flag","b":"step","c":null},"token":null,"volume_size":7,"zones":["step"]}`, string(got.Settings))
	assert.Equal(t, "command line (--gpu)", got.Origins["resources.gpu"])
	assert.Equal(t, "command line (--set volume_size)", got.Origins["settings.volume_size"])
}

// An orchestrator needs no file.
func TestFlagsAlone(t *testing.T) {
	sources := &diag.Sources{}
	o, diags := project.DecodeOperator([]byte("operator \"o\" {\n  flavor = \"box\"\n}\n"),
		project.DecodeOptions{File: "o.hcl", Dir: "/", Sources: sources})
	require.Empty(t, diags)
	dir := files(t, map[string]string{"env": "# comment\nA=1\nB = spaced value \n\nHOME\nC=x=y\r\n"})
	inline := project.NewInline(sources, dir)
	require.Empty(t, inline.Add("env-file", "env"))
	require.Empty(t, inline.Add("env", "A=2"))
	require.Empty(t, inline.Command([]string{"true"}))
	t.Setenv("HOME", "/home/me")
	got, diags := project.Resolve(context.Background(), project.ResolveRequest{Inline: inline.Step(), Operator: o,
		Manifest: flavor(t, box), Stage: schema.StageLaunch, Sources: sources})
	require.False(t, diags.HasErrors(), "%s", diags)
	assert.Equal(t, "step", got.Name)
	assert.Equal(t, project.KindDirectory, got.Environment.Kind)
	assert.Equal(t, map[string]string{"A": "2", "B": " spaced value ", "C": "x=y", "HOME": "/home/me"}, got.Env)
	assert.Equal(t, `{}`, string(got.Config))
	assert.Equal(t, `{}`, string(got.Settings))
}

// What Resolve refuses, as a person sees it.
func TestResolveDiagnostics(t *testing.T) {
	const head = `
operator "cloud" {
  flavor = "cloud"
  config {
    role = "r"
  }
  environment {
    base_image = "python:3.11"
  }
}
operator "box" {
  flavor = "box"
}
`
	for _, tc := range []struct {
		name, text, operator, step string
		launch                     bool
		flags                      [][2]string
	}{
		{name: "no_command", operator: "cloud", step: "a", text: "step \"a\" {}\n"},
		{name: "no_step", operator: "cloud", step: "trian", text: "step \"train\" {}\n"},
		{name: "image_on_directory", operator: "box", step: "a", text: `
step "a" {
  command = ["x"]
  environment {
    base_image = "python:3.11"
  }
}
`},
		{name: "image_in_defaults", operator: "box", step: "a", text: `
defaults {
  environment {
    base_image = "python:3.11"
    registry   = "r/x"
  }
}
step "a" {
  command = ["x"]
}
`},
		{name: "registry_on_directory", operator: "box", step: "a", flags: [][2]string{{"registry", "r/x"}},
			text: "step \"a\" { command = [\"x\"] }\n"},
		{name: "resources_not_honoured", operator: "box", step: "a", flags: [][2]string{{"memory", "1GiB"}}, text: `
step "a" {
  command = ["x"]
  resources {
    gpu   = 0
    nodes = 2
  }
}
`},
		{name: "visible_secrets", operator: "box", step: "a", text: `
step "a" {
  command = ["x"]
  secrets = { T = env("T") }
}
`},
		{name: "no_registry", operator: "cloud", step: "a", launch: true, text: `
step "a" {
  command = ["x"]
  environment {
    requirements = ["six"]
  }
}
`},
		{name: "unresolved", operator: "cloud", step: "a", launch: true, text: `
step "a" {
  command  = ["x", env("STEPHOST_TEST_ABSENT")]
  pipeline = file("/absent/stephost/test")
  settings {
    token = env("STEPHOST_TEST_ABSENT_TOKEN")
  }
}
`},
		{name: "settings", operator: "cloud", step: "a", flags: [][2]string{{"set", "volume_siz=3"}, {"set", "zones=x"},
			{"set", "token=tok_literal_secret"}}, text: `
step "a" {
  command = ["x"]
  settings {
    role        = "other"
    volume_size = "large"
    instanc     = "x"
  }
}
`},
		{name: "flags", operator: "cloud", step: "a", flags: [][2]string{{"gpu", "many"}, {"memory", "16g"}, {"timeout-run", "90"},
			{"env", "=x"}, {"label", "a\x01=b"}, {"requirement", "-r x"}, {"cpu", "0"}},
			text: "step \"a\" { command = [\"x\"] }\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := load(t, head+tc.text)
			require.Empty(t, w.text(w.diags))
			m := flavor(t, cloud)
			if tc.operator == "box" {
				m = flavor(t, box)
			}
			r := w.request(m, tc.step, tc.operator)
			if tc.launch {
				r.Stage = schema.StageLaunch
			}
			if tc.flags != nil {
				inline := project.NewInline(w.sources, w.dir)
				for _, f := range tc.flags {
					require.Empty(t, inline.Add(f[0], f[1]))
				}
				r.Inline = inline.Step()
			}
			got, text := w.resolve(r)
			assert.Equal(t, strings.Contains(text, "Error:"), got == nil)
			assert.NotContains(t, text, "tok_literal_secret")
			golden(t, "resolve_"+tc.name+".golden", text)
		})
	}
}

func TestInlineSlips(t *testing.T) {
	w := &world{t: t, sources: &diag.Sources{}}
	inline := project.NewInline(w.sources, t.TempDir())
	var text strings.Builder
	for _, f := range [][2]string{{"secret", "T=hf_literal"}, {"secret", "T=env:"}, {"gpus", "1"}, {"set", "x"}, {"label", "x"},
		{"env-file", "absent"}, {"step-name", " "}} {
		diags := inline.Add(f[0], f[1])
		require.True(t, diags.HasErrors(), f)
		text.WriteString(w.text(diags) + "\n")
	}
	assert.NotContains(t, text.String(), "hf_literal")
	golden(t, "inline_slips.golden", text.String())
}

func TestOperatorDiagnostics(t *testing.T) {
	for _, tc := range []struct{ name, flavor, text string }{
		{"image_on_directory", box, "operator \"o\" {\n  flavor = \"box\"\n  environment {\n    image = \"x\"\n  }\n}\n"},
		{"literal_secret", cloud, "operator \"o\" {\n  flavor = \"cloud\"\n  config {\n    role     = \"r\"\n    password = \"pw_literal\"\n  }\n}\n"},
		{"key_twice", cloud, "operator \"o\" {\n  flavor = \"cloud\"\n  config {\n    role = \"r\"\n  }\n  settings {\n    tags = {\n      a = \"x\"\n      b = \"y\"\n      \"a\" = \"z\"\n    }\n  }\n}\n"},
		{"missing_and_twice", cloud, "operator \"o\" {\n  flavor = \"cloud\"\n  config {\n    volume_size = 1\n  }\n  settings {\n    volume-size = 2\n    bucket_name = \"x\"\n  }\n}\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := load(t, tc.text)
			require.Empty(t, w.text(w.diags))
			_, diags := project.ResolveOperator(context.Background(), project.OperatorRequest{Operator: w.project.Operators["o"],
				Manifest: flavor(t, tc.flavor), Stage: schema.StageOperator, Sources: w.sources})
			require.True(t, diags.HasErrors())
			text := w.text(diags)
			assert.NotContains(t, text, "pw_literal")
			golden(t, "operator_"+tc.name+".golden", text)
		})
	}
}

// env() in the local of another step is none of this step's business.
func TestOnlyWhatIsNeeded(t *testing.T) {
	w := load(t, `
locals {
  other = env("STEPHOST_TEST_ABSENT")
  mine  = "x"
}
operator "o" { flavor = "box" }
step "other" { command = [local.other] }
step "mine" { command = [local.mine] }
`)
	require.Empty(t, w.text(w.diags))
	r := w.request(flavor(t, box), "mine", "o")
	r.Stage = schema.StageLaunch
	got, diags := w.resolve(r)
	require.Empty(t, diags)
	assert.Equal(t, []string{"x"}, got.Argv)
}

type counting struct{ calls atomic.Int64 }

func (c *counting) Env(name string) (string, error) { c.calls.Add(1); return "v-" + name, nil }
func (c *counting) File(string) (string, error)     { c.calls.Add(1); return "", errors.New("no file") }
func (c *counting) Secret(ref string) (string, error) {
	c.calls.Add(1)
	return "s-" + ref, nil
}

func TestCaching(t *testing.T) {
	inner := &counting{}
	c := project.Caching(inner)
	assert.Same(t, c, project.Caching(c))
	for range 3 {
		v, err := c.Env("A")
		require.NoError(t, err)
		assert.Equal(t, "v-A", v)
		v, _ = c.Secret("env:A")
		assert.Equal(t, "s-env:A", v)
		_, err = c.File("A")
		assert.Error(t, err)
	}
	assert.EqualValues(t, 3, inner.calls.Load())
}
