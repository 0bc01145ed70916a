package e2e

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/pyenv"
	"github.com/stephost/stephost/test/image"
	"github.com/stephost/stephost/test/torture"
)

// baseBound is for the download of a base image's packages.
const baseBound = 5 * time.Minute

// TestDigits: the example of the repository, as it is, in an image that stephost
// builds without a daemon and pushes to the registry that the node pulls from.
func TestDigits(t *testing.T) {
	l := newLab(t)
	if err := image.Missing(); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "%v", err)
		t.Skip("SKIPPED, nothing of this was tested:", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), baseBound)
	defer cancel()
	require.NoError(t, os.MkdirAll(image.CacheDir(), 0o755))
	base, err := image.MakeBase(ctx, image.CacheDir())
	require.NoError(t, err)
	ref, err := name.NewTag(l.c.Registry + "/base/python:debian")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base, remote.WithContext(ctx)))
	shims := filepath.Join(filepath.Dir(torture.Stephost()), "shim") // where an installation has it
	require.NoError(t, os.MkdirAll(shims, 0o755))
	require.NoError(t, image.BuildShim(shims))

	root, err := torture.Root()
	require.NoError(t, err)
	digits := filepath.Join(root, "examples", "digits")
	l.must("operator", "register", "python", "--flavor=kubernetes", "--kubeconfig="+l.c.Kubeconfig, "--namespace="+l.namespace,
		"--base-image="+ref.String(), "--registry="+l.c.Registry+"/steps", "--platform=linux/"+runtime.GOARCH)
	// The example's requirements come from the package index of this machine.
	l.env = append(l.env, pyenv.IndexEnviron()...)
	p := l.start("--operator", "python", "--requirements-file", filepath.Join(digits, "requirements.txt"), "--source", digits,
		"--", "python3", "train.py", "--epochs", "20")
	e := p.wait()
	require.Equal(t, 0, e.code, e.stderr)
	assert.Contains(t, e.stdout, "accuracy on the held-out part: 0.9")
	assert.True(t, strings.HasPrefix(string(e.Values["accuracy"]), "0.9"), "%s", e.Values["accuracy"])
	assert.Contains(t, l.kubectl("get", "jobs", "-o", "jsonpath={.items[0].spec.template.spec.containers[0].image}"), l.c.Registry+"/steps")
}
