package project_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
)

func TestDecodeOperator(t *testing.T) {
	sources := &diag.Sources{}
	o, diags := project.DecodeOperator([]byte(`
operator "gpu" {
  flavor = "cloud@0.1.0"
  config {
    role     = "train" # kept
    password = env("PW")
  }
  settings {
    volume_size = 5
  }
  environment {
    registry = "r.example.com/x"
  }
}
`), project.DecodeOptions{File: "gpu.hcl", Dir: "/store", Sources: sources})
	require.False(t, diags.HasErrors(), "%s", diags)
	assert.Equal(t, "gpu", o.Name)
	assert.Equal(t, "cloud@0.1.0", o.Flavor)
	require.Len(t, o.Config, 2)
	assert.Equal(t, "train", o.Config[0].Value.AsString())
	assert.False(t, o.Config[1].Value.IsKnown())
	assert.Equal(t, "operator gpu", o.Config[1].Origin)
	for name, text := range map[string]string{
		"none": "", "two": "operator \"a\" { flavor = \"x\" }\noperator \"b\" { flavor = \"x\" }\n",
		"step": "step \"a\" {}\n", "variables": "operator \"a\" {\n flavor = var.x\n}\n", "syntax": "operator {",
	} {
		t.Run(name, func(t *testing.T) {
			o, diags := project.DecodeOperator([]byte(text), project.DecodeOptions{File: "x.hcl", Dir: "/", Sources: sources})
			assert.Nil(t, o)
			assert.True(t, diags.HasErrors())
		})
	}
}

func TestDiscover(t *testing.T) {
	dir := files(t, map[string]string{
		"repo/.git/HEAD": "", "repo/stephost.hcl": "", "repo/b.stephost.hcl": "", "repo/a/b/x": "",
		"stephost.hcl": "", "repo/sub/own.stephost.hcl": "", "bare/.git": "", "bare/in/x": "",
	})
	for _, tc := range []struct {
		from string
		want []string
	}{
		{"repo", []string{"stephost.hcl", "b.stephost.hcl"}},
		{"repo/a/b", []string{filepath.Join(dir, "repo/stephost.hcl"), filepath.Join(dir, "repo/b.stephost.hcl")}},
		{"repo/sub", []string{"own.stephost.hcl"}},
		{"bare/in", nil}, // the repository's root ends the search
	} {
		got, err := project.Discover(filepath.Join(dir, tc.from))
		require.NoError(t, err)
		assert.Equal(t, tc.want, got, tc.from)
	}
	_, err := project.Discover(filepath.Join(dir, "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
