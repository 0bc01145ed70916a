package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/schema"
)

// places is a flavor whose environment depends on where it runs.
const places = `flavor "places" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["directory", "image", "none"]
  config "place" {
    type = string
  }
  environment_kind "image" {
    applies_when = can(regex("^far:", config.place))
  }
  environment_kind "directory" {
    applies_when = !can(regex("^far:", config.place)) && config.place != "bare"
  }
}
`

func TestEnvironmentsFor(t *testing.T) {
	m, diags := manifest.Parse(nil, "flavor.hcl", []byte(places))
	require.Empty(t, diags)
	for _, tc := range []struct {
		name  string
		place cty.Value
		want  []string
	}{
		{"one", cty.StringVal("here"), []string{"directory", "none"}},
		{"the other", cty.StringVal("far:away"), []string{"image", "none"}},
		{"neither", cty.StringVal("bare"), []string{"none"}},
		{"known at launch", cty.UnknownVal(cty.String), []string{"directory", "image", "none"}},
		{"of a wrong type", cty.ListValEmpty(cty.String), []string{"directory", "image", "none"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, m.EnvironmentsFor([]schema.Given{{Name: "place", Value: tc.place}}))
		})
	}
	assert.Equal(t, []string{"directory", "image", "none"}, m.EnvironmentsFor(nil), "nobody has said where")
	assert.Equal(t, `can(regex("^far:", config.place))`, m.KindCondition("image"))
	assert.Empty(t, m.KindCondition("none"))
	assert.Contains(t, string(manifest.Markdown(m)), "image when `can(regex(\"^far:\", config.place))`, none")
}
