package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long a test waits for what must happen.
const hang = 5 * time.Minute

// programs builds what the tests need, once.
var programs = sync.OnceValues(func() (*fault.Programs, error) {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	return fault.Build(ctx)
})

// built are the programs of this package's internal directories, by name.
var built = sync.OnceValues(func() (map[string]string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("stephost-plugintest-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range []string{"fifteen", "wrong"} {
		path := filepath.Join(dir, name, "stephost-flavor-"+name)
		if err := gobuild.Build(context.Background(), gobuild.Program{Pkg: "./internal/" + name, Out: path}); err != nil {
			return nil, err
		}
		manifest, err := os.ReadFile(filepath.Join("internal", name, "flavor.hcl"))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path+".flavor.hcl", manifest, 0o600); err != nil {
			return nil, err
		}
		out[name] = path
	}
	return out, nil
})

// startBackend starts a fault backend of its own.
func startBackend(t *testing.T) *fault.Backend {
	t.Helper()
	p, err := programs()
	require.NoError(t, err)
	b, err := p.Start(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Stop()) })
	return b
}

// onBackend is a full-tier Config for a plugin that runs on b, with all hooks.
func onBackend(t *testing.T, b *fault.Backend, plugin string) plugintest.Config {
	t.Helper()
	const (
		slowMS   = 1500
		queuedMS = 600000
		awayMS   = 600000
	)
	return plugintest.Config{
		Plugin: plugin, Tier: plugintest.Full, Witness: t.TempDir(),
		Operator:   map[string]any{"socket": b.Socket, "password": "a-long-password"},
		JobTimeout: time.Minute, CallTimeout: 15 * time.Second,
		List: func(ctx context.Context, key string) ([]string, error) {
			all, err := b.AllJobs(ctx)
			var names []string
			for _, j := range all {
				if j.Labels[wire.LabelKey] == key {
					names = append(names, j.ID)
				}
			}
			return names, err
		},
		Delete: func(ctx context.Context, j plugintest.Job) error { return b.DeleteBehind(ctx, j.NativeName) },
		Fault: func(ctx context.Context, f plugintest.Fault) error {
			switch f {
			case plugintest.NoFault:
				return errors.Join(b.SetWeather(ctx, wire.Weather{}), b.ForAll(ctx, wire.Faults{}))
			case plugintest.ReplyLost:
				return b.ForAll(ctx, wire.Faults{ReplyLost: 1})
			case plugintest.SlowSubmit:
				return b.ForAll(ctx, wire.Faults{SubmitDelayMS: slowMS})
			case plugintest.Queued:
				return b.ForAll(ctx, wire.Faults{QueuedMS: queuedMS})
			case plugintest.Unreachable:
				return b.SetWeather(ctx, wire.Weather{UnreachableMS: awayMS})
			}
			return errors.ErrUnsupported
		},
	}
}
