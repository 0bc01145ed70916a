package image

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDescribe(t *testing.T) {
	w := newWorld(t)
	var p *Plan
	lines := w.s.since(func() {
		var err error
		p, err = Describe(t.Context(), w.request, false)
		require.NoError(t, err)
	})
	assert.Empty(t, lines, "offline nobody is asked")
	assert.Equal(t, w.request.BaseImage, p.Base)
	assert.Equal(t, DefaultPlatform, p.Platform)
	assert.Equal(t, 2, p.SourceFiles)
	assert.NotEmpty(t, p.Unknown)

	target := newServer(t)
	w.request.Push = target.host + "/ml"
	p, err := Describe(t.Context(), w.request, true)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(p.Base, w.s.host+"/base/py@sha256:"))
	assert.Equal(t, target.host+"/ml", p.Push)
	kinds := map[string]Layer{}
	for _, l := range p.Layers {
		kinds[l.Kind] = l
	}
	assert.Equal(t, Missing, kinds[Base].State)
	assert.Equal(t, kinds[Base].Size, p.BaseBytes)
	assert.Equal(t, Missing, kinds[Shim].State)
	assert.False(t, kinds[Source].Cached)
	assert.Greater(t, p.UploadBytes, p.BaseBytes)
	for _, line := range target.lines {
		assert.False(t, strings.HasPrefix(line, "P"), "a plan sends nothing: %s", line)
	}

	w.mustBuild()
	p, err = Describe(t.Context(), w.request, true)
	require.NoError(t, err)
	assert.Zero(t, p.UploadBytes)
	for _, l := range p.Layers {
		assert.Equal(t, Present, l.State, l.Kind)
		assert.True(t, l.Cached, l.Kind)
	}
}

func TestDescribeGiven(t *testing.T) {
	w := newWorld(t)
	w.request = Request{Image: w.request.BaseImage, CacheDir: t.TempDir(), Environ: []string{}}
	p, err := Describe(t.Context(), w.request, false)
	require.NoError(t, err)
	assert.Equal(t, w.request.Image, p.Image)
	p, err = Describe(t.Context(), w.request, true)
	require.NoError(t, err)
	assert.Contains(t, p.Image, "@sha256:")
	left, err := os.ReadDir(w.request.CacheDir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
