package crowd

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/manifests"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang ends what does not come back; it is no expectation of speed.
const hang = 2 * time.Minute

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	programs, err := fault.Build(ctx)
	require.NoError(t, err)
	plugin, err := programs.Install(t.TempDir(), manifests.Key)
	require.NoError(t, err)
	for _, hold := range []bool{true, false} {
		backend, err := programs.Start(ctx, t.TempDir())
		require.NoError(t, err)
		at := home.At(filepath.Join(t.TempDir(), "home"))
		require.NoError(t, Prepare(ctx, at, plugin, manifests.Flavor(manifests.Key), "op", backend.Socket))
		const runs = 3
		asked := 0
		res, err := Run(ctx, Options{Home: at, Socket: backend.Socket, Operator: "op", Runs: runs, Hold: hold,
			Full: func() error { asked++; return nil }})
		require.NoError(t, err)
		assert.Equal(t, runs, res.Runs)
		assert.Positive(t, res.Ended)
		assert.Equal(t, hold, asked == 1)
		if hold {
			assert.Greater(t, res.Full.RSS, res.Before.RSS)
			assert.Positive(t, res.Full.PluginRSS)
			assert.Greater(t, res.Full.Goroutines, res.Before.Goroutines)
		}
		starts, err := backend.Starts(ctx)
		require.NoError(t, err)
		assert.Len(t, starts, runs)
		require.NoError(t, backend.Stop())
	}
}
