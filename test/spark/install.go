package spark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stephost/stephost/internal/pyenv"
)

// Install is a Spark on this machine.
type Install struct {
	pyenv.Env
	// Home is SPARK_HOME.
	Home string
}

// Make finds it, or makes it below the user's cache directory. root is that of the
// repository.
func Make(ctx context.Context, root string) (Install, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return Install{}, errors.New("the tests of Spark need Java (test/spark/packages.txt): " + err.Error())
	}
	env, err := pyenv.Of(ctx, "spark", filepath.Join(root, "test", "spark", "requirements.txt"))
	if err != nil {
		return Install{}, err
	}
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(env.Bin), "lib", "python3*", "site-packages", "pyspark"))
	if len(found) != 1 {
		return Install{}, fmt.Errorf("no pyspark in %s", env.Bin)
	}
	return Install{Env: env, Home: found[0]}, nil
}

// Lean are options for a Java that lives for seconds: half of its start is spent on
// making code fast that is never run again.
const Lean = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"

// Environ is what a process needs to use it, with lean Javas.
func (i Install) Environ() []string {
	return []string{
		"PATH=" + i.Path(), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(),
		"SPARK_HOME=" + i.Home, "PYSPARK_PYTHON=" + i.Python, "SPARK_LOCAL_IP=127.0.0.1", "SPARK_LAUNCHER_OPTS=" + Lean,
	}
}

// Properties of an application that make it lean, too.
func Properties() map[string]string {
	return map[string]string{
		"spark.driver.extraJavaOptions":   Lean,
		"spark.executor.extraJavaOptions": Lean,
		"spark.sql.shuffle.partitions":    "2",
		"spark.driver.host":               "127.0.0.1",
		"spark.driver.bindAddress":        "127.0.0.1",
	}
}
