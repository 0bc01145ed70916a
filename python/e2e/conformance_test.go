package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// TestConformance runs the conformance suite of the contract on a flavor of each
// kind.
func TestConformance(t *testing.T) {
	v := newVenv(t)
	v.use(t)
	t.Run("launcher", func(t *testing.T) {
		plugin, err := filepath.Abs(example)
		assert.NoError(t, err)
		plugintest.Run(t, plugintest.Config{
			Plugin: plugin, Command: []string{v.Python, plugin}, Tier: plugintest.Full, Kind: plugintest.Launch,
			Witness: t.TempDir(), Operator: map[string]any{"slots": 20},
		})
	})
	t.Run("remote", func(t *testing.T) {
		plugin, err := filepath.Abs(detached)
		assert.NoError(t, err)
		jobs := t.TempDir()
		earlier := filepath.Join(t.TempDir(), "detached.py")
		source, err := os.ReadFile(detached)
		assert.NoError(t, err)
		assert.NoError(t, os.WriteFile(earlier, bytes.Replace(source, []byte(`version      = "0.1.0"`), []byte(`version      = "0.0.9"`), 1), 0o600))
		run(t, v.Python, "-m", "stephost_flavor", "stamp", earlier)
		plugintest.Run(t, plugintest.Config{
			Plugin: plugin, Command: []string{v.Python, plugin}, Tier: plugintest.Full, Kind: plugintest.Remote,
			Witness: t.TempDir(), Operator: map[string]any{"dir": jobs},
			Previous: &plugintest.Previous{Plugin: earlier, Command: []string{v.Python, earlier}},
			List: func(_ context.Context, key string) ([]string, error) {
				if _, err := os.Stat(filepath.Join(jobs, key)); err == nil {
					return []string{key}, nil
				}
				return nil, nil
			},
			Delete: func(_ context.Context, j plugintest.Job) error {
				return os.RemoveAll(filepath.Join(jobs, j.Key))
			},
			Fault: func(_ context.Context, f plugintest.Fault) error {
				files := map[plugintest.Fault]string{
					plugintest.Unreachable: "fail", plugintest.SlowSubmit: "slow", plugintest.ReplyLost: "lost"}
				if f == plugintest.NoFault {
					for _, name := range files {
						if err := os.RemoveAll(filepath.Join(jobs, name)); err != nil {
							return err
						}
					}
					return nil
				}
				name, ok := files[f]
				if !ok {
					return errors.ErrUnsupported
				}
				return os.WriteFile(filepath.Join(jobs, name), nil, 0o600)
			},
		})
	})
}
