package project_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

// sample is the design's own example.
const sample = `
variable "bucket" {
  type    = string
  default = "ml-dev"
}
defaults {
  environment {
    registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml"
  }
}
operator "gpu" {
  flavor = "cloud"
  config {
    role          = "train"
    instance_type = "ml.g5.xlarge"
    bucket_name   = var.bucket
  }
  environment {
    base_image = "python:3.11-slim"
  }
}
step "train" {
  pipeline = "digits"
  operator = "gpu"
  command  = ["python", "train.py", "--epochs", "3"]
  environment {
    requirements_file = "requirements.txt"
    source {
      path    = "."
      exclude = ["data/**"]
    }
  }
  resources {
    cpu      = 4
    memory   = "16GiB"
    gpu      = 1
    gpu_type = "a10g"
  }
  settings {
    volume_size = 50
  }
  env     = { LOG_LEVEL = "info" }
  secrets = { HF_TOKEN = env("HF_TOKEN") }
  timeouts {
    provisioning = "20m"
    run          = "2h"
    cancel       = "2m"
  }
  retry {
    preempted = 3
    capacity  = 2
    system    = 2
    user      = 0
  }
}
`

func TestSample(t *testing.T) {
	t.Setenv("HF_TOKEN", "hf_very_secret")
	w := loadFiles(t, map[string]string{"stephost.hcl": sample, "requirements.txt": ""})
	require.Empty(t, w.text(w.diags))
	for _, stage := range []schema.Stage{schema.StageStep, schema.StageLaunch} {
		r := w.request(flavor(t, cloud), "train", w.project.Steps["train"].OperatorName)
		r.Stage = stage
		got, diags := w.resolve(r)
		require.Empty(t, diags)
		assert.Equal(t, []string{"python", "train.py", "--epochs", "3"}, got.Argv)
		assert.Equal(t, "digits", got.Pipeline)
		assert.Equal(t, map[string]string{"LOG_LEVEL": "info"}, got.Env)
		assert.True(t, schema.HasReference(got.Secrets["HF_TOKEN"]))
		assert.Equal(t, project.Resources{CPUMillis: 4000, MemoryBytes: 16 << 30, GPU: 1, GPUType: "a10g"}, got.Resources)
		assert.Equal(t, project.Timeouts{Provisioning: 20 * time.Minute, Run: 2 * time.Hour, Cancel: 2 * time.Minute}, got.Timeouts)
		assert.Equal(t, project.Retry{Preempted: 3, Capacity: 2, System: 2}, got.Retry)
		assert.Equal(t, project.Environment{
			Kind: "image", BaseImage: "python:3.11-slim",
			RegistryPush:     "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml",
			RegistryPull:     "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml",
			RequirementsFile: filepath.Join(w.dir, "requirements.txt"), WrittenRequirementsFile: "requirements.txt",
			Sources: []project.Source{{Path: w.dir, Exclude: []string{"data/**"}, Written: "."}},
		}, got.Environment)
		assert.JSONEq(t, `{"account":null,"bucket_name":"ml-dev","password":null,"role":"train"}`, string(got.Config))
		assert.JSONEq(t, `{"instance_type":"ml.g5.xlarge","tags":{},"token":null,"volume_size":50,"zones":[]}`, string(got.Settings))
		assert.Subset(t, got.Origins, map[string]string{
			"environment.registry":   "defaults (stephost.hcl:8)",
			"environment.base_image": "operator gpu (stephost.hcl:19)",
			"settings.volume_size":   "step train (stephost.hcl:40)",
			"settings.instance_type": "operator gpu (stephost.hcl:15)",
			"settings.tags":          "flavor cloud",
			"config.bucket_name":     "operator gpu (stephost.hcl:16)",
			"secrets.HF_TOKEN":       "step train (stephost.hcl:43)",
			"timeouts.run":           "step train (stephost.hcl:46)",
		})
		all, err := json.Marshal(got)
		require.NoError(t, err)
		assert.NotContains(t, string(all), "hf_very_secret")
		var back project.Resolved
		require.NoError(t, json.Unmarshal(all, &back))
		assert.Equal(t, string(got.Definition()), string(back.Definition()), "a stored step has the same definition")
		val, err := project.ExpandSecret(context.Background(), back.Secrets["HF_TOKEN"], schema.OSResolver(context.Background()))
		require.NoError(t, err)
		assert.Equal(t, "hf_very_secret", val)
	}
}

func TestJSONOnStdin(t *testing.T) {
	const text = ` {
  "operator": {"gpu": {"flavor": "cloud", "config": {"role": "train"}, "environment": {"base_image": "python:3.11"}}},
  "step": {"train": {
    "operator": "gpu",
    "command": ["python", "-c", "print(1)", "$${HOME}"],
    "environment": {"requirements": ["six"], "registry": {"push": "localhost:5001", "pull": "kind:5000"},
      "source": [{"path": "a"}, {"path": "b", "target": "lib"}]},
    "env": {"A": "1", "B": 2},
    "secrets": {"T": "${env(\"T\")}", "U": "Bearer ${secret(\"file:/run/t\")}"},
    "timeouts": {"run": "90s"}
  }}
}`
	t.Setenv("T", "token")
	w := load(t, "", func(o *project.LoadOptions) { o.Files, o.Stdin = []string{"-"}, strings.NewReader(text) })
	require.Empty(t, w.text(w.diags))
	got, diags := w.resolve(w.request(flavor(t, cloud), "train", "gpu"))
	require.Empty(t, diags)
	assert.Equal(t, []string{"python", "-c", "print(1)", "${HOME}"}, got.Argv)
	assert.Equal(t, map[string]string{"A": "1", "B": "2"}, got.Env)
	assert.Equal(t, "localhost:5001", got.Environment.RegistryPush)
	assert.Equal(t, "kind:5000", got.Environment.RegistryPull)
	assert.Equal(t, []project.Source{{Path: filepath.Join(w.dir, "a"), Written: "a"},
		{Path: filepath.Join(w.dir, "b"), Target: "lib", Written: "b"}}, got.Environment.Sources)
	assert.True(t, strings.HasPrefix(got.Secrets["U"], "Bearer "))
	assert.Equal(t, "step train (<stdin>.json:9)", got.Origins["secrets.T"])
}

func BenchmarkLoadResolve(b *testing.B) {
	w := load(b, sample)
	require.Empty(b, w.text(w.diags))
	m := flavor(b, cloud)
	b.Setenv("HF_TOKEN", "x")
	for b.Loop() {
		sources := &diag.Sources{}
		p, diags := project.Load(context.Background(), project.LoadOptions{Files: []string{"stephost.hcl"}, Dir: w.dir, Sources: sources})
		if diags.HasErrors() {
			b.Fatal(diags)
		}
		_, diags = project.Resolve(context.Background(), project.ResolveRequest{Project: p, Step: "train", Operator: p.Operators["gpu"],
			Manifest: m, Stage: schema.StageLaunch, Sources: sources, Resolver: schema.OSResolver(context.Background())})
		if diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}

// A loaded project is shared by everyone who resolves a step of it.
func TestResolveConcurrently(t *testing.T) {
	w := load(t, sample)
	require.Empty(t, w.text(w.diags))
	r := w.request(flavor(t, cloud), "train", "gpu")
	definitions := make([]string, 16)
	var all sync.WaitGroup
	for i := range definitions {
		all.Go(func() {
			got, diags := project.Resolve(context.Background(), r)
			if !diags.HasErrors() {
				definitions[i] = string(got.Definition())
			}
		})
	}
	all.Wait()
	for _, d := range definitions {
		assert.NotEmpty(t, d)
		assert.Equal(t, definitions[0], d)
	}
}
