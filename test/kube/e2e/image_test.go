package e2e

import (
	"net/http"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

// strange pushes an image that no node has and returns its reference by digest.
func (l *lab) strange(repository string) (string, v1.Image) {
	l.t.Helper()
	noise, err := random.Image(1024, 1)
	require.NoError(l.t, err)
	config, err := noise.ConfigFile()
	require.NoError(l.t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	noise, err = mutate.ConfigFile(noise, config)
	require.NoError(l.t, err)
	tag, err := name.NewTag(l.c.Registry + "/" + repository + ":test")
	require.NoError(l.t, err)
	require.NoError(l.t, remote.Write(tag, noise))
	digest, err := noise.Digest()
	require.NoError(l.t, err)
	return tag.Digest(digest.String()).String(), noise
}

// broken pushes an image that can be found and not pulled: its layer is gone.
func (l *lab) broken(repository string) string {
	l.t.Helper()
	ref, noise := l.strange(repository)
	layers, err := noise.Layers()
	require.NoError(l.t, err)
	digest, err := layers[0].Digest()
	require.NoError(l.t, err)
	req, err := http.NewRequest(http.MethodDelete, "http://"+l.c.Registry+"/v2/"+repository+"/blobs/"+digest.String(), nil)
	require.NoError(l.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(l.t, err)
	require.NoError(l.t, resp.Body.Close())
	require.Equal(l.t, http.StatusAccepted, resp.StatusCode)
	return ref
}
