//go:build linux

package spark

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/torture"
)

// kills are the random ones; the flavor `kubernetes`, whose Jobs these are, has more.
const kills = 10

// standIn is a Spark whose spark-submit does for a Python application what the real
// one does, but for Java: it starts the driver, ends it when it is to end itself, and
// ends with its code. It is for tests of many deaths.
const standIn = `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
  */driver.py)
    python3 "$@" &
    trap 'kill $!' TERM
    wait $!
    code=$?
    [ $code -ne 143 ] || wait $!
    exit $code
    ;;
  esac
  shift
done
exit 1
`

// TestTorture: host and plugin die at every boundary and at random. Each run comes
// through by itself, and no attempt has two drivers. That a real application comes
// through such deaths is seen in TestSpark.
func TestTorture(t *testing.T) {
	t.Parallel()
	needed(t)
	kubectl := func(t *testing.T, args ...string) string {
		out, err := cluster.Kubectl(context.Background(), args...).CombinedOutput()
		require.NoError(t, err, "kubectl %v\n%s", args, out)
		return string(out)
	}
	namespace := func(w *torture.World) string { return strings.ToLower(filepath.Base(w.Dir)) }
	torture.Run(t, torture.Flavor{
		Name: "spark", Idempotency: torture.Key, Kills: kills,
		Setup: func(t *testing.T, w *torture.World) {
			require.NoError(t, os.Chmod(w.Dir, 0o777))
			home := filepath.Join(w.Dir, "standin", "bin")
			require.NoError(t, os.MkdirAll(home, 0o755))
			for _, name := range []string{"spark-submit", "java"} {
				require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(standIn), 0o755))
			}
			kubectl(t, "create", "namespace", namespace(w))
			kubectl(t, "wait", "--for=create", "serviceaccount/default", "--timeout=1m", "-n", namespace(w))
			kubectl(t, "create", "role", "spark", "--verb=create,get,list,watch,delete", "--resource=pods", "-n", namespace(w))
			kubectl(t, "create", "rolebinding", "spark", "--role=spark", "--serviceaccount="+namespace(w)+":default", "-n", namespace(w))
			t.Cleanup(func() { kubectl(t, "delete", "namespace", namespace(w), "--wait=false") })
			w.OK("operator", "register", "op", "--flavor=spark", "--master=k8s://", "--kubeconfig="+cluster.Kubeconfig, "--namespace="+namespace(w), "--image="+base,
				"--spark-home=/share/standin", "--java-home=/share/standin", fmt.Sprintf(`--volumes=[{name="share",host_path={path=%q}}]`, w.Dir), `--volume-mounts=[{name="share",mount_path="/share"}]`)
		},
		Witness: func(*torture.World) string { return "/share/witness" },
		Jobs: func(w *torture.World) int {
			out := kubectl(t, "get", "jobs", "-n", namespace(w), "-o", "name")
			return len(strings.Fields(out))
		},
	})
}
