package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/kubernetes/internal/conform"
	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// The quick tier starts no job; the full one needs pods that run (e2e).
func TestConformance(t *testing.T) {
	h := newHarness(t)
	plugin := filepath.Join(t.TempDir(), "stephost-flavor-kubernetes")
	out, err := exec.Command("go", "build", "-o", plugin, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	config, err := conform.Config(plugin, kube.Place{Kubeconfig: h.up.Kubeconfig, Namespace: h.namespace, RequestTimeout: hang})
	require.NoError(t, err)
	config.Tier = plugintest.Quick
	config.Image = testImage
	plugintest.Run(t, config)
}
