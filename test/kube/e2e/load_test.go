package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/kube"
	"github.com/stephost/stephost/test/torture"
)

const (
	// burstSteps end at about the same time.
	burstSteps = 6
	// burstLines are short, because the container runtime stores lines one by one,
	// and more than a pipe and a FIFO hold: it is far behind when the step ends.
	burstLines = 50_000
	// busy are the processes that take the node's processors in the long form.
	busy = 12
)

// load keeps the processors busy until the test ends.
func load(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range busy {
		cmd := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		require.NoError(t, cmd.Start())
		all.Go(func() { _ = cmd.Wait() })
	}
	t.Cleanup(func() { cancel(); all.Wait() })
}

// TestLogEndsInABurst: steps that end in a burst of output. Every log is complete,
// or its end is marked: also where the node itself, with a runtime that drops what
// it has not read in time, has not the whole log. In the long form the machine has
// no time for any of that.
func TestLogEndsInABurst(t *testing.T) {
	cluster(t)
	if !torture.Long() {
		t.Parallel()
	}
	for _, tc := range []struct {
		name string
		node func(testing.TB) *kube.Cluster
		old  bool
	}{
		{"on a runtime that keeps it", kube.Node, false},
		{"on a runtime that may drop it", kube.OldNode, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLabOn(t, tc.node(t)) // its own: others would notice the load
			if torture.Long() {
				load(t)
			}
			begin := time.Now()
			launches := make([]*launch, burstSteps)
			for i := range launches {
				launches[i] = l.start("--", "awk", fmt.Sprintf(`BEGIN { for (i = 1; i <= %d; i++) print i }`, burstLines))
			}
			short := 0
			for i, p := range launches {
				e := p.wait()
				require.Equal(t, 0, e.code, e.stderr)
				marked := strings.Contains(e.stderr, "gap (possible)")
				if !isBurst(t, e.stdout) {
					short++
					assert.True(t, marked, "the log of step %d is silently short:\n%s", i, e.stderr)
				}
				assert.True(t, marked || !tc.old, "with this runtime nobody can tell:\n%s", e.stderr)
				assert.False(t, marked && !tc.old && !torture.Long(), "nothing was missing:\n%s", e.stderr)
			}
			stored := onDisk(t, l)
			t.Logf("%d of %d logs are short after %s; lines on the node's disk: %v", short, burstSteps, time.Since(begin), stored)
			if !tc.old {
				for _, n := range stored {
					assert.Equal(t, burstLines, n, "a sound runtime stores everything")
				}
			}
		})
	}
}

// isBurst tells whether the log is whole. What there is must be its beginning.
func isBurst(t *testing.T, stdout string) bool {
	n := 0
	for line := range strings.Lines(stdout) {
		n++
		whole := fmt.Sprintf("%d\n", n)
		if line == whole {
			continue
		}
		// A runtime that drops an end may do it inside of a line.
		require.True(t, strings.HasPrefix(whole, strings.TrimSuffix(line, "\n")), "line %d is %q", n, line)
		return false
	}
	return n == burstLines
}

// onDisk counts the lines that the node has of each step.
func onDisk(t *testing.T, l *lab) (lines []int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.c.Dir, "log", "pods", l.namespace+"_*", "step", "0.log"))
	require.NoError(t, err)
	require.Len(t, files, burstSteps)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		lines = append(lines, strings.Count(string(data), "\n"))
	}
	return lines
}
