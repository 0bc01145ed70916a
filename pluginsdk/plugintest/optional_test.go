package plugintest

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a manifest makes optional inside of an object need not be given.
func TestOptionalAttributes(t *testing.T) {
	file, diags := hclsyntax.ParseConfig([]byte(`setting "volumes" {
  type = list(object({ name = string, size = optional(number, 3), path = optional(string) }))
}`), "flavor.hcl", hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags)
	a, err := readAttribute(file.Body.(*hclsyntax.Body).Blocks[0])
	require.NoError(t, err)
	v, err := a.fromGo([]any{map[string]any{"name": "n"}})
	require.NoError(t, err)
	text, err := encode(v)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"name":"n","path":null,"size":3}]`, string(text))
	_, err = a.fromGo([]any{map[string]any{"path": "p"}})
	assert.ErrorContains(t, err, `attribute "name" is required`)
}
