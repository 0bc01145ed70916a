package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flood is a step that prints numbered lines of 100 bytes as fast as it can.
func flood(lines int) []string {
	pad := strings.Repeat("x", 90)
	return []string{"--", "awk", fmt.Sprintf(`BEGIN { for (i = 1; i <= %d; i++) printf "%%08d %s\n", i }`, lines, pad)}
}

// TestLogFlood: 5 MB at full speed arrive complete and in order.
func TestLogFlood(t *testing.T) {
	const lines = 50_000
	begin := time.Now()
	e := newLab(t).launch(flood(lines)...)
	require.Equal(t, 0, e.code, e.stderr)
	t.Logf("%d bytes in %s", len(e.stdout), time.Since(begin))
	missing := checkFlood(t, e.stdout, lines)
	assert.Zero(t, missing)
	assert.NotContains(t, strings.ToLower(e.stderr), "gap")
}

// TestLogBeyondRotation: 50 MB are more than the kubelet keeps in one file, and
// with its own words in front of each line more than it keeps at all. What is
// lost is marked; nothing is silently short.
func TestLogBeyondRotation(t *testing.T) {
	const lines = 500_000
	l := newLab(t)
	begin := time.Now()
	e := l.launch(flood(lines)...)
	require.Equal(t, 0, e.code, e.stderr)
	missing := checkFlood(t, e.stdout, lines)
	t.Logf("%d bytes in %s, %d lines missing", len(e.stdout), time.Since(begin), missing)
	if missing > 0 {
		assert.Contains(t, strings.ToLower(e.stderr), "gap (", "lost lines are marked, proven or possible")
	}
}

// checkFlood: ascending lines, none twice. It returns how many are not there whole:
// where the node has lost a part of the log, the line at its edge is torn.
func checkFlood(t *testing.T, stdout string, lines int) (missing int) {
	last, seen := 0, 0
	for line := range strings.Lines(stdout) {
		var n int
		if _, err := fmt.Sscanf(line, "%08d", &n); err != nil || len(line) != 100 {
			t.Logf("torn behind %d: %q", last, line)
			continue
		}
		require.Greater(t, n, last, "out of order or twice")
		last, seen = n, seen+1
	}
	return lines - seen
}
