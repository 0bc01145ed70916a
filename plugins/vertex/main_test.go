package main

import (
	"context"
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

// shimProgram is what stands for the shim of an image: the real one, built once.
var shimProgram string

// asFake makes the test's own binary a fake; its value is the shim.
const asFake = "VERTEX_TEST_FAKE"

func TestMain(m *testing.M) {
	if shim, is := os.LookupEnv(asFake); is {
		cloudfake.Main(fake.Open(shim))
		return
	}
	var err error
	shimProgram, err = cloudfake.Build(context.Background(), filepath.Join("..", ".."), "./cmd/stephost-init", "stephost-init")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/transport.(*http2Client).keepalive"),
		// OpenCensus starts a worker in an init function; the vendor's stubs link it.
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// cloud is a fake with a key file to sign in with.
type cloud struct {
	*cloudfake.Fake
	key string
}

func newCloud(t testing.TB) *cloud {
	t.Setenv(asFake, shimProgram)
	f, err := cloudfake.Start(context.Background(), os.Args[0], t.TempDir())
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
