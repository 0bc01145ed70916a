package host_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

// Neither a damaged file beside the log nor a store that is older than it keeps
// anybody from going on with a run, or from ending it.
func TestRecoverBesideADamagedLog(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, log string)
	}{
		{"the note of what was dropped is torn", func(t *testing.T, log string) {
			require.NoError(t, os.WriteFile(filepath.Join(log, "dropped.json"), []byte(`{"from":`), 0o600))
		}},
		{"an older store was restored", func(t *testing.T, log string) {
			newer, err := spool.OpenWriter(log, spool.Options{Fence: 7}) // of owners that the store does not know
			require.NoError(t, err)
			require.NoError(t, newer.Close())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "key")
			first := w.host()
			l, err := first.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(first, step(`["sh", "-c", "echo one; sleep 600"]`, ""))})
			require.NoError(t, err)
			store, err := first.Runs(w.ctx)
			require.NoError(t, err)
			leaving, leave := context.WithCancel(w.ctx)
			left := make(chan error)
			go func() {
				_, err := l.Wait(leaving)
				left <- err
			}()
			require.Eventually(t, func() bool { return w.log(l.Session, "stdout") == "one\n" }, hang, 20*time.Millisecond)
			leave()
			require.ErrorIs(t, <-left, context.Canceled)
			tc.damage(t, store.LogDir(l.ID()))

			s, err := w.host().Attach(w.ctx, l.ID(), host.SessionOptions{})
			require.NoError(t, err)
			require.NoError(t, s.Cancel(w.ctx, runs.CauseUser, "test", true))
			r, err := s.Wait(w.ctx)
			require.NoError(t, err)
			assert.Equal(t, "cancelled", r.Verdict.Class)
			assert.Equal(t, runs.Closed, r.State)
			assert.Equal(t, "one\n", w.log(s, "stdout"))
		})
	}
}
