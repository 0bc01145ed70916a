package version_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/version"
)

func TestVersionIsTheFile(t *testing.T) {
	file, err := os.ReadFile("../../VERSION")
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(file)), version.Version)
}
