package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/test/kube"
)

// hang ends what does not come back; it is no expectation of speed.
const hang = 2 * time.Minute

// controlPlane is the API server, the controllers and the scheduler of all tests
// of this package, started by the first one that needs it. Tests have a namespace
// each; one that kills a component starts a cluster of its own.
type controlPlane struct {
	once    sync.Once
	cluster *kube.Cluster
	err     error
}

var shared controlPlane

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var errLacks = errors.New("a real Kubernetes is impossible here")

func cluster(t testing.TB) *kube.Cluster {
	t.Helper()
	shared.once.Do(func() {
		if lacks := kube.Lacks(false); lacks != "" {
			shared.err = fmt.Errorf("%w: %s", errLacks, lacks)
			return
		}
		shared.cluster, shared.err = kube.Start(context.Background(), false)
	})
	if errors.Is(shared.err, errLacks) && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED, nothing of this was tested: %v", shared.err)
	}
	require.NoError(t, shared.err)
	return shared.cluster
}
