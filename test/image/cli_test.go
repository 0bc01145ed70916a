//go:build linux

package image

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/test/internal/prebuilt"
)

// cliOnce builds stephost as it is shipped, with the shim beside it, and a flavor that
// takes images and writes them down.
var cliOnce = sync.OnceValues(func() (string, error) {
	dir, err := sharedDir("cli")
	if err != nil {
		return "", err
	}
	root, err := prebuilt.Repository()
	if err != nil {
		return "", err
	}
	for to, pkg := range map[string]string{"stephost": "./cmd/stephost", "plugins/stephost-flavor-shelf": "./host/testdata/imageflavor"} {
		if err := gobuild.Build(context.Background(), gobuild.Program{Dir: root, Pkg: pkg, Out: filepath.Join(dir, to)}); err != nil {
			return "", err
		}
	}
	manifest, err := os.ReadFile(filepath.Join(root, "host", "testdata", "imageflavor", "flavor.hcl"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "plugins", "stephost-flavor-shelf.flavor.hcl"), manifest, 0o600); err != nil {
		return "", err
	}
	if err := os.Mkdir(filepath.Join(dir, "shim"), 0o755); err != nil {
		return "", err
	}
	return dir, BuildShim(filepath.Join(dir, "shim"))
})

// cli is stephost as a person has it: its command, a home, a project.
type cli struct {
	t         testing.TB
	w         *world
	dir, home string
	env       []string
}

// cliBound is for one command on a machine under load.
const cliBound = 5 * time.Minute

func newCLI(t testing.TB, w *world) *cli {
	t.Helper()
	dir, err := cliOnce()
	require.NoError(t, err)
	c := &cli{t: t, w: w, dir: dir, home: filepath.Join(w.dir, "home")}
	c.env = append(os.Environ(), "STEPHOST_HOME="+c.home, "DOCKER_CONFIG="+filepath.Join(w.dir, "no-docker"))
	c.must("operator", "register", "shelf", "--flavor=shelf", "--dir="+filepath.Join(w.dir, "shelf"))
	return c
}

func (c *cli) command(argv ...string) (*exec.Cmd, *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(context.Background(), cliBound)
	c.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(c.dir, "stephost"), argv...)
	cmd.Dir, cmd.Env = c.w.request.Dir, c.env
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr
}

func (c *cli) must(argv ...string) string {
	c.t.Helper()
	cmd, stderr := c.command(argv...)
	out, err := cmd.Output()
	require.NoError(c.t, err, "%v: %s%s", argv, out, stderr)
	return string(out)
}

// build is `stephost build` of what the world's request says.
func (c *cli) build(more ...string) (*exec.Cmd, *bytes.Buffer) {
	return c.command(append([]string{"build", "--operator", "shelf", "--base-image", c.w.request.BaseImage, "--registry", c.w.request.RegistryPush,
		"--source", ".", "--requirements-file", "requirements.txt"}, more...)...)
}

// cache is where the home has what environments share.
func (c *cli) cache() string { return filepath.Join(c.home, "cache") }
