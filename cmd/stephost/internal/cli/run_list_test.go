//go:build !front

package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A list that leaves runs out says so.
func TestRunListLeavesOut(t *testing.T) {
	w := newWorld(t)
	assert.Contains(t, w.run("run", "list").err, "There are no runs here.")
	w.closedRun(t)
	w.closedRun(t)
	for _, tc := range []struct {
		args  []string
		lines int
		says  string
	}{
		{[]string{"--limit=1"}, 2, "There are older ones: see them with --all"},
		{[]string{"--limit=2"}, 3, ""},
		{[]string{"--limit=1", "--all"}, 3, ""},
		{[]string{"--operator=nope"}, 0, "There are no such runs here."},
		{[]string{"--step=nope"}, 0, "There are no such runs here."},
		{[]string{"--open"}, 0, "There are no such runs here."},
	} {
		r := w.run(append([]string{"run", "list"}, tc.args...)...)
		require.Zero(t, r.code, r.err)
		assert.Equal(t, tc.lines, strings.Count(r.out, "\n"), "%v: %s", tc.args, r.out)
		if tc.says == "" {
			assert.Empty(t, r.err, "%v", tc.args)
		}
		assert.Contains(t, r.err, tc.says, "%v", tc.args)
	}
}

func TestLogsOfNoAttempt(t *testing.T) {
	w := newWorld(t)
	id := w.closedRun(t)
	for _, attempt := range []string{"-1", "2"} {
		for _, more := range [][]string{nil, {"--follow"}} {
			r := w.run(append([]string{"run", "logs", id, "--attempt=" + attempt}, more...)...)
			assert.Equal(t, 125, r.code)
			assert.Contains(t, r.err, "there is no attempt "+attempt)
			assert.Contains(t, r.err, "Next: write a number from 1 to 1")
		}
	}
}
