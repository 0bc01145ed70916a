package e2e

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/torture"
)

// olderKills are fewer than on the newer backend: host and plugin do the same.
const olderKills = 25

// tortured is the flavor on a fake of its own for each world; lists show a
// sandbox late.
func tortured(settings ...string) torture.Flavor {
	var mu sync.Mutex
	fakes := map[*torture.World]*cloudfake.Fake{}
	return torture.Flavor{
		// A name is taken while its sandbox runs only, so that nothing is sent again:
		// what holds is what holds for a search.
		Name: "modal", Idempotency: torture.Search,
		Launch: []string{"--image", "r.example/step@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
		Setup: func(t *testing.T, w *torture.World) {
			f := startFake(t, w.Dir)
			w.BackendPID = f.PID()
			require.NoError(t, f.AddLife(context.Background(), cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 200, ListedAfterMS: 500}}))
			mu.Lock()
			fakes[w] = f
			mu.Unlock()
			w.OK(append([]string{"operator", "register", "op", "--flavor=modal"}, settings...)...)
		},
		Jobs: func(w *torture.World) int {
			mu.Lock()
			f := fakes[w]
			mu.Unlock()
			jobs, err := f.Jobs(context.Background())
			if err != nil {
				return -1
			}
			return len(jobs)
		},
	}
}

// TestTorture: host and plugin die at every boundary and at random, on both
// backends. At most one sandbox per attempt; each run is found, or `unknown`.
func TestTorture(t *testing.T) {
	for _, backend := range []string{"v1", "v2"} {
		t.Run(backend, func(t *testing.T) {
			f := tortured("--backend=" + backend)
			if backend == "v1" {
				f.Kills = olderKills
			}
			torture.Run(t, f)
		})
	}
}
