package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/test/cloudfake"
)

// Programs are what the tests of a flavor start.
type Programs struct {
	// Fake is the fake of the service: plugins/NAME/internal/fake/cmd/fake-NAME.
	Fake string
	// Shim is the real init process of built images, which the fake starts in the
	// place of theirs.
	Shim string
}

// Build builds the programs of a flavor.
func Build(ctx context.Context, name string) (Programs, error) {
	root, err := root(ctx)
	if err != nil {
		return Programs{}, err
	}
	fake, err1 := cloudfake.Build(ctx, filepath.Join(root, "plugins", name), "./internal/fake/cmd/fake-"+name, "fake-"+name)
	shim, err2 := cloudfake.Build(ctx, root, "./cmd/stephost-init", "stephost-init")
	return Programs{Fake: fake, Shim: shim}, errors.Join(err1, err2)
}

// BuildPlugin builds the plugin of a flavor as it is shipped.
func BuildPlugin(ctx context.Context, name string) (string, error) {
	root, err := root(ctx)
	if err != nil {
		return "", err
	}
	return cloudfake.Build(ctx, filepath.Join(root, "plugins", name), ".", "stephost-flavor-"+name)
}

// root is the directory of stephost's own module.
func root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/stephost/stephost").Output()
	if err != nil {
		return "", fmt.Errorf("where the module is: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Main is the TestMain of a flavor: it builds its programs, runs the tests and
// fails when goroutines stay.
func Main(m *testing.M, into *Programs, name string, leaks ...goleak.Option) {
	var err error
	if *into, err = Build(context.Background(), name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, leaks...)
}

// IdleConnections are those that a client without a way to close it leaves.
func IdleConnections() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	}
}

// Start starts the fake for one test; args are flags of its program.
func (p Programs) Start(t testing.TB, args ...string) *cloudfake.Fake {
	f, err := cloudfake.Start(context.Background(), p.Fake, t.TempDir(), append([]string{"-shim", p.Shim}, args...)...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Stop()) })
	return f
}
