package job

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/kube/conform"
)

// The quick tier starts no job; the full one needs pods that run (test/kube/e2e).
func TestConformance(t *testing.T) {
	h := newHarness(t)
	plugin := filepath.Join(t.TempDir(), "stephost-flavor-kubernetes")
	out, err := exec.Command("go", "build", "-o", plugin, "..").CombinedOutput()
	require.NoError(t, err, "%s", out)
	config := conform.Config(plugin, h.up, h.namespace)
	config.Operator["request_timeout"] = hang.String()
	config.Tier = plugintest.Quick
	config.Image = testImage
	plugintest.Run(t, config)
}
