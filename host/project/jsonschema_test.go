package project

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
)

// What the schema knows is what the grammar has, with the flavors' attributes
// behind the operator's flavor.
func TestJSONSchema(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "plugins", "local", "flavor.hcl"))
	require.NoError(t, err)
	m, diags := manifest.Parse(&diag.Sources{}, "flavor.hcl", source)
	require.False(t, diags.HasErrors(), diags)
	out, err := JSONSchema([]*manifest.Manifest{m})
	require.NoError(t, err)
	var s struct {
		Properties map[string]struct {
			AdditionalProperties json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(out, &s))
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	assert.ElementsMatch(t, []string{"variable", "locals", "project", "defaults", "operator", "step"}, names)

	var operator struct {
		Required   []string
		Properties map[string]json.RawMessage
		AllOf      []struct {
			If struct {
				Properties struct{ Flavor struct{ Pattern string } }
			}
			Then struct {
				Properties map[string]struct{ Properties map[string]any }
			}
		}
	}
	require.NoError(t, json.Unmarshal(s.Properties["operator"].AdditionalProperties, &operator))
	assert.Equal(t, []string{"flavor"}, operator.Required)
	require.Len(t, operator.AllOf, 1)
	assert.Equal(t, "^local(@|$)", operator.AllOf[0].If.Properties.Flavor.Pattern)
	for _, a := range m.Schema.Attributes {
		assert.Contains(t, operator.AllOf[0].Then.Properties["config"].Properties, a.Name)
	}
	for _, want := range []string{"environment", "resources", "timeouts", "retry", "settings", "config", "env", "secrets", "labels", "default"} {
		assert.Contains(t, operator.Properties, want)
	}
	_, err = JSONSchema(nil)
	require.NoError(t, err, "without any flavor")
}
