package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/torture"
)

// TestLogAcrossRotation: a slow writer whose log is rotated several times while
// it is followed loses nothing. The kubelet looks at the size of logs each 10 s, and
// ten thousand lines are written each second: 250,000 see two rotations.
//
// A node that stands still from one rotation to the next loses a file, and no reader
// can help it. That loss is marked, always; and one such node is not blamed on
// stephost: the step runs anew, a few times.
func TestLogAcrossRotation(t *testing.T) {
	lines := 250_000
	if torture.Long() {
		lines = 500_000
	}
	const attempts = 3
	script := fmt.Sprintf(`BEGIN { for (i = 1; i <= %d; i++) { printf "%%08d %s\n", i; if (i %% 10000 == 0) system("sleep 1") } }`, lines, strings.Repeat("x", 90))
	l := newLab(t)
	for attempt := range attempts {
		e := l.launch("--", "awk", script)
		require.Equal(t, 0, e.code, e.stderr)
		missing := checkFlood(t, e.stdout, lines)
		if missing == 0 {
			break
		}
		require.Contains(t, strings.ToLower(e.stderr), "gap (", "%d lines are missing, and nothing says so", missing)
		t.Logf("attempt %d: the node lost %d lines:\n%s", attempt, missing, e.stderr)
		require.Less(t, attempt+1, attempts, "it loses lines each time")
	}
	files, err := filepath.Glob(filepath.Join(l.c.Dir, "log", "pods", l.namespace+"_*", "step", "0.log*"))
	require.NoError(t, err)
	assert.Greater(t, len(files), 1, "the log was not rotated")
}
