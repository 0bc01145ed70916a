//go:build !front

package cli_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
)

// logged is a run with a log of one line, in the hands of this process.
type logged struct {
	store *runs.Store
	claim *runs.Claim
	log   *spool.Writer
}

func (w *world) logged() *logged {
	w.t.Helper()
	dir := filepath.Join(w.home, "runs")
	require.NoError(w.t, os.MkdirAll(dir, 0o700))
	store, err := runs.Open(w.t.Context(), dir, runs.Options{})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, store.Close()) })
	owner, err := runs.NewOwner(w.t.Context(), filepath.Join(w.home, "owners"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, owner.Close()) })
	claim, r, err := store.CreateClaimed(w.t.Context(), runs.NewRun{Operator: "here", Step: "train"}, owner)
	require.NoError(w.t, err)
	log, err := spool.OpenWriter(store.LogDir(r.ID), spool.Options{Fence: claim.Fence()})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, log.Close()) })
	require.NoError(w.t, log.Append(spool.Source{Attempt: 1, Stream: "stdout"}, []spool.Entry{{Data: []byte("precious\n")}}))
	return &logged{store: store, claim: claim, log: log}
}

func (l *logged) id() string { return l.claim.Run().ID }

// to moves the run on.
func (l *logged) to(t testing.TB, reason string, states ...runs.State) {
	t.Helper()
	for _, s := range states {
		require.NoError(t, l.claim.Update(t.Context(), runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
			if r.State, r.StateReason = s, reason; s == runs.Ended {
				r.Verdict = &runs.Verdict{Class: runs.ClassSucceeded, Phase: "succeeded"}
			}
			return nil, nil
		}))
	}
}

// Whoever follows a log is told when no more of it comes.
func TestFollowedLogEnds(t *testing.T) {
	closed := []runs.State{runs.Preparing, runs.Ended, runs.Drained, runs.Cleaned, runs.Closed}
	for _, tc := range []struct {
		name string
		// then happens while the log is followed.
		then func(t testing.TB, l *logged)
		code int
		errs []string
	}{
		{"finished", func(t testing.TB, l *logged) { require.NoError(t, l.log.Finish()) }, 0, nil},
		{"closed, and finished", func(t testing.TB, l *logged) {
			require.NoError(t, l.log.Finish())
			l.to(t, "", closed...)
		}, 0, nil},
		{"closed without an end mark", func(t testing.TB, l *logged) { l.to(t, "", closed...) }, 0,
			[]string{"-- gap (possible): the log ends without its end mark --"}},
		{"deleted", func(t testing.TB, l *logged) {
			l.to(t, "", closed...)
			require.NoError(t, l.store.Delete(t.Context(), l.id()))
		}, 125, []string{"the run was deleted while its log was read", "Next:"}},
		{"over, and given up", func(t testing.TB, l *logged) {
			l.to(t, "the log waits for room: disk full", closed[:2]...)
			require.NoError(t, l.claim.Release(t.Context()))
		}, 125, []string{"Note: nobody drives run", "the log of the run is not complete", "the log waits for room: disk full", "run recover"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			l := w.logged()
			ended := make(chan result)
			go func() { ended <- w.run("run", "logs", "--follow", l.id()) }()
			time.Sleep(100 * time.Millisecond) // it may as well begin later
			tc.then(t, l)
			const hang = time.Minute
			select {
			case r := <-ended:
				assert.Equal(t, tc.code, r.code, r.err)
				if tc.name != "deleted" { // the removal may be faster than the reader
					assert.Equal(t, "precious\n", r.out)
				}
				for _, text := range tc.errs {
					assert.Contains(t, r.err, text)
				}
				if tc.errs == nil {
					assert.Empty(t, r.err)
				}
			case <-time.After(hang):
				t.Fatal("it still waits")
			}
		})
	}
}

// Who only looks is told what a log lacks, too.
func TestUnfinishedLogSaysSo(t *testing.T) {
	w := newWorld(t)
	l := w.logged()
	r := w.run("run", "logs", l.id())
	assert.Equal(t, result{0, "precious\n", ""}, r, "of a run that goes on, it is what there is")
	l.to(t, "the log waits for room: disk full", runs.Preparing, runs.Ended)
	r = w.run("run", "logs", l.id())
	assert.Equal(t, "precious\n", r.out)
	assert.Contains(t, r.err, "is over, but the log waits for room: disk full; `stephost run recover "+l.id()+"` goes on")
	l.to(t, "", runs.Drained, runs.Cleaned, runs.Closed)
	for _, args := range [][]string{{"run", "logs"}, {"run", "logs", "--follow"}, {"run", "logs", "--tail", "1"}} {
		r = w.run(append(args, l.id())...)
		assert.Equal(t, result{0, "precious\n", "-- gap (possible): the log ends without its end mark --\n"}, r, args)
	}
	require.NoError(t, l.log.Finish())
	assert.Equal(t, result{0, "precious\n", ""}, w.run("run", "logs", "--tail", "1", l.id()))
}
