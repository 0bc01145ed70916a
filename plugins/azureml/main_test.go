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

	"github.com/stephost/stephost/plugins/azureml/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// hang is longer than anything here takes, on any machine.
	hang         = time.Minute
	subscription = "01234567-89ab-cdef-0123-456789abcdef"
	image        = "team.azurecr.io/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// shimProgram is what stands for the shim of an image: the real one, built once.
var shimProgram string

// asFake makes the test's own binary a fake; its value is the shim.
const asFake = "AZUREML_TEST_FAKE"

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
	// A client that a cache still holds has idle connections.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// azure is a fake.
type azure struct{ *cloudfake.Fake }

func newCloud(t testing.TB) *azure {
	t.Setenv(asFake, shimProgram)
	f, err := cloudfake.Start(context.Background(), os.Args[0], t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Stop()) })
	return &azure{f}
}

// operator are the operator's attributes for the fake.
func (c *azure) operator() map[string]any {
	return map[string]any{
		"subscription_id": subscription, "resource_group": "ml", "workspace_name": "research",
		"tenant_id": "11111111-89ab-cdef-0123-456789abcdef", "service_principal_id": "22222222-89ab-cdef-0123-456789abcdef",
		"service_principal_password": "password-of-the-test", "max_calls_per_minute": 60000, "log_settle": "500ms",
		"endpoints": map[string]string{"management": c.URL, "history": c.URL, "authority": c.URL, "registry": c.URL},
	}
}
