package e2e

import (
	"testing"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/torture"
)

// olderKills are fewer than on the newer backend: host and plugin do the same.
const olderKills = 25

// tortured is the flavor on a fake of its own for each world; lists show a
// sandbox late.
func tortured(settings ...string) torture.Flavor {
	var fakes cli.Fakes
	return torture.Flavor{
		// A name is taken while its sandbox runs only, so that nothing is sent again:
		// what holds is what holds for a search.
		Name: "modal", Idempotency: torture.Search,
		Launch: []string{"--image", "r.example/step@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
		Setup: func(t *testing.T, w *torture.World) {
			fakes.Keep(t, w, startFake(t, w.Dir), cloudfake.Life{LogsLateMS: 200, ListedAfterMS: 500})
			w.OK(append([]string{"operator", "register", "op", "--flavor=modal"}, settings...)...)
		},
		Jobs: fakes.Jobs,
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
