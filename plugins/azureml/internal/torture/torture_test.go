//go:build linux

package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/torture"
)

const (
	// image is a given one: AzureML could pull it, and the fake needs none.
	image = "team.azurecr.io/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	id    = "01234567-89ab-cdef-0123-456789abcdef"
	// noCleanup is why some boundaries are never reached.
	noCleanup = "nothing is staged for a job, and jobs of AzureML are never deleted"
)

// program is the fake, made once.
var program string

func TestMain(m *testing.M) {
	var err error
	if program, err = cloudfake.Build(context.Background(), filepath.Join("..", ".."), "./internal/fake/cmd/fake-azureml", "fake-azureml"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(torture.Main(m, "plugins/azureml"))
}

// TestTorture: names of jobs are keys for ever, so every run comes through by
// itself, and no attempt has two jobs.
func TestTorture(t *testing.T) {
	var fakes sync.Map // by world: they live side by side
	torture.Run(t, torture.Flavor{
		Name: "azureml", Idempotency: torture.Key, Launch: []string{"--image", image},
		Skip: map[string]string{"host-cleaning": noCleanup, "plugin-cleanup": noCleanup, "plugin-cleanup-done": noCleanup},
		Setup: func(t *testing.T, w *torture.World) {
			f, err := cloudfake.Start(context.Background(), program, filepath.Join(w.Dir, "fake"))
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, f.Stop()) })
			w.BackendPID = f.PID()
			fakes.Store(w, f)
			secret := filepath.Join(w.Dir, "secret")
			require.NoError(t, os.WriteFile(secret, []byte("torture"), 0o600))
			w.OK("operator", "register", "op", "--flavor=azureml", "--subscription-id="+id, "--resource-group=ml", "--workspace-name=research",
				"--tenant-id="+id, "--service-principal-id="+id, "--service-principal-password=file:"+secret,
				fmt.Sprintf("--endpoints={management = %[1]q, history = %[1]q, authority = %[1]q}", f.URL),
				"--max-calls-per-minute=60000", "--log-settle=300ms")
		},
		Jobs: func(w *torture.World) int {
			f, ok := fakes.Load(w)
			if !ok {
				return -1
			}
			jobs, err := f.(*cloudfake.Fake).Jobs(context.Background())
			if err != nil {
				return -1
			}
			return len(jobs)
		},
	})
}
