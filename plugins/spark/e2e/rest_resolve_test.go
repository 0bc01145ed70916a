//go:build linux

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/failpoint"
	"github.com/stephost/stephost/test/cloudfake"
)

// TestRESTResolve: the plugin dies before it has noted the master's answer, so the run
// is unknown. A person who has found the driver names it, and the run goes on with it.
func TestRESTResolve(t *testing.T) {
	m := startMaster(t)
	w := newWorld(t, append(onMaster(m), "--shared-dir="+t.TempDir(), "--deploy-mode=cluster")...)
	w.env = append(w.env, failpoint.EnvVar+"=plugin-rest-answered", failpoint.OnceVar+"="+filepath.Join(w.dir, "died"))
	o := w.run("launch", "--operator", "op", "--run-token", "lost", "--", "sh", "-c", "echo out; exit 3")
	require.Equal(t, 125, o.code, "%s", o.stderr)
	jobs, err := m.Jobs(context.Background())
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	w.ok("run", "resolve", "--operator", "op", "--token", "lost", "--handle", handleOf(jobs[0]))
	o = w.run("run", "attach", "--operator", "op", "--token", "lost")
	assert.Equal(t, 1, o.code, "failed, with no known code: %s", o.stderr)
	assert.Equal(t, "out\n", o.stdout)
}

func handleOf(j cloudfake.Job) string { return fmt.Sprintf(`{"key":%q,"driver":%q}`, j.Key, j.Name) }
