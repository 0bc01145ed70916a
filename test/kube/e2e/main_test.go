package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/kube"
	"github.com/stephost/stephost/test/torture"
)

// shared is the cluster of all tests of this package, in a namespace each.
// TestMain sets it before any test runs; nil = lacks says why there is none.
var (
	shared *kube.Cluster
	lacks  string
)

// parallel is how many tests run at once, however few processors there are: they
// wait for pods most of the time.
const parallel = "6"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if lacks = kube.Lacks(true); lacks != "" {
		return m.Run()
	}
	c, err := kube.Start(context.Background(), true)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = c
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := torture.Main(m, "plugins/kubernetes")
	if err := c.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// cluster is the shared cluster.
func cluster(t *testing.T) *kube.Cluster {
	t.Helper()
	if shared == nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "a real Kubernetes is impossible here: %s", lacks)
		t.Skipf("SKIPPED, nothing of this was tested: a real Kubernetes is impossible here: %s", lacks)
	}
	return shared
}
