package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/kube"
	"github.com/stephost/stephost/test/kube/conform"
	"github.com/stephost/stephost/test/torture"
)

// TestConformance is the whole suite, with pods that run. Its node keeps logs of
// 200 MiB in one file: `logs.flood` is about a reader that stands still, and a
// kubelet serves the newest file alone.
func TestConformance(t *testing.T) {
	cluster(t)
	t.Parallel()
	l := newLabOn(t, kube.RoomyNode(t))
	witness, err := os.MkdirTemp(l.dir, "witness")
	require.NoError(t, err)
	open(t, witness)
	plugin := filepath.Join(filepath.Dir(torture.Stephost()), "plugins", "stephost-flavor-kubernetes")
	config := conform.Config(plugin, l.c, l.namespace)
	config.Tier, config.Image, config.Witness = plugintest.Full, l.c.Image, witness
	config.JobTimeout = hang
	config.Settings = map[string]any{
		"volumes":       []any{map[string]any{"name": "witness", "host_path": map[string]any{"path": witness}}},
		"volume_mounts": []any{map[string]any{"name": "witness", "mount_path": witness}},
	}
	r := plugintest.Run(t, config)
	require.NotZero(t, r.Jobs, fmt.Sprint(r.Results))
}
