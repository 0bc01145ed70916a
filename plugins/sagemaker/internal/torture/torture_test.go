//go:build linux

package torture

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
	"github.com/stephost/stephost/test/torture"
)

// image is a given one: SageMaker could pull it, and the fake needs none.
const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// noCleanup: a job leaves nothing behind, and its record is the key.
const noCleanup = "the flavor has nothing to clean up"

// programs are the fake and what stands for the shim of an image.
var programs cloudtest.Programs

func TestMain(m *testing.M) { cli.Main(m, &programs, "sagemaker") }

// TestTorture: SageMaker's names are keys for ever, so every run comes through by
// itself, and no attempt has two jobs.
func TestTorture(t *testing.T) {
	var fakes cli.Fakes
	torture.Run(t, torture.Flavor{
		Name: "sagemaker", Idempotency: torture.Key, Launch: []string{"--image", image},
		Skip: map[string]string{
			"host-cleaning": noCleanup, "plugin-cleanup": noCleanup, "plugin-cleanup-done": noCleanup,
		},
		Setup: func(t *testing.T, w *torture.World) {
			f := programs.Start(t)
			fakes.Keep(t, w, f, cloudfake.Life{})
			aws := filepath.Join(w.Dir, ".aws")
			require.NoError(t, os.Mkdir(aws, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(aws, "credentials"), []byte("[default]\naws_access_key_id = AKIATORTURE\naws_secret_access_key = x\n"), 0o600))
			w.OK("operator", "register", "op", "--flavor=sagemaker", "--role=train", "--region=eu-west-1", "--endpoint-url="+f.URL,
				"--max-calls-per-minute=60000", "--log-settle=300ms")
		},
		Jobs: fakes.Jobs,
	})
}
