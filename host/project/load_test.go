package project_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
)

// What Load refuses, as a person sees it.
func TestLoadDiagnostics(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"unknown_names", `
stepp "train" {}
step "train" {
  comand = ["true"]
  environment {
    base_imgae = "x"
    sourc { path = "." }
  }
  resources { gpus = 1 }
  env {
    A = "b"
  }
  timeouts = { run = "2h" }
}
operator "x" {
  flavor = "cloud"
  setings {}
}
`},
		{"duplicates", `
step "train" { command = ["true"] }
step "train" { command = ["true"] }
operator "x" { flavor = "cloud" }
operator "x" { flavor = "cloud" }
variable "v" { default = 1 }
variable "v" { default = 1 }
locals { a = 1 }
locals { a = 2 }
defaults {}
defaults {}
step "two" {
  command = ["true"]
  resources {}
  resources {}
  env = { A = "1", A = "2" }
}
`},
		{"command", `
step "text" { command = "python train.py --name 'a b'" }
step "numbers" { command = ["x", 3, 0.1, 1.50, 1e3, true, 1/3] }
step "empty" { command = [] }
step "blank" { command = [""] }
step "map" { command = { a = "b" } }
step "null" { command = ["x", null] }
step "nul" { command = ["x\u0000y"] }
step "home" { command = ["bash", "-c", "echo ${HOME} ${name}"] }
step "secret" { command = ["x", secret("env:T")] }
`},
		{"environment", `
step "a" {
  command = ["x"]
  environment {
    image        = "a"
    base_image   = "b"
    requirements = "scikit-learn"
    registry     = { pull = "x", pusch = "y" }
    platform     = "amd64"
    python       = [3]
    override     = "perhaps"
    source {
      path   = "~/code"
      target = "../up"
    }
    source {
      path = "b"
    }
    source {
      path = "c"
    }
    source {}
  }
}
step "b" {
  command = ["x"]
  environment {
    requirements = ["", "-r other.txt", "a\nb", "six"]
    registry     = "https://registry.example.com/ml"
    base_image   = "two words"
  }
}
step "c" {
  command = ["x"]
  environment {
    requirements = file("requirements.txt")
  }
}
step "d" {
  command = ["x"]
  environment {
    requirements = "requirements.txt"
  }
}
step "e" {
  command = ["x"]
  environment {
    image             = "a"
    requirements_file = "r.txt"
    source {
      path = "."
    }
  }
}
`},
		{"quantities", `
step "a" {
  command = ["x"]
  resources {
    cpu           = "4 cores"
    memory        = "16g"
    gpu           = 1.5
    nodes         = 0
    disk          = "1.0000000000001KiB"
    shared_memory = -1
  }
  timeouts {
    provisioning = 20
    run          = "2 hours"
    cancel       = "0s"
    total        = "-1h"
    log_drain    = "2d"
  }
  retry {
    user   = -1
    system = "many"
  }
}
step "b" {
  command = ["x"]
  resources {
    cpu      = 0.0001
    memory   = "0"
    gpu      = 0
    gpu_type = "t4"
  }
  timeouts {
    run   = "3h"
    total = "2h"
  }
}
step "c" {
  command = ["x"]
  resources {
    gpu_type = "a10q"
  }
}
step "d" {
  command = ["x"]
  resources {
    gpu_type = "my gpu!"
  }
}
`},
		{"secrets", `
locals {
  joined = { A = env("A"), B = "text" }
  good   = { C = env("C") }
}
step "a" {
  command = ["x"]
  secrets = {
    LITERAL   = "hf_abcdef"
    COMPUTED  = upper(env("T"))
    COMPARED  = env("T") == "x" ? "a" : env("U")
    CHOSEN    = true ? env("T") : env("U")
    MIXED     = "Bearer ${env("T")}"
    PART      = substr(file("t"), 0, 3)
    NUMBER    = 12345
    NOTHING   = null
    FROM      = local.joined.A
    INDIRECT  = env(env("T"))
    ENCODED   = jsonencode({ a = secret("file:x") })
  }
}
step "b" {
  command = ["x"]
  secrets = local.joined
}
step "c" {
  command = ["x"]
  secrets = local.good
}
step "d" {
  command = ["x"]
  env     = { T = secret("env:T"), STEPHOST_RUN = "x", "A=B" = "x" }
  labels  = { t = secret("env:T"), "" = "x" }
}
step "e" {
  command = ["x"]
  env     = { T = "x" }
  secrets = { T = env("T") }
}
`},
		{"operators", `
operator "Up Case" { flavor = "cloud" }
operator "none" {}
operator "ref" { flavor = "a/../b" }
operator "late" { flavor = env("F") }
operator "one" {
  flavor  = "cloud"
  default = true
}
operator "two" {
  flavor  = "cloud"
  default = true
}
defaults {
  settings {
    a = 1
  }
}
step "list" {
  operator = ["one", "two"]
  command  = ["x"]
}
step "env" {
  operator = env("OP")
  command  = ["x"]
}
step "bad\nname" { command = ["x"] }
`},
		{"variables", `
variable "typed" {
  type    = number
  default = "many"
}
variable "missing" {}
variable "checked" {
  default = "x"
  validation {
    condition     = length(var.checked) > 3
    error_message = "must be longer than 3, not ${var.checked}"
  }
}
variable "uses" { default = var.typed }
variable "1x" {}
variable "other" {
  default = 1
  validation {
    condition     = var.checked == "x"
    error_message = "no"
  }
  nullable = true
}
locals {
  a     = local.b
  b     = "${local.c}!"
  c     = [local.a]
  self  = local.self
  wrong = var.typo + local.good
  good  = 1
}
step "a" { command = ["x", var.checkt, local.nothing, local.good] }
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := load(t, tc.text)
			assert.True(t, w.diags.HasErrors())
			golden(t, tc.name+".golden", w.text(w.diags))
		})
	}
}

func TestVariables(t *testing.T) {
	const text = `
variable "name" { default = "default" }
variable "count" {
  type    = number
  default = 1
}
variable "list" {
  type    = list(string)
  default = []
}
variable "token" {
  type      = string
  sensitive = true
  default   = null
}
locals {
  both = "${var.name}-${var.count}"
}
step "a" {
  command = concat(["x", local.both], var.list)
  secrets = { T = var.token }
}
operator "o" { flavor = "cloud" }
`
	argv := func(t *testing.T, opts ...func(*project.LoadOptions)) []string {
		w := load(t, text, opts...)
		require.Empty(t, w.text(w.diags))
		return w.project.Steps["a"].Command
	}
	with := func(f func(o *project.LoadOptions)) func(*project.LoadOptions) { return f }
	file := with(func(o *project.LoadOptions) { o.VarFiles = []string{"a.hcl", "b.json"} })
	varFiles := func(t *testing.T, opts ...func(*project.LoadOptions)) []string {
		w := loadFiles(t, map[string]string{"stephost.hcl": text, "a.hcl": "name = \"file a\"\ncount = 2\n", "b.json": `{"name": "file b"}`}, opts...)
		require.Empty(t, w.text(w.diags))
		return w.project.Steps["a"].Command
	}
	env := with(func(o *project.LoadOptions) {
		o.Environ = []string{"STEPHOST_VAR_name=env", "STEPHOST_VAR_unknown=x", "name=no", `STEPHOST_VAR_list=["a","b"]`}
	})
	flags := with(func(o *project.LoadOptions) { o.Vars = map[string]string{"name": "flag", "count": "3"} })
	assert.Equal(t, []string{"x", "default-1"}, argv(t))
	assert.Equal(t, []string{"x", "env-1", "a", "b"}, argv(t, env))
	assert.Equal(t, []string{"x", "file b-2", "a", "b"}, varFiles(t, env, file))
	assert.Equal(t, []string{"x", "flag-3", "a", "b"}, varFiles(t, env, file, flags))
}

func TestVariableSlips(t *testing.T) {
	const text = `
variable "count" { type = number }
variable "token" { sensitive = true }
step "a" {
  command = ["x", var.token]
  secrets = { T = var.token }
}
`
	w := loadFiles(t, map[string]string{"stephost.hcl": text, "vars.hcl": "counts = 1\ntoken = \"literal_secret\"\n"},
		func(o *project.LoadOptions) {
			o.Vars = map[string]string{"count": "many", "token": "flag_secret", "tokn": "x"}
			o.VarFiles = []string{"vars.hcl", "absent.hcl"}
		})
	got := w.text(w.diags)
	assert.NotContains(t, got, "flag_secret")
	assert.NotContains(t, got, "literal_secret")
	golden(t, "variable_slips.golden", got)
}

// A sensitive variable from the environment is kept by its name.
func TestSensitiveVariable(t *testing.T) {
	const text = `
variable "token" { sensitive = true }
operator "o" {
  flavor = "cloud"
  config {
    role = "r"
  }
  environment { image = "i" }
}
step "a" {
  command = ["x"]
  secrets = { T = "Bearer ${var.token}" }
}
`
	t.Setenv("STEPHOST_VAR_token", "sesame")
	w := load(t, text, func(o *project.LoadOptions) { o.Environ = os.Environ() })
	require.Empty(t, w.text(w.diags))
	got, diags := w.resolve(w.request(flavor(t, cloud), "a", "o"))
	require.Empty(t, diags)
	assert.NotContains(t, got.Secrets["T"], "sesame")
	assert.Contains(t, got.Secrets["T"], "STEPHOST_VAR_token")
}

func TestSeveralFiles(t *testing.T) {
	w := loadFiles(t, map[string]string{
		"stephost.hcl":         "step \"a\" { command = [local.x] }\n",
		"more.stephost.hcl":    "locals { x = \"from more\" }\nstep \"b\" { command = [\"b\"] }\n",
		"clash.stephost.hcl":   "step \"a\" { command = [\"again\"] }\n",
		"other.hcl":            "not read",
		".hidden.stephost.hcl": "not read",
	})
	assert.Equal(t, []string{"a", "b"}, w.project.StepOrder)
	assert.Equal(t, []string{"from more"}, w.project.Steps["a"].Command)
	got := w.text(w.diags)
	assert.Contains(t, got, `The step "a" is declared twice`)
	assert.Equal(t, w.dir, w.project.Dir)
}

func TestUnreadableFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	sources := &diag.Sources{}
	_, diags := project.Load(context.Background(), project.LoadOptions{
		Files: []string{"absent.hcl", ".", "-"}, Sources: sources})
	w := &world{t: t, sources: sources}
	golden(t, "unreadable.golden", w.text(diags))
}
