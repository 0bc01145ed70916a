package torture

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// killsPerWorld is how often one run is interrupted before it is recovered.
	killsPerWorld = 5
	// killWithin is how long a launch lives at most, unless a flavor says more: jobs
	// on this machine take about as long.
	killWithin = 900 * time.Millisecond
)

// Long tells whether the long form is wanted.
func Long() bool { return os.Getenv("STEPHOST_TORTURE") == "long" }

// Random kills host, plugin or both at random instants, again and again until
// the run is over: 100 kills in the short form, 1,000 in the long one, in turn
// over flavors. It prints the seed.
func Random(t *testing.T, flavors ...Flavor) {
	random(t, newSlots(), flavors...)
}

func random(t *testing.T, free slots, flavors ...Flavor) {
	kills := 100
	if n := flavors[0].Kills; n > 0 {
		kills = n
	}
	if Long() {
		kills = 1000
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("STEPHOST_TORTURE_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("STEPHOST_TORTURE_SEED=%d", seed)
	for i := range kills / killsPerWorld {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			free.take(t)
			randomWorld(newWorld(t, &flavors[i%len(flavors)]), rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

func randomWorld(w *World, random *rand.Rand) {
	args := w.launchArgs("sleep 0.5;")
	within := w.flavor.KillWithin
	if within == 0 {
		within = killWithin
	}
	for range killsPerWorld {
		cmd := w.command(nil, args...)
		require.NoError(w.t, cmd.Start())
		done := make(chan struct{})
		go func() { defer close(done); _ = cmd.Wait() }()
		timer := time.NewTimer(time.Duration(random.Int64N(int64(within))))
		select {
		case <-timer.C:
		case <-done:
		}
		who := random.IntN(3)
		if who != 0 {
			w.killPlugins()
		}
		if who != 1 {
			_ = cmd.Process.Kill()
		} else {
			// The host lives on, and must come through or be killed later.
			select {
			case <-done:
			case <-time.After(time.Duration(random.IntN(2000)) * time.Millisecond):
				_ = cmd.Process.Kill()
			}
		}
		<-done
	}
	r := w.recovered()
	if r == nil {
		assert.Empty(w.t, w.attempts(), "a step ran that nobody knows")
		return
	}
	if w.flavor.InWindow != nil {
		in := w.flavor.InWindow(w)
		w.t.Logf("a death hit the window of Submit: %v", in)
		w.check(r, in, in)
		return
	}
	w.check(r, w.flavor.Idempotency != Key, false)
}
