//go:build linux

package spark

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/image"
	"github.com/stephost/stephost/test/kube"
	"github.com/stephost/stephost/test/torture"
)

// cluster is that of all tests here, base the image in its registry that has Java and
// Python, root the repository. TestMain sets them; lacks says why there is none.
var (
	cluster    *kube.Cluster
	base, root string
	lacks      error
)

// javaHome is where Debian's package puts it.
var javaHome = "/usr/lib/jvm/java-17-openjdk-" + runtime.GOARCH

// parallel is how many tests run at once, however few processors there are: those
// that kill wait for pods while the others compute.
const parallel = "5"

// baseBound is for the download of a base image's packages.
const baseBound = 5 * time.Minute

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func testMain(m *testing.M) (code int, err error) {
	if text := kube.Lacks(true); text != "" {
		lacks = fmt.Errorf("a real Kubernetes is impossible here: %s", text)
	} else {
		lacks = image.Missing()
	}
	if lacks != nil {
		return m.Run(), nil
	}
	if root, err = torture.Root(); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), baseBound)
	defer cancel()
	if err := os.MkdirAll(image.CacheDir(), 0o755); err != nil {
		return 1, err
	}
	made, err := image.MakeBase(ctx, image.CacheDir(), "openjdk-17-jre-headless", "bash")
	if err != nil {
		return 1, err
	}
	if cluster, err = kube.StartDual(context.Background()); err != nil {
		return 1, err
	}
	defer func() {
		if cerr := cluster.Close(); err == nil {
			err = cerr
		}
	}()
	ref, err := name.NewTag(cluster.Registry + "/base/java:debian")
	if err != nil {
		return 1, err
	}
	if err := remote.Write(ref, made, remote.WithContext(ctx)); err != nil {
		return 1, err
	}
	base = ref.String()
	dir, err := os.MkdirTemp("", "kube-spark")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := torture.ShortSettle(dir, "plugins/spark"); err != nil {
		return 1, err
	}
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		return 1, err
	}
	return torture.Main(m, "plugins/spark"), nil
}

// needed skips where there is no cluster, and fails under CI.
func needed(t *testing.T) {
	t.Helper()
	if lacks == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must run this:", lacks)
	}
	t.Skip("SKIPPED, nothing of this was tested:", lacks)
}

// shims puts the shim where an installation has it.
func shims(t *testing.T) {
	dir := filepath.Join(filepath.Dir(torture.Stephost()), "shim")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, image.BuildShim(dir))
}
