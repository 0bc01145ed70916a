//go:build linux

package image

import (
	"cmp"
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
	"github.com/stephost/stephost/host/problem"
)

// TestDockerfile builds the base from a Dockerfile with each of the real tools, puts the
// step on it, and runs the result.
func TestDockerfile(t *testing.T) {
	need(t, "dockerd", "docker", "buildah")
	w := newWorld(t)
	w.write("requirements.txt", "idna\n")
	w.write("Dockerfile", fmt.Sprintf("FROM %s\nRUN echo built by hand > /made\nENV MADE=yes\n", w.request.BaseImage))
	w.write("train.py", "import os, idna\nprint(open('/made').read().strip(), os.environ['MADE'], idna.__version__[0])\n")
	w.request.BaseImage, w.request.Dockerfile = "", filepath.Join(w.request.Dir, "Dockerfile")
	for name, start := range map[string]func(*testing.T, *world) tool{"docker": withDocker, "buildah": withBuildah, "buildctl": withBuildctl} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.request.RegistryPush = w.r.Host + "/by/" + name
			tool := start(t, w)
			const secret = "of-the-environment-90fe"
			w.request.Environ = append(os.Environ(), append(tool.env, "API_TOKEN="+secret, "STEPHOST_REGISTRY_PASSWORD="+secret)...)
			prepare := func() (*environment.Image, error) {
				path := os.Getenv("PATH")
				defer os.Setenv("PATH", path)
				os.Setenv("PATH", cmp.Or(tool.path, path))
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				return environment.PrepareImage(ctx, w.request)
			}
			img, err := prepare()
			require.NoError(t, err, "%v", w.said)
			assert.Contains(t, w.said, name+" build", "another is installed, too")
			ran := w.run(w.unpack(img.Pushed), "python3", "train.py")
			assert.Equal(t, Ran{Output: "built by hand yes 3\n"}, *ran)

			w.lacks(img.Pushed, secret)

			// The tool has its cache: the same base, hence the same image.
			again, err := prepare()
			require.NoError(t, err)
			assert.Equal(t, img.Pushed, again.Pushed)

			// What fails in the Dockerfile is told in the tool's words.
			w.request.Dockerfile = filepath.Join(t.TempDir(), "Broken")
			require.NoError(t, os.WriteFile(w.request.Dockerfile, []byte("FROM scratch\nCOPY this-file-is-missing /\n"), 0o644))
			_, err = prepare()
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			assert.Equal(t, problem.User, p.Class)
			assert.Contains(t, p.Summary, name+" build failed")
			assert.Contains(t, p.Detail, "this-file-is-missing")
			assert.Contains(t, p.Next, name+" build ")
		})
	}
}

// tool is how one of the tools is found.
type tool struct {
	env  []string
	path string // where programs are looked for; empty = where they always are
}

func withDocker(t *testing.T, _ *world) tool {
	dir, err := os.MkdirTemp("", "sd") // a short name, for a socket
	require.NoError(t, err)
	d, err := StartDockerd(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	return tool{env: d.Env}
}

// withBuildah lets buildah run its commands in a chroot: containers of their own
// need more than the build machines allow. That the registry speaks plain HTTP is
// what its own configuration says.
func withBuildah(t *testing.T, w *world) tool {
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
	return tool{env: env}
}

// withBuildctl lets the client of a daemon of its own be found, and the other tools not:
// they come first.
func withBuildctl(t *testing.T, w *world) tool {
	dir, err := os.MkdirTemp("", "sb") // a short name, for a socket
	require.NoError(t, err)
	d, err := StartBuildkitd(t.Context(), dir, w.r.Host)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.Log())
		}
		assert.NoError(t, d.Close())
	})
	bin := t.TempDir()
	require.NoError(t, os.Symlink(d.Buildctl, filepath.Join(bin, "buildctl")))
	return tool{env: d.Env, path: bin}
}
