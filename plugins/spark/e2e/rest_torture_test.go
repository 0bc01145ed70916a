//go:build linux

package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/torture"
)

// slowAnswer is how long the fake's REST API takes to answer a creation that it has
// carried out: the moments in which a death leaves nobody who knows would be too
// short for random kills to hit.
const slowAnswer = 300

// restFlavor is the flavor in cluster mode. setup registers the operator, with more
// flags that every world has.
func restFlavor(setup func(t *testing.T, w *torture.World, flags ...string)) torture.Flavor {
	return torture.Flavor{
		Name: "spark", Idempotency: torture.Key, NoExitCode: true,
		Window:   []string{"plugin-rest-marked", "plugin-rest-answered"},
		InWindow: inWindow,
		Setup: func(t *testing.T, w *torture.World) {
			// The driver's processes are told apart by it as stephost's own are.
			w.Launch = []string{"--env", "HOME=" + w.Dir}
			setup(t, w, "--flavor=spark", "--shared-dir="+filepath.Join(w.Dir, "shared"), "--state-dir="+stateOf(w), "--deploy-mode=cluster", "--driver-memory=512m")
		},
	}
}

func stateOf(w *torture.World) string { return filepath.Join(w.Dir, "jobs") }

// inWindow tells whether the launching disk can only say that a request may have
// been sent: it is where the one name of a driver is kept.
func inWindow(w *torture.World) bool {
	state := jobdir.At(stateOf(w))
	keys, err := state.Keys(w.Token())
	if err != nil {
		return false
	}
	for _, key := range keys {
		job, err := state.Job(key)
		if err != nil {
			continue
		}
		var answer any
		_, started := job.ReadStarted()
		if started == nil && job.ReadRecord("driver", &answer) != nil {
			return true
		}
	}
	return false
}

// startMaster starts a fake of a master with one worker.
func startMaster(t *testing.T) *cloudfake.Fake {
	program, err := cloudfake.Build(context.Background(), filepath.Join(root, "plugins", "spark"), "./internal/fake/cmd/fake-spark", "fake-spark")
	require.NoError(t, err)
	m, err := cloudfake.Start(context.Background(), program, t.TempDir(), "-path", install.Path())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Stop()) })
	return m
}

// onMaster are the operator's flags for it.
func onMaster(m *cloudfake.Fake) []string {
	return []string{"--master=spark://127.0.0.1:7077", "--rest-url=" + m.URL, "--master-ui=" + m.Endpoints["ui"]}
}

// TestTortureREST: host and plugin die at every boundary and at random while the
// driver is one of a standalone master's. At most one driver per attempt; each run
// comes through by itself, unless the answer of the REST API was lost: then it is
// unknown.
func TestTortureREST(t *testing.T) {
	var fakes cli.Fakes
	f := restFlavor(func(t *testing.T, w *torture.World, flags ...string) {
		m := startMaster(t)
		fakes.Keep(t, w, m, cloudfake.Life{})
		require.NoError(t, m.Add(context.Background(), cloudfake.Rule{Op: "create", Fault: cloudfake.Fault{Kind: cloudfake.Slow, DelayMS: slowAnswer}}))
		w.OK(slices.Concat([]string{"operator", "register", "op"}, onMaster(m), flags)...)
	})
	f.Jobs = fakes.Jobs
	torture.Run(t, f)
}
