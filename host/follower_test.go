package host

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs"
)

// TestFollowerAfterAFailure: what passes is tried again after a pause, and keeps the
// follower for a while; what a person must mend is left alone, until somebody has had
// the run since.
func TestFollowerAfterAFailure(t *testing.T) {
	handed := &runs.Run{ID: "A", Detached: true, Fence: 3}
	for _, tc := range []struct {
		name        string
		err         error
		busy, again bool
	}{
		{"over", nil, false, true},
		{"somebody else's", &runs.OwnedError{}, false, true},
		{"the disk was full", &runs.DiskError{Err: errors.New("database or disk is full (13)")}, true, false},
		{"a secret is missing", &launch.BlockedError{Run: handed}, false, false},
		{"unknown", &launch.UnknownError{Run: handed}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &follower{h: New(Options{Home: home.At(t.TempDir())}), active: map[string]bool{}, failed: map[string]*failure{}}
			now := time.Now()
			require.Equal(t, []string{"A"}, f.due([]*runs.Run{handed}, now))
			assert.Empty(t, f.due([]*runs.Run{handed}, now), "it is being driven")
			f.ended("A", now, handed, tc.err)
			assert.Equal(t, tc.busy, f.busy(now) > 0)
			assert.Equal(t, tc.again, len(f.due([]*runs.Run{handed}, now)) > 0, "no pause")
			f.active = map[string]bool{}

			// The store took not even the release: the run is in no list.
			assert.Equal(t, tc.busy, len(f.due(nil, now.Add(followAgainMost))) > 0, "behind the pause")
			f.active = map[string]bool{}
			assert.Zero(t, f.busy(now.Add(2*followPatience)), "nobody waits for ever")

			since := *handed
			since.Fence += 2
			assert.Equal(t, []string{"A"}, f.due([]*runs.Run{&since}, now), "handed over again")
		})
	}
}

// TestStartFollower: of several that leave their runs at once, one starts it.
func TestStartFollower(t *testing.T) {
	h := New(Options{Home: home.At(t.TempDir())})
	require.NoError(t, h.Home().Make(h.Home().Owners()))
	started := 0
	follower := flock.New(h.followerLock())
	start := func() error {
		started++
		// Another command comes while it starts.
		require.NoError(t, h.StartFollower(context.Background(), func() error { started++; return nil }))
		got, err := follower.TryLock()
		assert.True(t, got)
		return err
	}
	require.NoError(t, h.StartFollower(context.Background(), start))
	assert.Equal(t, 1, started)
	require.NoError(t, h.StartFollower(context.Background(), start))
	assert.Equal(t, 1, started, "it lives")
	require.NoError(t, follower.Close())
	failed := errors.New("no such program")
	assert.ErrorIs(t, h.StartFollower(context.Background(), func() error { return failed }), failed)
}
