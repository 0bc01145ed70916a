//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// The conformance suite on a real Slurm, over a real plugin process.
func TestConformance(t *testing.T) {
	c := startCluster(t)
	plugin := filepath.Join(t.TempDir(), "stephost-flavor-slurm")
	build := exec.Command("go", "build", "-o", plugin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	plugintest.Run(t, plugintest.Config{
		Plugin:     plugin,
		Kind:       plugintest.Remote,
		Tier:       plugintest.Full,
		Operator:   map[string]any{"shared_dir": t.TempDir()},
		Witness:    t.TempDir(),
		JobTimeout: hang,
		List: func(ctx context.Context, key string) ([]string, error) {
			return strings.Fields(c.command(ctx, "squeue", "--noheader", "--states=all", "--name="+key, "--format=%i")), nil
		},
	})
}
