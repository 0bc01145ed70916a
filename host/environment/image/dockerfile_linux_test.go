package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/problem"
)

// TestDockerfile runs a stand-in for a tool, which writes down how it was called. The
// real ones, which need rights that not every machine gives, run in test/image.
func TestDockerfile(t *testing.T) {
	w := newWorld(t)
	bin, called := t.TempDir(), filepath.Join(w.dir, "called")
	t.Setenv("PATH", bin)
	w.request.Dockerfile, w.request.BaseImage = w.file("Dockerfile", "FROM scratch\n"), ""
	_, err := w.build()
	assert.ErrorContains(t, err, "none of docker, buildah, buildctl is on PATH")

	script := "#!/bin/sh\nfor a; do printf '%s|' \"$a\"; done >> " + called + "; echo >> " + called + "\n"
	for tool, want := range map[string][]string{
		"buildctl": {"build|--frontend|dockerfile.v0|--opt|platform=linux/amd64|--opt|filename=Dockerfile|", "type=image,name=IMAGE,push=true,registry.insecure=true|"},
		"buildah":  {"build|--layers|--platform|linux/amd64|-f|" + w.request.Dockerfile + "|-t|IMAGE|" + w.app + "|", "push|--tls-verify=false|IMAGE|docker://IMAGE|"},
		"docker":   {"build|--platform|linux/amd64|-f|" + w.request.Dockerfile + "|-t|IMAGE|" + w.app + "|", "push|IMAGE|"},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, tool), []byte(script), 0o755))
		c := newConnector(&w.request)
		image, err := w.request.fromDockerfile(t.Context(), c, w.request.sayer())
		c.close()
		require.NoError(t, err)
		assert.Contains(t, image, w.s.host+"/ml:stephost-dockerfile-")
		text, err := os.ReadFile(called)
		require.NoError(t, err)
		for _, line := range want {
			assert.Contains(t, string(text), strings.ReplaceAll(line, "IMAGE", image))
		}
		require.NoError(t, os.Remove(called))
		require.NoError(t, os.Remove(filepath.Join(bin, tool)))
	}

	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\necho the daemon is not there >&2\nexit 3\n"), 0o755))
	_, err = w.build()
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	assert.Contains(t, p.Error(), "docker build failed (exit status 3)")
	assert.Contains(t, p.Detail, "the daemon is not there")

	w.request.Dockerfile = filepath.Join(w.app, "none")
	_, err = w.build()
	assert.ErrorContains(t, err, "no such Dockerfile")
}
