package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/torture"
)

// tortured is the flavor on a fake of its own for each world; each run's log
// comes late and out of order.
func tortured(bucket bool) torture.Flavor {
	fakes := map[*torture.World]*cloudfake.Fake{}
	free := make(chan struct{}, 1) // guards fakes
	free <- struct{}{}
	return torture.Flavor{
		Name: "vertex", Idempotency: torture.Search,
		Launch: []string{"--image", "r.example/step@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
		Setup: func(t *testing.T, w *torture.World) {
			f, flags := startFake(t, bucket)
			w.BackendPID = f.PID()
			require.NoError(t, f.AddLife(context.Background(), cloudfake.LifeRule{Life: cloudfake.Life{LogsLateMS: 200, LogsShuffled: true}}))
			<-free
			fakes[w] = f
			free <- struct{}{}
			w.OK(append([]string{"operator", "register", "op"}, flags...)...)
		},
		Jobs: func(w *torture.World) int {
			<-free
			f := fakes[w]
			free <- struct{}{}
			jobs, err := f.Jobs(context.Background())
			if err != nil {
				return -1
			}
			return len(jobs)
		},
	}
}

// TestTorture: host and plugin die at every boundary and at random. At most one
// job per attempt; each run is found, or `unknown`.
func TestTorture(t *testing.T) {
	torture.Run(t, tortured(true))
}
