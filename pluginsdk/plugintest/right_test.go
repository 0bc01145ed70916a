package plugintest_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
	"github.com/stephost/stephost/test/fault/manifests"
)

// outcomes are the IDs of the results with an outcome.
func outcomes(r *plugintest.Report, o plugintest.Outcome) []string {
	var ids []string
	for _, x := range r.Results {
		if x.Outcome == o {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// The right plugins pass, and what is absent is what their manifests do not
// promise.
func TestRight(t *testing.T) {
	for _, tc := range []struct {
		variant string
		absent  []string
	}{
		{manifests.Key, []string{"launch.lost", "migrate.schema", "migrate.handle"}},
		{manifests.Search, []string{"registry.not-ours", "submit.same-key", "submit.other-body", "submit.race", "submit.killed", "submit.finished", "launch.lost", "migrate.schema", "migrate.handle"}},
	} {
		t.Run(tc.variant, func(t *testing.T) {
			t.Parallel()
			b := startBackend(t)
			p, err := programs()
			require.NoError(t, err)
			r := plugintest.Run(t, onBackend(t, b, p.Plugins[tc.variant]))
			assert.ElementsMatch(t, tc.absent, outcomes(r, plugintest.Absent))
			assert.Empty(t, r.Left)
			stats, err := b.AllJobs(t.Context())
			require.NoError(t, err)
			assert.LessOrEqual(t, len(stats), r.Jobs, "no more jobs than it had said")
		})
	}
}

func TestRightLauncher(t *testing.T) {
	t.Parallel()
	bin, err := built()
	require.NoError(t, err)
	r := plugintest.Run(t, plugintest.Config{Plugin: bin["fifteen"], Tier: plugintest.Full, Kind: plugintest.Launch, Witness: t.TempDir()})
	assert.Empty(t, r.Left)
	for _, id := range []string{"launch.lost", "submit.killed", "submit.finished", "logs.bytes", "cancel.running", "run.argv"} {
		assert.Contains(t, outcomes(r, plugintest.Pass), id)
	}
}

// A flavor of at most 15 lines of Go, besides package and imports, passes.
func TestFifteenLines(t *testing.T) {
	f, err := os.Open("internal/fifteen/main.go")
	require.NoError(t, err)
	defer f.Close()
	lines, counting := 0, false
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if counting && line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
		counting = counting || line == ")"
	}
	assert.LessOrEqual(t, lines, 15)
}
