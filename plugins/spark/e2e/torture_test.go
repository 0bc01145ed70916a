//go:build linux

package e2e

import (
	"testing"

	"github.com/stephost/stephost/test/torture"
)

// TestTorture: host and plugin die at every boundary and at random. Each run comes
// through by itself, and no attempt has two drivers. That a real Spark comes through
// such deaths is seen in TestLocal.
func TestTorture(t *testing.T) {
	home := standIn(t)
	torture.Run(t, torture.Flavor{
		Name: "spark", Idempotency: torture.Key,
		Setup: func(_ *testing.T, w *torture.World) {
			w.OK("operator", "register", "op", "--flavor=spark", "--master=local[2]", "--spark-home="+home)
		},
	})
}
