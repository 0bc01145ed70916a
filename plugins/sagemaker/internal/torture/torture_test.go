//go:build linux

package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/torture"
)

// image is a given one: SageMaker could pull it, and the fake needs none.
const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// noCleanup: a job leaves nothing behind, and its record is the key.
const noCleanup = "the flavor has nothing to clean up"

// program is the fake, made once.
var program string

func TestMain(m *testing.M) {
	var err error
	if program, err = cloudfake.Build(context.Background(), filepath.Join("..", ".."), "./internal/fake/cmd/fake-sagemaker", "fake-sagemaker"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "sagemaker-torture")
	if err == nil {
		err = torture.ShortSettle(dir, "plugins/sagemaker")
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = torture.Main(m, "plugins/sagemaker")
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// TestTorture: SageMaker's names are keys for ever, so every run comes through by
// itself, and no attempt has two jobs.
func TestTorture(t *testing.T) {
	fakes := map[*torture.World]*cloudfake.Fake{}
	held := make(chan struct{}, 1) // guards fakes: worlds run side by side
	torture.Run(t, torture.Flavor{
		Name: "sagemaker", Idempotency: torture.Key, Launch: []string{"--image", image},
		Skip: map[string]string{
			"host-cleaning": noCleanup, "plugin-cleanup": noCleanup, "plugin-cleanup-done": noCleanup,
		},
		Setup: func(t *testing.T, w *torture.World) {
			f, err := cloudfake.Start(context.Background(), program, filepath.Join(w.Dir, "fake"))
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, f.Stop()) })
			w.BackendPID = f.PID()
			held <- struct{}{}
			fakes[w] = f
			<-held
			aws := filepath.Join(w.Dir, ".aws")
			require.NoError(t, os.Mkdir(aws, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(aws, "credentials"), []byte("[default]\naws_access_key_id = AKIATORTURE\naws_secret_access_key = x\n"), 0o600))
			w.OK("operator", "register", "op", "--flavor=sagemaker", "--role=train", "--region=eu-west-1", "--endpoint-url="+f.URL,
				"--max-calls-per-minute=60000", "--log-settle=300ms")
		},
		Jobs: func(w *torture.World) int {
			held <- struct{}{}
			f := fakes[w]
			<-held
			jobs, err := f.Jobs(context.Background())
			if err != nil {
				return -1
			}
			return len(jobs)
		},
	})
}
