package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/plugins/sagemaker/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// hang is longer than anything here takes, on any machine.
	hang = time.Minute
	// region and account are where the fake's jobs are.
	region  = "eu-west-1"
	account = "123456789012"
	// image is one that SageMaker could pull.
	image = account + ".dkr.ecr." + region + ".amazonaws.com/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// shimProgram is what stands for the shim of an image: the real one, built once.
var shimProgram string

// asFake makes the test's own binary a fake; its value is the shim.
const asFake = "SAGEMAKER_TEST_FAKE"

func TestMain(m *testing.M) {
	if shim, is := os.LookupEnv(asFake); is {
		cloudfake.Main(func(_ context.Context, dir string) (*cloudfake.Service, error) {
			return fake.New(fake.Options{Dir: dir, Shim: shim, Grace: 500 * time.Millisecond, Step: 5 * time.Millisecond}).Service(), nil
		})
		return
	}
	flag.Parse()
	var err error
	shimProgram, err = cloudfake.Build(context.Background(), filepath.Join("..", ".."), "./cmd/stephost-init", "stephost-init")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// The SDK has no way to close a client: its idle connections stay.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// cloud is a fake.
type cloud struct{ *cloudfake.Fake }

func newCloud(t testing.TB) *cloud {
	t.Setenv(asFake, shimProgram)
	f, err := cloudfake.Start(context.Background(), os.Args[0], t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Stop()) })
	return &cloud{f}
}

// operator are the operator's attributes for the fake.
func (c *cloud) operator() map[string]any {
	return map[string]any{
		"role": "train", "region": region, "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret-key-of-the-test",
		"endpoint_url": c.URL, "max_calls_per_minute": 60000, "log_settle": "700ms",
	}
}
