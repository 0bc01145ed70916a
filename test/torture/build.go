package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stephost/stephost/internal/gobuild"
)

// built are the programs, made once for a test binary. Main fills it before any
// test runs.
var built struct{ dir, stephost string }

// Main builds stephost and the plugins of packages (directories below the root
// of the repository, for example "plugins/local") with failpoints, runs the
// tests and returns the exit code. `local` is always among them. The plugins lie
// beside stephost, so that their flavors are shipped ones.
func Main(m *testing.M, packages ...string) int {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir, append([]string{"plugins/local"}, packages...)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(dir string, packages []string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	built.dir, built.stephost = dir, filepath.Join(dir, "bin", "stephost")
	programs := map[string]string{built.stephost: "cmd/stephost"}
	for _, p := range packages {
		programs[filepath.Join(dir, "bin", "plugins", "stephost-flavor-"+filepath.Base(p))] = p
	}
	for out, pkg := range programs {
		if err := gobuild.Build(context.Background(), gobuild.Program{Dir: filepath.Join(root, pkg), Out: out, Tags: []string{"failpoint"}}); err != nil {
			return err
		}
	}
	return nil
}

// Stephost is the path of the stephost that Main has built.
func Stephost() string { return built.stephost }

// Root is the root of the repository: the nearest directory above the current
// one that holds go.work.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.work was found above %s", start)
		}
	}
}
