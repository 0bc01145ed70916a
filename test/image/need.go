package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/stephost/stephost/internal/gobuild"
)

// Missing says what this machine lacks for the tests, nil when it lacks nothing.
func Missing(tools ...string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("images are made and run on Linux")
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("root is needed")
	}
	for _, tool := range append([]string{"apt-get", "dpkg-deb", "docker-registry", "runc"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (install the packages in test/image/packages.txt)", err)
		}
	}
	return nil
}

// CacheDir is where base images are kept between runs of the tests.
func CacheDir() string {
	if dir := os.Getenv("STEPHOST_TEST_CACHE"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), "stephost-test-images")
}

// BuildShim builds the shim into dir, where ShimDir finds it. It is called in the
// directory of a package of this module.
func BuildShim(dir string) error {
	return gobuild.Build(context.Background(), gobuild.Program{
		Pkg: "github.com/stephost/stephost/cmd/stephost-init", Out: filepath.Join(dir, "stephost-init-linux-"+runtime.GOARCH),
		LD: "-buildid=", Env: []string{"GOOS=linux"}, Flags: []string{"-buildvcs=false"}})
}
