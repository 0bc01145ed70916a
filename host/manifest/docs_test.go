package manifest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/manifest"
)

func TestDocuments(t *testing.T) {
	m, diags := manifest.Parse(nil, "flavor.hcl", read(t, "testdata/sagemaker.flavor.hcl"))
	require.Empty(t, diags)
	golden(t, "testdata/sagemaker.md", string(manifest.Markdown(m)))
	schema, err := manifest.JSONSchema(m)
	require.NoError(t, err)
	assert.True(t, json.Valid(schema))
	golden(t, "testdata/sagemaker.schema.json", string(schema))

	m, diags = manifest.Parse(nil, "flavor.hcl", minimal("x", ""))
	require.Empty(t, diags)
	golden(t, "testdata/minimal.md", string(manifest.Markdown(m)))
}
