//go:build linux

package e2e

import (
	"testing"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/spark"
)

// TestConformance runs the whole suite on a real Spark. Its scripts are the drivers
// of applications that need no executors.
func TestConformance(t *testing.T) {
	properties := map[string]any{}
	for name, value := range spark.Properties() {
		properties[name] = value
	}
	plugintest.Run(t, plugintest.Config{
		Plugin:     plugin(),
		Kind:       plugintest.Remote,
		Tier:       plugintest.Full,
		Env:        install.Environ(),
		Operator:   map[string]any{"master": "local[2]", "spark_home": install.Home, "state_dir": t.TempDir()},
		Settings:   map[string]any{"submit_kwargs": properties},
		Witness:    t.TempDir(),
		JobTimeout: hang,
		Waive: map[string]string{
			"logs.whole": javaSays, "logs.resume": javaSays, "logs.bytes": javaSays, "logs.flood": javaSays,
		},
	})
}

const javaSays = "Java and Spark write lines of their own to standard error; TestConformanceOfLogs is without them"

// TestConformanceOfLogs runs the checks of logs without Java.
func TestConformanceOfLogs(t *testing.T) {
	plugintest.Run(t, plugintest.Config{
		Plugin:     plugin(),
		Kind:       plugintest.Remote,
		Tier:       plugintest.Full,
		Only:       []string{"logs."},
		Env:        install.Environ(),
		Operator:   map[string]any{"master": "local[2]", "spark_home": standIn(t), "state_dir": t.TempDir()},
		Witness:    t.TempDir(),
		JobTimeout: hang,
	})
}
