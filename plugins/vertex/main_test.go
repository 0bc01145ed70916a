package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

// hang is longer than anything here takes, on any machine.
const hang = time.Minute

// Programs that TestMain builds before any test runs: the fake, and what stands
// for the shim of an image, which is the real one. The fake is built without the
// race detector: it serves floods of a million log entries.
var fakeProgram, shimProgram string

func TestMain(m *testing.M) {
	var err1, err2 error
	fakeProgram, err1 = cloudfake.Build(context.Background(), ".", "./internal/fake/cmd/vertexfake", "vertexfake")
	shimProgram, err2 = cloudfake.Build(context.Background(), filepath.Join("..", ".."), "./cmd/stephost-init", "stephost-init")
	if err := errors.Join(err1, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// cloud is a fake with a key file to sign in with.
type cloud struct {
	*cloudfake.Fake
	key string
}

func newCloud(t testing.TB) *cloud {
	t.Setenv("VERTEXFAKE_SHIM", shimProgram)
	f, err := cloudfake.Start(context.Background(), fakeProgram, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Stop()) })
	c := &cloud{Fake: f, key: filepath.Join(t.TempDir(), "key.json")}
	require.NoError(t, fake.WriteServiceAccount(c.key, f.URL))
	return c
}

// operator are the operator's attributes for the fake.
func (c *cloud) operator(bucket bool) map[string]any {
	o := map[string]any{
		"project": fake.Project, "region": "europe-west1", "service_account_path": c.key,
		"endpoints": c.endpoints(), "max_calls_per_minute": 6000, "max_log_calls_per_minute": 60000,
	}
	if bucket {
		o["bucket_name"] = fake.Bucket
	}
	return o
}

func (c *cloud) endpoints() map[string]string { return fake.Endpoints(c.Endpoints["grpc"], c.URL) }
