package torture

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/runs"
)

// TestTortureRandom kills host, plugin or both at random instants, again and
// again until the run is over: 100 kills in the short form, 1,000 in the long
// one.
func TestTortureRandom(t *testing.T) {
	kills := 100
	if os.Getenv("STEPHOST_TORTURE") == "long" {
		kills = 1000
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("STEPHOST_TORTURE_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("STEPHOST_TORTURE_SEED=%d", seed)
	const perWorld = 5
	for i := range kills / perWorld {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			slot(t)
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			flavor := flavors[i%3] // fault-none cannot come through by itself
			w := newWorld(t, flavor)
			args := w.launchArgs("sleep 0.5;")
			for range perWorld {
				cmd := w.command(nil, args...)
				require.NoError(t, cmd.Start())
				done := make(chan struct{})
				go func() { defer close(done); _ = cmd.Wait() }()
				timer := time.NewTimer(time.Duration(random.IntN(900)) * time.Millisecond)
				select {
				case <-timer.C:
				case <-done:
				}
				who := random.IntN(3)
				if who != 0 {
					for _, pid := range w.plugins() {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
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
				assert.Empty(t, w.attempts(), "a step ran that nobody knows")
				return
			}
			if flavor == "fault-search" && r.State == runs.Unknown {
				w.checkOnce()
				return
			}
			w.check(r, false)
		})
	}
}
