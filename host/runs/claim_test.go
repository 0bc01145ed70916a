package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFence(t *testing.T) {
	s := newStore(t)
	old := claimed(t, s, NewRun{})
	id := old.id
	second := newOwner(t, s)
	var owned *OwnedError
	_, err := s.Claim(t.Context(), id, second, ClaimOptions{})
	require.ErrorAs(t, err, &owned)
	assert.True(t, owned.Alive)
	assert.False(t, owned.Elsewhere)
	assert.Contains(t, owned.Error(), "alive")

	young, err := s.Claim(t.Context(), id[:20], second, ClaimOptions{TakeOver: true})
	require.NoError(t, err)
	assert.Equal(t, old.Fence()+1, young.Fence())
	var fenced *FencedError
	called := false
	err = old.Update(t.Context(), Durable, func(*Run) ([]Event, error) { called = true; return nil, nil })
	require.ErrorAs(t, err, &fenced)
	assert.False(t, called)
	assert.Equal(t, second.ID(), fenced.OwnerID)
	_, err = old.Refresh(t.Context())
	require.ErrorAs(t, err, &fenced)
	require.NoError(t, old.Release(t.Context()), "gives up nothing that is not its own")
	r, err := s.Run(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, second.ID(), r.OwnerID)
	require.NoError(t, to(t, young, Preparing))

	again, err := s.Claim(t.Context(), id, second, ClaimOptions{})
	require.NoError(t, err, "an owner may claim anew")
	require.ErrorAs(t, to(t, young, Prepared), &fenced)
	require.NoError(t, again.Release(t.Context()))
	require.ErrorAs(t, to(t, again, Prepared), &fenced)
	r, err = s.Run(t.Context(), id)
	require.NoError(t, err)
	assert.Empty(t, r.OwnerID)
	assert.Nil(t, r.Owner)
	third, err := s.Claim(t.Context(), id, newOwner(t, s), ClaimOptions{})
	require.NoError(t, err)
	assert.Equal(t, int64(4), third.Fence())

	events, err := s.Events(t.Context(), id, 0)
	require.NoError(t, err)
	var kinds []string
	for i, e := range events {
		assert.Equal(t, int64(i+1), e.Seq)
		kinds = append(kinds, e.Kind)
	}
	assert.Equal(t, []string{EventCreated, EventClaimed, EventState, EventClaimed, EventReleased, EventClaimed}, kinds)
	assert.Contains(t, events[1].Message, "taken over from process")
	later, err := s.Events(t.Context(), id, 4)
	require.NoError(t, err)
	assert.Equal(t, events[4:], later)
}

// Of 50 processes that claim a dead owner's run at once, one gets it.
func TestClaimRace(t *testing.T) {
	processes := 50
	if testing.Short() {
		processes = 12
	}
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	require.NoError(t, c.owner.Close())
	var all []*child
	for range processes {
		all = append(all, startChild(t, "claim", s.dir, c.id))
	}
	for _, c := range all {
		require.True(t, strings.HasPrefix(c.line(), "ready "))
	}
	for _, c := range all {
		_, err := fmt.Fprintln(c.in)
		require.NoError(t, err)
	}
	outcomes := map[string]int{}
	for _, c := range all {
		outcomes[c.line()]++
	}
	assert.Equal(t, map[string]int{"won 2": 1, "refused *runs.OwnedError": processes - 1}, outcomes)
}

// An owner that is killed: its run is ownerless, and can be claimed.
func TestDeadOwner(t *testing.T) {
	s := newStore(t)
	r, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	c := startChild(t, "claim", s.dir, r.ID)
	var id string
	_, err = fmt.Sscanf(c.line(), "ready %s", &id)
	require.NoError(t, err)
	_, err = fmt.Fprintln(c.in)
	require.NoError(t, err)
	require.Equal(t, "won 1", c.line())

	n, err := DeadOwners(s.owners)
	require.NoError(t, err)
	assert.Zero(t, n)
	list, err := s.Ownerless(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
	me := newOwner(t, s)
	var owned *OwnedError
	_, err = s.Claim(t.Context(), r.ID, me, ClaimOptions{})
	require.ErrorAs(t, err, &owned)
	assert.Equal(t, c.cmd.Process.Pid, owned.Owner.PID)
	assert.Equal(t, id, owned.Owner.ID)

	require.NoError(t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
	n, err = DeadOwners(s.owners)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	list, err = s.Ownerless(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, r.ID, list[0].ID)
	_, err = s.Claim(t.Context(), r.ID, me, ClaimOptions{})
	require.NoError(t, err)
	n, err = DeadOwners(s.owners)
	require.NoError(t, err)
	assert.Zero(t, n, "it has left nothing any more")
}

// Killed at random moments while it updates: what it was told is stored is
// there, with its event, and no half of anything.
func TestKilledOwners(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	s := newStore(t)
	r, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	acked := 0
	for range rounds {
		c := startChild(t, "update", s.dir, r.ID)
		stop := acked + 1 + rnd.IntN(200)
		for acked < stop {
			acked, err = strconv.Atoi(c.line())
			require.NoError(t, err)
		}
		require.NoError(t, c.cmd.Process.Kill())
		for line := c.line(); line != ""; line = c.line() {
			acked, err = strconv.Atoi(line)
			require.NoError(t, err)
		}
		_ = c.cmd.Wait()
		got, err := s.Run(t.Context(), r.ID)
		require.NoError(t, err)
		require.GreaterOrEqual(t, counter(got), acked)
		acked = counter(got)
		n := 0
		events, err := s.Events(t.Context(), r.ID, 0)
		require.NoError(t, err)
		for _, e := range events {
			if e.Kind == "count" {
				n++
				require.Equal(t, strconv.Itoa(n), e.Message)
			}
		}
		require.Equal(t, acked, n)
	}
}

func TestUpdateSeesTheIntent(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	other := openStore(t, s.dir, Options{})
	first, err := other.RequestCancel(t.Context(), c.id, Intent{Cause: CauseUser})
	require.NoError(t, err)
	assert.True(t, first)
	assert.Nil(t, c.Run().Intent, "the last copy is older")
	err = c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		require.NotNil(t, r.Intent)
		assert.Equal(t, CauseUser, r.Intent.Cause)
		assert.True(t, strings.HasPrefix(r.Intent.By, "user@"))
		assert.False(t, r.Intent.At.IsZero())
		return nil, errors.New("not now")
	})
	require.EqualError(t, err, "not now")

	first, err = other.RequestCancel(t.Context(), c.id, Intent{Cause: CauseTotal})
	require.NoError(t, err)
	assert.False(t, first)
	first, err = other.RequestCancel(t.Context(), c.id, Intent{Cause: CauseTotal, Force: true})
	require.NoError(t, err)
	assert.False(t, first)
	r, err := c.Refresh(t.Context())
	require.NoError(t, err)
	assert.Equal(t, CauseUser, r.Intent.Cause, "the first one explains")
	assert.True(t, r.Intent.Force)
	intents, err := s.Intents(t.Context(), c.owner.ID())
	require.NoError(t, err)
	assert.Equal(t, map[string]Intent{c.id: *r.Intent}, intents)
	none, err := s.Intents(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, none)

	require.NoError(t, to(t, c, Preparing, Prepared))
	var illegal *TransitionError
	require.ErrorAs(t, to(t, c, Submitting), &illegal, "never submitted once a cancel is wanted")
	require.NoError(t, to(t, c, Ended))
	var final *FinalError
	_, err = other.RequestCancel(t.Context(), c.id, Intent{Cause: CauseUser})
	require.ErrorAs(t, err, &final)
	var missing *NotFoundError
	_, err = other.RequestCancel(t.Context(), "NOPE", Intent{})
	require.ErrorAs(t, err, &missing)
}

func TestConcurrentUpdates(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				err := c.Update(context.Background(), Relaxed, func(r *Run) ([]Event, error) { return count(r, counter(r)+1), nil })
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	r, err := s.Run(t.Context(), c.id)
	require.NoError(t, err)
	assert.Equal(t, 200, counter(r))
}

func TestCopiesAreTheCallers(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{Labels: map[string]string{"a": "b"}})
	require.NoError(t, to(t, c, Preparing, Prepared))
	r := c.Run()
	r.Labels["a"] = "changed"
	r.Attempts[0].Phase = "changed"
	assert.Equal(t, "b", c.Run().Labels["a"])
	assert.Empty(t, c.Run().Attempts[0].Phase)
	err := c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		r.Labels["a"] = "changed"
		r.Attempts[0].Phase = "changed"
		return nil, errors.New("no")
	})
	require.Error(t, err)
	assert.Equal(t, "b", c.Run().Labels["a"])
	assert.Empty(t, c.Run().Attempts[0].Phase)
}

func TestStateEvents(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	require.NoError(t, c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		r.State, r.StateReason = Blocked, "needs secret HF_TOKEN"
		return nil, nil
	}))
	require.NoError(t, c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		r.State = Preparing
		return []Event{{Kind: EventState, Message: "my own words"}, {Kind: "x", Actor: "somebody", Data: json.RawMessage(`1`)}}, nil
	}))
	require.Error(t, c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		return []Event{{Kind: "bad", Data: json.RawMessage(`{`)}}, nil
	}))
	events, err := s.Events(t.Context(), c.id, 1)
	require.NoError(t, err)
	require.Len(t, events, 3)
	assert.Equal(t, "blocked: needs secret HF_TOKEN", events[0].Message)
	assert.JSONEq(t, `{"from":"created","to":"blocked"}`, string(events[0].Data))
	assert.Equal(t, c.owner.ID(), events[0].Actor)
	assert.Equal(t, "my own words", events[1].Message)
	assert.Equal(t, "somebody", events[2].Actor)
}
