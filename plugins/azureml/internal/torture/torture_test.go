//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
	"github.com/stephost/stephost/test/torture"
)

const (
	// image is a given one: AzureML could pull it, and the fake needs none.
	image = "team.azurecr.io/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	id    = "01234567-89ab-cdef-0123-456789abcdef"
	// noCleanup is why some boundaries are never reached.
	noCleanup = "nothing is staged for a job, and jobs of AzureML are never deleted"
)

// programs are the fake and what stands for the shim of an image.
var programs cloudtest.Programs

func TestMain(m *testing.M) { cli.Main(m, &programs, "azureml") }

// TestTorture: names of jobs are keys for ever, so every run comes through by
// itself, and no attempt has two jobs.
func TestTorture(t *testing.T) {
	var fakes cli.Fakes
	torture.Run(t, torture.Flavor{
		Name: "azureml", Idempotency: torture.Key, Launch: []string{"--image", image},
		Skip: map[string]string{"host-cleaning": noCleanup, "plugin-cleanup": noCleanup, "plugin-cleanup-done": noCleanup},
		Setup: func(t *testing.T, w *torture.World) {
			f := programs.Start(t)
			fakes.Keep(t, w, f, cloudfake.Life{})
			secret := filepath.Join(w.Dir, "secret")
			require.NoError(t, os.WriteFile(secret, []byte("torture"), 0o600))
			w.OK("operator", "register", "op", "--flavor=azureml", "--subscription-id="+id, "--resource-group=ml", "--workspace-name=research",
				"--tenant-id="+id, "--service-principal-id="+id, "--service-principal-password=file:"+secret,
				fmt.Sprintf("--endpoints={management = %[1]q, history = %[1]q, authority = %[1]q}", f.URL),
				"--max-calls-per-minute=60000", "--log-settle=300ms")
		},
		Jobs: fakes.Jobs,
	})
}
