package pluginsdk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
)

func TestJSONPlan(t *testing.T) {
	p, err := pluginsdk.JSONPlan(map[string][]string{"argv": {"a && b", "<x>"}}, []string{"a note"})
	require.NoError(t, err)
	assert.Equal(t, "{\n  \"argv\": [\n    \"a && b\",\n    \"<x>\"\n  ]\n}\n", p.Request)
	assert.Equal(t, "json", p.Format)
	assert.Equal(t, []string{"a note"}, p.Notes)
	_, err = pluginsdk.JSONPlan(func() {}, nil)
	require.Error(t, err)
}

func TestTitle(t *testing.T) {
	for want, s := range map[string]*pluginsdk.Step{
		"":                  {},
		"train":             {Name: "train"},
		"dïgits/Nightly 7/": {Pipeline: "dïgits", PipelineRun: "Nightly 7", Name: "train"},
	} {
		assert.Equal(t, want, s.Title(17))
	}
}
