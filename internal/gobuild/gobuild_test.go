package gobuild

import (
	"debug/buildinfo"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The smallest program of the repository.
const small = "github.com/stephost/stephost/cmd/stephost-init"

// TestBuild: whatever the tests themselves are built with, programs are built as they
// are shipped.
func TestBuild(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1")
	t.Setenv("GOFLAGS", "-tags=other")
	for name, c := range map[string]struct {
		program   Program
		cgo, tags string
	}{
		"as shipped": {Program{}, "0", "grpcnotrace"},
		"a tag":      {Program{Tags: []string{"front"}}, "0", "grpcnotrace,front"},
		"a variable": {Program{Env: []string{"CGO_ENABLED=1"}}, "1", "grpcnotrace"},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.program
			p.Pkg, p.Out = small, filepath.Join(t.TempDir(), "out")
			require.NoError(t, Build(t.Context(), p))
			info, err := buildinfo.ReadFile(p.Out)
			require.NoError(t, err)
			got := map[string]string{}
			for _, s := range info.Settings {
				got[s.Key] = s.Value
			}
			assert.Equal(t, c.cgo, got["CGO_ENABLED"])
			assert.Equal(t, c.tags, got["-tags"])
			assert.Equal(t, "true", got["-trimpath"])
		})
	}
}

func TestBuildFails(t *testing.T) {
	err := Build(t.Context(), Program{Pkg: "./nowhere", Out: filepath.Join(t.TempDir(), "out")})
	assert.ErrorContains(t, err, "go build ./nowhere: exit status")
	assert.ErrorContains(t, err, "nowhere: directory not found")
}
