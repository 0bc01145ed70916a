package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/gobuild"
)

// buildBound ends a go tool that hangs.
const buildBound = 10 * time.Minute

// buildDir holds the programs of this test process; TestMain removes it.
var buildDir string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	// A test that runs in the background of a script has SIGINT ignored, and so
	// would have every program that it starts. A handler is not inherited.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	dir, err := os.MkdirTemp("", "stephost-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	buildDir = dir
	return m.Run()
}

// built builds stephost, with the program that it goes on as and the local flavor beside
// it, once per test process.
var built = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildBound)
	defer cancel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	stephost := filepath.Join(buildDir, "stephost")
	for _, p := range []gobuild.Program{
		{Dir: root, Pkg: "./cmd/stephost", Out: stephost, Tags: []string{"front"}, Race: raceEnabled},
		{Dir: root, Pkg: "./cmd/stephost", Out: stephost + "-host", Race: raceEnabled},
		{Dir: filepath.Join(root, "plugins", "local"), Out: filepath.Join(buildDir, "plugins", "stephost-flavor-local")},
	} {
		if err := gobuild.Build(ctx, p); err != nil {
			return "", err
		}
	}
	return stephost, nil
})

// stephost is the path of the built command, with the local flavor shipped
// beside it.
func stephost(t *testing.T) string {
	t.Helper()
	path, err := built()
	require.NoError(t, err)
	return path
}
