package host_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/runs"
)

// What a run that is not over may use stays in the cache, whatever age is asked for.
func TestPruneCache(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	venv := func(name string, at time.Time) string {
		marker := filepath.Join(w.home.Cache(), "venvs", name, ".stephost-complete")
		require.NoError(t, os.MkdirAll(filepath.Dir(marker), 0o700))
		require.NoError(t, os.WriteFile(marker, []byte("12345"), 0o600))
		require.NoError(t, os.Chtimes(marker, at, at))
		return marker
	}
	prune := func(older time.Duration, dry bool) (runs int, bytes int64) {
		bytes = -1
		pruned, err := h.Prune(w.ctx, host.PruneOptions{OlderThan: older, DryRun: dry, Cache: func(n int64) { bytes = n }})
		require.NoError(t, err)
		return len(pruned), bytes
	}
	old := venv("old", time.Now().Add(-48*time.Hour))
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step(`["sleep", "600"]`, ""))})
	require.NoError(t, err)
	used := venv("used", time.Now())

	n, bytes := prune(72*time.Hour, false)
	assert.Zero(t, n)
	assert.Zero(t, bytes)
	_, bytes = prune(0, true)
	assert.EqualValues(t, 5, bytes)
	assert.FileExists(t, old)
	n, bytes = prune(0, false)
	assert.Zero(t, n)
	assert.EqualValues(t, 5, bytes)
	assert.NoFileExists(t, old)
	assert.FileExists(t, used)

	require.NoError(t, l.Cancel(w.ctx, runs.CauseUser, "test", true))
	_, err = l.Wait(w.ctx)
	require.NoError(t, err)
	n, bytes = prune(0, false)
	assert.Equal(t, 1, n)
	assert.EqualValues(t, 5, bytes)
	assert.NoFileExists(t, used)
}
