//go:build linux

package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// TestConformanceREST runs the whole suite in cluster mode, on a fake of the master.
func TestConformanceREST(t *testing.T) {
	m := startMaster(t)
	// What the worker itself prints is no part of a step's log, and the suite knows
	// nothing of it.
	require.NoError(t, m.Set(context.Background(), "quiet", "true"))
	const record = "the one name of a driver is in a record on the launching disk: Find reads it, and asks nobody"
	cloudtest.Conform(t, "spark", m, "create", cloudfake.Life{}, plugintest.Config{
		Kind: plugintest.Remote,
		Operator: map[string]any{"master": "spark://127.0.0.1:7077", "rest_url": m.URL, "master_ui": m.Endpoints["ui"],
			"shared_dir": t.TempDir(), "state_dir": t.TempDir()},
		Settings: map[string]any{"deploy_mode": "cluster"},
		Waive: map[string]string{
			"run.env":             "in cluster mode a secret needs allow_visible_secrets, which the suite gives to flavors alone that show every secret",
			"submit.reply-lost":   "nobody can look for a driver whose name was lost, and nothing is sent again: the run is unknown",
			"submit.killed":       "a plugin that dies between the note of its request and that of the answer leaves a driver without a name: the run is unknown (TestTortureREST)",
			"backend.unreachable": record,
			"watch.deleted":       record,
			"logs.bytes":          "a worker shows text: bytes that are none are lost",
		},
	})
}
