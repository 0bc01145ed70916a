package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/torture"
)

// shortKills are the random kills of one run of the tests.
const shortKills = 50

// tortured is the flavor in a namespace of its own for each world. The witness
// lies in a directory that the node shares with the test.
func tortured(t *testing.T) torture.Flavor {
	c := cluster(t)
	kubectl := func(t *testing.T, args ...string) string {
		out, err := c.Kubectl(context.Background(), args...).CombinedOutput()
		require.NoError(t, err, "kubectl %v\n%s", args, out)
		return string(out)
	}
	return torture.Flavor{
		Name: "kubernetes", Idempotency: torture.Key, Kills: shortKills,
		Setup: func(t *testing.T, w *torture.World) {
			open(t, w.Dir)
			namespace := strings.ToLower(baseOf(w.Dir))
			kubectl(t, "create", "namespace", namespace)
			kubectl(t, "wait", "--for=create", "serviceaccount/default", "--timeout=1m", "-n", namespace)
			t.Cleanup(func() { kubectl(t, "delete", "namespace", namespace, "--wait=false") })
			w.OK("operator", "register", "op", "--flavor=kubernetes", "--kubeconfig="+c.Kubeconfig, "--namespace="+namespace, "--image="+c.Image,
				fmt.Sprintf(`--volumes=[{name="share",host_path={path=%q}}]`, w.Dir), `--volume-mounts=[{name="share",mount_path="/share"}]`)
		},
		Witness: func(*torture.World) string { return "/share/witness" },
		Jobs: func(w *torture.World) int {
			out := kubectl(t, "get", "jobs", "-n", strings.ToLower(baseOf(w.Dir)), "-o", "name")
			return len(strings.Fields(out))
		},
	}
}

// TestTorture: host and plugin die at every boundary and at random, and there is
// one Job with the right verdict and a whole log.
func TestTorture(t *testing.T) { torture.Run(t, tortured(t)) }

// TestTortureSameToken: several stephost processes launch one run.
func TestTortureSameToken(t *testing.T) {
	f := tortured(t)
	torture.SameToken(t, f, 2)
	torture.SameToken(t, f, 10)
}
