//go:build linux && long

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLogAcrossRotation: a slow writer whose log is rotated several times while
// it is followed loses nothing. The kubelet looks at the size of logs each 10 s, so
// that this takes minutes: it is part of `make torture`, by the tag long.
func TestLogAcrossRotation(t *testing.T) {
	const lines = 400_000
	script := fmt.Sprintf(`BEGIN { for (i = 1; i <= %d; i++) { printf "%%08d %s\n", i; if (i %% 10000 == 0) system("sleep 1") } }`, lines, strings.Repeat("x", 90))
	e := newLab(t).launch("--", "awk", script)
	require.Equal(t, 0, e.code, e.stderr)
	assert.Zero(t, checkFlood(t, e.stdout, lines))
}
