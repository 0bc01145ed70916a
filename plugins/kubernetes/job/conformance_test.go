package job

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/kube/conform"
)

// The quick tier starts no job; the full one needs pods that run (test/kube/e2e).
func TestConformance(t *testing.T) {
	h := newHarness(t)
	plugin := filepath.Join(t.TempDir(), "stephost-flavor-kubernetes")
	require.NoError(t, gobuild.Build(t.Context(), gobuild.Program{Pkg: "..", Out: plugin}))
	config := conform.Config(plugin, h.up, h.namespace)
	config.Operator["request_timeout"] = hang.String()
	config.Tier = plugintest.Quick
	config.Image = testImage
	plugintest.Run(t, config)
}
