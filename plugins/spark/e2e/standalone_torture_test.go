//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/spark"
	"github.com/stephost/stephost/test/torture"
)

const (
	// standaloneKills are the random ones on a real master: each driver costs a Java.
	standaloneKills = 10
	// driverLives is about how long a real driver takes, its Java included.
	driverLives = 5 * time.Second
)

// aroundSubmission are the boundaries at which a driver could be lost or doubled, and
// the one behind which it must be gone.
func aroundSubmission() []string {
	return []string{"host-submitting", "host-answered", "host-submitted", "plugin-submit", "plugin-submit-done",
		"plugin-rest-marked", "plugin-rest-answered", "host-cancelling"}
}

// TestTortureStandalone is TestTortureREST on a real master with real workers, at
// fewer boundaries; the long form has all of them. Drivers are counted in the
// master's own list.
func TestTortureStandalone(t *testing.T) {
	dir, err := os.MkdirTemp("", "spt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c, err := spark.Start(context.Background(), install, dir, 2, "spark.deploy.retainedDrivers 10000")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Stop()) })
	t.Run("Alike", func(t *testing.T) { alike(t, c, startMaster(t)) })
	others := len(driverList(t, c))

	var mu sync.Mutex
	var worlds []string
	f := restFlavor(func(_ *testing.T, w *torture.World, flags ...string) {
		mu.Lock()
		worlds = append(worlds, w.Dir)
		mu.Unlock()
		w.OK(append([]string{"operator", "register", "op", "--master=" + c.Master, "--rest-url=" + c.REST, "--master-ui=" + c.UI, "--set", "submit_kwargs=" + lean(nil)}, flags...)...)
	})
	f.Jobs = func(w *torture.World) int { return len(driversOf(t, c, dir, w.Dir)) }
	f.Kills, f.KillWithin = standaloneKills, driverLives
	if !torture.Long() {
		f.Only = aroundSubmission()
	}
	torture.Run(t, f)

	told := 0
	for _, one := range worlds {
		told += len(driversOf(t, c, dir, one))
	}
	all := driverList(t, c)
	t.Logf("%d runs, %d drivers in the master's list", len(worlds), len(all)-others)
	assert.Len(t, all, others+told, "the master has no driver that is nobody's")
}

// driverList is all that the master has: the names of drivers.
func driverList(t *testing.T, c *spark.Cluster) []string {
	var names []string
	for _, part := range []string{"activedrivers", "completeddrivers"} {
		var told []struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(master(t, c, part)), &told))
		for _, d := range told {
			names = append(names, d.ID)
		}
	}
	return names
}

// driversOf are those in the master's list whose command, as their workers below dir
// have noted it, names a directory.
func driversOf(t *testing.T, c *spark.Cluster, dir, named string) []string {
	var names []string
	for _, name := range driverList(t, c) {
		notes, err := filepath.Glob(filepath.Join(dir, "worker*", name, "stderr"))
		require.NoError(t, err)
		for _, note := range notes {
			text, err := os.ReadFile(note)
			require.NoError(t, err)
			if command, _, _ := strings.Cut(string(text), "\n"); strings.Contains(command, named+"/") {
				names = append(names, name)
			}
		}
	}
	return names
}
