package project_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

// either is a flavor that runs images in one place and directories in the other.
const either = `
flavor "either" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "A flavor of the tests."
  environment  = ["directory", "image"]
  capabilities = ["plan"]
  config "place" {
    type = string
  }
  environment_kind "image" {
    applies_when = can(regex("^far:", config.place))
  }
  environment_kind "directory" {
    applies_when = !can(regex("^far:", config.place)) && config.place != "nowhere"
  }
}
`

// TestKindOfTheConfig: what an operator's config says decides which environment its
// steps have; an image in the project's defaults hurts nobody.
func TestKindOfTheConfig(t *testing.T) {
	const text = `
variable "place" {
  type    = string
  default = "far:away"
}
operator "here" {
  flavor = "either"
  config {
    place = "here"
  }
}
operator "far" {
  flavor = "either"
  config {
    place = var.place
  }
}
operator "nowhere" {
  flavor = "either"
  config {
    place = "nowhere"
  }
}
operator "later" {
  flavor = "either"
  config {
    place = env("STEPHOST_TEST_PLACE")
  }
}
defaults {
  environment {
    base_image = "python:3.11"
    registry   = "r/x"
  }
}
step "s" {
  command = ["x"]
}
step "own" {
  command = ["x"]
  environment {
    base_image = "python:3.11"
  }
}
`
	t.Setenv("STEPHOST_TEST_PLACE", "far:off")
	w := load(t, text)
	require.Empty(t, w.text(w.diags))
	m := flavor(t, either)
	for _, tc := range []struct {
		step, operator, kind, golden string
		stage                        schema.Stage
	}{
		{"s", "here", project.KindDirectory, "image_in_defaults", schema.StageStep},
		{"own", "here", "", "image", schema.StageStep},
		{"s", "far", project.KindImage, "", schema.StageStep},
		{"own", "far", project.KindImage, "", schema.StageStep},
		{"s", "nowhere", "", "no_environment", schema.StageStep},
		{"s", "later", project.KindImage, "", schema.StageStep},
		{"s", "later", project.KindImage, "", schema.StageLaunch},
	} {
		t.Run(tc.step+" "+tc.operator, func(t *testing.T) {
			r := w.request(m, tc.step, tc.operator)
			r.Stage = tc.stage
			got, text := w.resolve(r)
			if tc.golden != "" {
				golden(t, "kind_"+tc.golden+".golden", text)
			} else {
				assert.Empty(t, text)
			}
			if tc.kind == "" {
				assert.Nil(t, got)
				return
			}
			require.NotNil(t, got, text)
			assert.Equal(t, tc.kind, got.Environment.Kind)
		})
	}
	for operator, want := range map[string][]string{"here": {"directory"}, "far": {"image"}, "nowhere": nil, "later": {"directory", "image"}} {
		got, diags := project.ResolveOperator(context.Background(), project.OperatorRequest{
			Operator: w.project.Operators[operator], Manifest: m, Stage: schema.StageOperator, Sources: w.sources})
		require.NotNil(t, got, w.text(diags))
		assert.Equal(t, want, got.Environments, operator)
	}
}
