//go:build linux

package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment"
)

// TestDockerfile builds the base from a Dockerfile with the real tools, puts the
// step on it, and runs the result.
func TestDockerfile(t *testing.T) {
	need(t, "dockerd", "docker", "buildah")
	w := newWorld(t)
	w.write("requirements.txt", "idna\n")
	w.write("Dockerfile", fmt.Sprintf("FROM %s\nRUN echo built by hand > /made\nENV MADE=yes\n", w.request.BaseImage))
	w.write("train.py", "import os, idna\nprint(open('/made').read().strip(), os.environ['MADE'], idna.__version__[0])\n")
	w.request.BaseImage, w.request.Dockerfile = "", filepath.Join(w.request.Dir, "Dockerfile")
	env := os.Environ()
	for name, start := range map[string]func(*testing.T, *world) []string{"docker": withDocker, "buildah": withBuildah} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.request.RegistryPush = w.r.Host + "/by/" + name
			w.request.Environ = append(env, start(t, w)...)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			img, err := environment.PrepareImage(ctx, w.request)
			require.NoError(t, err, "%v", w.said)
			assert.Contains(t, w.said, name+" build", "docker is installed, too, but its daemon runs for itself alone")
			ran := w.run(w.unpack(img.Pushed), "python3", "train.py")
			assert.Equal(t, Ran{Output: "built by hand yes 3\n"}, *ran)

			// The tool has its cache: the same base, hence the same image.
			again, err := environment.PrepareImage(ctx, w.request)
			require.NoError(t, err)
			assert.Equal(t, img.Pushed, again.Pushed)
		})
	}
}

func withDocker(t *testing.T, _ *world) []string {
	dir, err := os.MkdirTemp("", "sd") // a short name, for a socket
	require.NoError(t, err)
	d, err := StartDockerd(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	return d.Env
}

// withBuildah lets buildah run its commands in a chroot: containers of their own
// need more than the build machines allow. That the registry speaks plain HTTP is
// what its own configuration says.
func withBuildah(t *testing.T, w *world) []string {
	dir := filepath.Join(w.dir, "buildah")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".config", "containers"), 0o755))
	for name, text := range map[string]string{
		"registries.conf":                fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n", w.r.Host),
		"storage.conf":                   fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "root"), filepath.Join(dir, "run")),
		".config/containers/policy.json": `{"default": [{"type": "insecureAcceptAnything"}]}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	t.Cleanup(func() { assert.NoError(t, RemoveMounted(dir)) })
	env := []string{"HOME=" + dir, "CONTAINERS_REGISTRIES_CONF=" + filepath.Join(dir, "registries.conf"),
		"CONTAINERS_STORAGE_CONF=" + filepath.Join(dir, "storage.conf"), "BUILDAH_ISOLATION=chroot", "DOCKER_HOST=unix://" + filepath.Join(dir, "none")}
	cmd := exec.CommandContext(t.Context(), "buildah", "version")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return env
}
