package launch

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
)

// TestTimerOfAReplacedOwner: a timer that is due in an owner that was replaced cancels
// nothing. Its intent goes through the fence, together with the cancel that it explains.
func TestTimerOfAReplacedOwner(t *testing.T) {
	dir := t.TempDir()
	store, err := runs.Open(t.Context(), dir, runs.Options{Owners: filepath.Join(dir, "owners")})
	require.NoError(t, err)
	defer func() { assert.NoError(t, store.Close()) }()
	owners := make([]*runs.Owner, 2)
	for i := range owners {
		owners[i], err = runs.NewOwner(t.Context(), filepath.Join(dir, "owners"))
		require.NoError(t, err)
		defer func() { assert.NoError(t, owners[i].Close()) }()
	}
	claim, r, err := store.CreateClaimed(t.Context(), runs.NewRun{}, owners[0])
	require.NoError(t, err)
	s := New(Options{Store: store, Owner: owners[0]})
	d := &drive{s: s, id: r.ID, poked: make(chan struct{}, 1)}
	d.claim = &record{Claim: claim, d: d}
	f := &follower{d: d, timers: &timers{limits: project.Timeouts{Run: time.Second}, phase: phaseRunning, startedAt: time.Now().Add(-time.Minute)}}

	_, err = store.Claim(t.Context(), r.ID, owners[1], runs.ClaimOptions{TakeOver: true})
	require.NoError(t, err)
	var fenced *runs.FencedError
	require.ErrorAs(t, f.deadlines(t.Context(), time.Now()), &fenced)
	assert.Nil(t, f.cancel, "the job is the new owner's")
	r, err = store.Run(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Nil(t, r.Intent)
}
