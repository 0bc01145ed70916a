package registry_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/internal/gobuild"
)

// childEnv makes this binary register a path and print the result: the
// processes of the tests with many of them.
const childEnv = "STEPHOST_REGISTRY_TEST_CHILD"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		os.Exit(child(strings.Split(args, "|")))
	}
	goleak.VerifyTestMain(m)
}

func child(args []string) int {
	r := registry.New(home.At(args[1]), registry.Options{Shipped: args[2]})
	var f *registry.Flavor
	var err error
	if args[0] == "register" {
		f, err = r.Register(context.Background(), args[3], registry.RegisterOptions{})
	} else if f, err = r.Flavor(context.Background(), args[3]); err == nil {
		var ex *registry.Executable
		if ex, err = r.Executable(context.Background(), f); err == nil {
			fmt.Print(ex.SHA256)
			err = ex.Close()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if args[0] == "register" {
		fmt.Print(f.Artifact.SHA256)
	}
	return 0
}

// tool is a small real program, built once. When run it leaves a file named
// "ran" in its working directory and prints its first argument.
var tool = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "registry-test-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	src := filepath.Join(dir, "main.go")
	if err := os.WriteFile(src, []byte(`package main
import "os"
func main() { os.WriteFile("ran", nil, 0o600); println("tool") }
`), 0o600); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "tool")
	if err := gobuild.Build(context.Background(), gobuild.Program{Dir: dir, Pkg: src, Out: out}); err != nil {
		return "", err
	}
	data, err := os.ReadFile(out)
	return string(data), err
})

func toolBytes(t testing.TB) []byte {
	t.Helper()
	data, err := tool()
	require.NoError(t, err)
	return []byte(data)
}

// write makes a file with exactly this mode, whatever the umask.
func write(t testing.TB, path string, data string, perm os.FileMode) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	require.NoError(t, os.Chmod(path, perm))
	return path
}

// manifestText is a small valid manifest; extra goes into the flavor block.
func manifestText(name, version, extra string) string {
	return fmt.Sprintf(`flavor %q {
  version      = %q
  protocol     = [1]
  summary      = "Runs a step in a test."
  environment  = ["none"]
  capabilities = ["cancel", "logs"]
  secrets      = "none"
  outputs      = "none"
  handles      = [1]
  submission {
    idempotency = "none"
    settle      = "1s"
    keeps       = "1s"
  }
%s
  config "role" {
    type        = string
    default     = "train"
    description = "A role."
  }
}
`, name, version, extra)
}

// plugin writes a native plugin with its manifest beside it; tail makes its
// bytes its own.
func plugin(t testing.TB, dir, name, version, tail string) string {
	t.Helper()
	path := filepath.Join(dir, "stephost-flavor-"+name)
	write(t, path+".flavor.hcl", manifestText(name, version, ""), 0o644)
	return write(t, path, string(toolBytes(t))+tail, 0o755)
}

// python writes a script plugin with an exec block.
func python(t testing.TB, dir, name, version string) string {
	t.Helper()
	path := filepath.Join(dir, name+".py")
	write(t, path+".flavor.hcl", manifestText(name, version, `
  exec {
    command = ["{interpreter:python3>=3.6}", "{file}", "--serve"]
  }`), 0o644)
	return write(t, path, "import os, sys\nopen('ran', 'w')\nprint(sys.argv)\n", 0o644)
}

type fixture struct {
	*testing.T
	home home.Home
	dir  string // for plugins
	reg  *registry.Registry
}

func setup(t *testing.T) fixture {
	t.Helper()
	h := home.At(filepath.Join(t.TempDir(), "home"))
	t.Cleanup(func() { writable(h.Root()) })
	dir := t.TempDir()
	return fixture{t, h, dir, registry.New(h, registry.Options{Shipped: filepath.Join(dir, "shipped")})}
}

// writable lets t.TempDir remove a store when the tests do not run as root.
func writable(root string) {
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

// problemOf is the error's problem; the test fails without one.
func problemOf(t testing.TB, err error) *problem.Error {
	t.Helper()
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	return p
}

// run starts an executable as the process room would.
func run(t testing.TB, ex *registry.Executable) string {
	t.Helper()
	cmd := exec.Command(ex.Argv[0], ex.Argv[1:]...)
	if ex.File != nil {
		require.Equal(t, "linux", runtime.GOOS)
		cmd.Path = fmt.Sprintf("/proc/self/fd/%d", ex.File.Fd())
	}
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), ex.Env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.FileExists(t, filepath.Join(cmd.Dir, "ran"))
	return string(out)
}

var ctx = context.Background()
