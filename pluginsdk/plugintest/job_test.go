package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever checks a flavor that runs images without a backend has none to name.
func TestImageOfAStep(t *testing.T) {
	for given, want := range map[string]string{"": noImage, "python:3.12-slim": "python:3.12-slim"} {
		s := &suite{dir: t.TempDir(), c: Config{Image: given}, m: &manifest{environments: []string{"image"}}}
		j, err := s.newJob(scriptTrue)
		require.NoError(t, err)
		assert.Equal(t, want, j.step.GetEnvironment().GetImage().GetReference())
	}
}
