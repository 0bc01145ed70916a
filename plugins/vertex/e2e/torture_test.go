package e2e

import (
	"testing"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/torture"
)

// tortured is the flavor on a fake of its own for each world; each run's log
// comes late and out of order.
func tortured(bucket bool) torture.Flavor {
	var fakes cli.Fakes
	return torture.Flavor{
		Name: "vertex", Idempotency: torture.Search,
		Launch: []string{"--image", "r.example/step@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
		Setup: func(t *testing.T, w *torture.World) {
			f, flags := startFake(t, bucket)
			fakes.Keep(t, w, f, cloudfake.Life{LogsLateMS: 200, LogsShuffled: true})
			w.OK(append([]string{"operator", "register", "op"}, flags...)...)
		},
		Jobs: fakes.Jobs,
	}
}

// TestTorture: host and plugin die at every boundary and at random. At most one
// job per attempt; each run is found, or `unknown`.
func TestTorture(t *testing.T) {
	torture.Run(t, tortured(true))
}
