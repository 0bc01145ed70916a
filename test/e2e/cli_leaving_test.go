//go:build unix

package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// owner is the process that drives the only run, 0 without one.
func (l *lab) owner() int {
	l.t.Helper()
	var doc struct {
		Items []struct{ Owner struct{ PID int } }
	}
	require.NoError(l.t, json.Unmarshal([]byte(l.must("run", "list", "--output", "json")), &doc))
	require.Len(l.t, doc.Items, 1)
	return doc.Items[0].Owner.PID
}

// The follower dies, and a command that goes on with its run is left: the run goes to
// the next follower, and so does a cancel.
func TestLeavingHandsOver(t *testing.T) {
	t.Parallel()
	for verb, class := range map[string]string{"wait": "succeeded", "recover": "succeeded", "cancel": "cancelled"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			s := l.step(`trap "" TERM; for i in 1 2 3 4 5 6; do sleep 1; done`)
			id := strings.TrimSpace(l.must(s.launch("--detach")...))
			s.started()
			dead := l.owner()
			require.NoError(t, syscall.Kill(dead, syscall.SIGKILL))
			p := l.start("run", verb, id)
			word := "running"
			if verb == "cancel" {
				word = "cancelling"
			}
			p.sees(word)
			p.signal(syscall.SIGINT)
			assert.Equal(t, 130, p.wait(), p.err)
			assert.Contains(t, p.err.String(), "in the background")
			assert.NotContains(t, p.err.String(), "without this viewer")
			// Nobody helps: the record is looked at, and no more.
			require.Eventually(t, func() bool { return l.only().State == "closed" }, hang, 200*time.Millisecond)
			assert.Equal(t, class, l.only().Verdict.Class)
			assert.Len(t, s.pids(), 1)
		})
	}
}
