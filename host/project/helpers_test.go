package project_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

var update = flag.Bool("update", false, "write golden files")

// here is the package's directory: tests change theirs.
var here, _ = os.Getwd()

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cloud is a flavor that runs images, like a cloud's.
const cloud = `
flavor "cloud" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "A flavor of the tests that runs images."
  environment  = ["image"]
  capabilities = ["plan"]
  secrets      = "store"
  outputs      = "none"
  handles      = [1]
  submission {
    idempotency = "key"
    key_lives   = "forever"
    settle      = "60s"
    keeps       = "168h"
  }
  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type"]
  }
  config "role" {
    type        = string
    description = "Role."
  }
  config "bucket_name" {
    type        = string
    default     = null
    description = "Bucket."
  }
  config "password" {
    type        = string
    default     = null
    sensitive   = true
    description = "Password."
    validation {
      condition     = length(value) > 3
      error_message = "must be longer than 3 characters"
    }
  }
  config "account" {
    type        = object({ user = string, key = string })
    default     = null
    sensitive   = true
    description = "Account."
  }
  setting "instance_type" {
    type        = string
    default     = null
    description = "Instance type."
  }
  setting "volume_size" {
    type        = number
    default     = 30
    min         = 1
    description = "Volume in GiB."
  }
  setting "tags" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Tags."
  }
  setting "zones" {
    type        = list(string)
    default     = []
    description = "Zones."
  }
  setting "token" {
    type        = string
    default     = null
    sensitive   = true
    description = "Token."
  }
}
`

// box is a flavor that runs directories and takes no secrets.
const box = `
flavor "box" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "A flavor of the tests that runs directories."
  environment  = ["directory"]
  capabilities = ["plan"]
  secrets      = "visible"
  outputs      = "none"
  handles      = [1]
  submission {
    idempotency = "none"
  }
}
`

func flavor(t testing.TB, text string) *manifest.Manifest {
	t.Helper()
	var sources diag.Sources
	m, diags := manifest.Parse(&sources, "flavor.hcl", []byte(text))
	require.False(t, diags.HasErrors(), "%s", diags)
	return m
}

// files writes files into a new directory.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// world is a loaded project.
type world struct {
	t       testing.TB
	sources *diag.Sources
	dir     string
	project *project.Project
	diags   hcl.Diagnostics
}

func load(t testing.TB, text string, opts ...func(*project.LoadOptions)) *world {
	t.Helper()
	return loadFiles(t, map[string]string{"stephost.hcl": text}, opts...)
}

func loadFiles(t testing.TB, texts map[string]string, opts ...func(*project.LoadOptions)) *world {
	t.Helper()
	w := &world{t: t, sources: &diag.Sources{}, dir: files(t, texts)}
	// Messages then hold no path of this machine.
	t.Chdir(w.dir)
	found, err := project.Discover("")
	require.NoError(t, err)
	o := project.LoadOptions{Files: found, Sources: w.sources}
	for _, f := range opts {
		f(&o)
	}
	w.project, w.diags = project.Load(context.Background(), o)
	return w
}

// request is a step on an operator of the project.
func (w *world) request(m *manifest.Manifest, step, operator string) project.ResolveRequest {
	return project.ResolveRequest{Project: w.project, Step: step, Operator: w.project.Operators[operator],
		Manifest: m, Stage: schema.StageStep, Sources: w.sources, Resolver: schema.OSResolver(context.Background())}
}

func (w *world) resolve(r project.ResolveRequest) (*project.Resolved, string) {
	out, diags := project.Resolve(context.Background(), r)
	return out, w.text(diags)
}

// text is what a person sees.
func (w *world) text(diags hcl.Diagnostics) string {
	w.t.Helper()
	if len(diags) == 0 {
		return ""
	}
	var b bytes.Buffer
	require.NoError(w.t, w.sources.WriteText(&b, diags, diag.TextOptions{Width: 100}))
	return b.String()
}

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(here, "testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run with -update")
	assert.Equal(t, string(want), got)
}
