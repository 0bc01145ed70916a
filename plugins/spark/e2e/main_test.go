//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stephost/stephost/test/spark"
	"github.com/stephost/stephost/test/torture"
)

// install is the Spark of these tests, root the repository.
var (
	install spark.Install
	root    string
)

// TestMain: without Java or Spark nothing here can be tested, and that is a
// failure, not a skip.
func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func testMain(m *testing.M) (code int, err error) {
	if root, err = torture.Root(); err != nil {
		return 1, err
	}
	if install, err = spark.Make(context.Background(), root); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "spark-e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := torture.ShortSettle(dir, "plugins/spark"); err != nil {
		return 1, err
	}
	return torture.Main(m, "plugins/spark"), nil
}

// plugin is the binary that was built beside stephost.
func plugin() string {
	return filepath.Join(filepath.Dir(torture.Stephost()), "plugins", "stephost-flavor-spark")
}
