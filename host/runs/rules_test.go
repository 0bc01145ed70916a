package runs

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func allStates() []State {
	return []State{Created, Preparing, Prepared, Submitting, Submitted, Unknown, Blocked, Ended, Drained, Cleaned, Closed}
}

// The table of arrows, read the other way round: every arrow is legal or has a
// reason not to be.
func TestArrows(t *testing.T) {
	legal := map[State][]State{
		Created:    {Preparing, Blocked, Ended},
		Preparing:  {Prepared, Submitting, Submitted, Unknown, Blocked, Ended},
		Prepared:   {Preparing, Submitting, Blocked, Ended},
		Submitting: {Preparing, Submitted, Unknown, Blocked, Ended},
		Submitted:  {Preparing, Ended},
		Unknown:    {Preparing, Submitting, Submitted, Blocked, Ended},
		Blocked:    {Preparing, Prepared, Submitting, Submitted, Unknown, Ended},
		Ended:      {Drained}, Drained: {Cleaned}, Cleaned: {Closed},
	}
	for _, from := range allStates() {
		var got []State
		for _, to := range allStates() {
			if mayFollow(from, to) {
				got = append(got, to)
			}
		}
		assert.Equal(t, legal[from], got, from)
	}
	var illegal *TransitionError
	c := claimed(t, newStore(t), NewRun{})
	require.ErrorAs(t, to(t, c, Drained), &illegal)
	assert.Equal(t, Created, c.Run().State, "nothing happened")
	require.ErrorAs(t, to(t, c, "nonsense"), &illegal)
}

// at makes a run in a state, with one attempt where it has one.
func at(t *testing.T, path ...State) *Claim {
	t.Helper()
	c := claimed(t, newStore(t), NewRun{})
	require.NoError(t, to(t, c, path...))
	return c
}

func retry(r *Run) {
	r.State = Preparing
	n := len(r.Attempts)
	r.Attempts = append(r.Attempts, Attempt{Number: n + 1, Key: "next-" + r.ID})
}

func TestRules(t *testing.T) {
	submitted := []State{Preparing, Prepared, Submitting, Submitted}
	verdict := func(class string) *Verdict { return &Verdict{Class: class} }
	for _, tc := range []struct {
		name string
		path []State
		fn   func(r *Run)
		want any // nil, or what errors.As wants
	}{
		{"attempt 2 with the verdict of 1", submitted, func(r *Run) { r.Current().Verdict = verdict("preempted"); retry(r) }, nil},
		{"attempt 2 after a rejection", submitted[:3], func(r *Run) { r.Current().Verdict = verdict("capacity"); retry(r) }, nil},
		{"attempt 2 while 1 has no verdict", submitted, retry, new(*NotOverError)},
		{"attempt 2 after lost", submitted, func(r *Run) { r.Current().Verdict = verdict("lost"); retry(r) }, new(*NotOverError)},
		{"attempt 2 after unknown", submitted, func(r *Run) { r.Current().Verdict = verdict("unknown"); retry(r) }, new(*NotOverError)},
		{"attempt 2 after lost, by a person's word", submitted, func(r *Run) {
			r.Current().Verdict = verdict("lost")
			r.Current().Resolution = "me, now"
			retry(r)
		}, nil},
		{"attempt 2 after an unconfirmed cancel", submitted, func(r *Run) {
			r.Current().Verdict = &Verdict{Class: "timeout", CancelUnconfirmed: true}
			retry(r)
		}, new(*NotOverError)},
		{"attempt 2 after a cancel that was confirmed later", submitted, func(r *Run) {
			r.Current().Verdict = &Verdict{Class: "timeout", CancelUnconfirmed: true}
			r.Current().CancelConfirmedAt = time.Now()
			retry(r)
		}, nil},
		{"attempt 2 beside a cancel intent", submitted, func(r *Run) {
			r.Current().Verdict = verdict("preempted")
			r.Intent = &Intent{Cause: CauseUser}
			retry(r)
		}, new(*NotOverError)},
		{"attempt 3 before 2", submitted, func(r *Run) {
			r.Current().Verdict = verdict("preempted")
			retry(r)
			r.Current().Number = 3
		}, new(*NotOverError)},
		{"two attempts at once", submitted, func(r *Run) { r.Current().Verdict = verdict("x"); retry(r); retry(r) }, new(*NotOverError)},
		{"attempt 2 without preparing", submitted, func(r *Run) { r.Current().Verdict = verdict("x"); retry(r); r.State = Submitted }, new(*TransitionError)},
		{"attempt 2 with the key of 1", submitted, func(r *Run) {
			r.Current().Verdict = verdict("x")
			retry(r)
			r.Current().Key = r.Attempts[0].Key
		}, new(*FinalError)},
		{"an attempt disappears", submitted, func(r *Run) { r.Attempts = nil }, new(*FinalError)},
		{"back to preparing without a new attempt", submitted, func(r *Run) { r.State = Preparing }, new(*TransitionError)},
		{"back to prepared from blocked after submitting", append(append([]State{}, submitted[:3]...), Blocked), func(r *Run) { r.State = Prepared }, new(*TransitionError)},
		{"blocked after submitting goes on submitting", append(append([]State{}, submitted[:3]...), Blocked), func(r *Run) { r.State = Submitting }, nil},
		{"submitting without a request", submitted[:2], func(r *Run) { r.State = Submitting; r.Current().Request = nil }, new(*TransitionError)},
		{"submitting without a digest", submitted[:2], func(r *Run) { r.State = Submitting; r.Current().RequestDigest = "" }, new(*TransitionError)},
		{"submitted without a handle", submitted[:3], func(r *Run) { r.State = Submitted }, new(*TransitionError)},
		{"adopted: found at the backend", submitted[:1], func(r *Run) {
			r.Attempts = []Attempt{{Number: 1, Key: "k", SubmittingAt: time.Now()}}
			step(r, Submitted)
		}, nil},
		{"submitted, and nothing was", submitted[:1], func(r *Run) {
			r.Attempts = []Attempt{{Number: 1, Key: "k"}}
			step(r, Submitted)
		}, new(*TransitionError)},
		{"found after unknown", append(append([]State{}, submitted[:3]...), Unknown), func(r *Run) { step(r, Submitted) }, nil},
		{"another request", submitted, func(r *Run) { r.Current().Request = []byte("x") }, new(*FinalError)},
		{"another prepared", submitted[:3], func(r *Run) { r.Current().Prepared = []byte("x") }, new(*FinalError)},
		{"another request before submitting", submitted[:2], func(r *Run) { r.Current().Request = []byte("x") }, nil},
		{"another key", submitted[:2], func(r *Run) { r.Current().Key = "x" }, new(*FinalError)},
		{"another handle", submitted, func(r *Run) { r.Current().Handle = []byte("x") }, new(*FinalError)},
		{"another handle version", submitted, func(r *Run) { r.Current().HandleVersion = 9 }, new(*FinalError)},
		{"another definition", nil, func(r *Run) { r.Definition = []byte("x") }, new(*FinalError)},
		{"another token", nil, func(r *Run) { r.Token = "x" }, new(*FinalError)},
		{"another operator", nil, func(r *Run) { r.Operator = "x" }, new(*FinalError)},
		{"another owner", nil, func(r *Run) { r.OwnerID = "x" }, new(*FinalError)},
		{"another fence", nil, func(r *Run) { r.Fence++ }, new(*FinalError)},
		{"verdict without its state", submitted, func(r *Run) { r.Verdict = verdict("user") }, new(*TransitionError)},
		{"state without its verdict", submitted, func(r *Run) { r.State = Ended }, new(*TransitionError)},
		{"another verdict", append(append([]State{}, submitted...), Ended), func(r *Run) { r.Verdict = verdict("succeeded") }, new(*FinalError)},
		{"no verdict any more", append(append([]State{}, submitted...), Ended), func(r *Run) { r.Verdict = nil }, new(*FinalError)},
		{"another verdict of the attempt", append(append([]State{}, submitted...), Ended), func(r *Run) { r.Current().Verdict.Class = "user" }, new(*FinalError)},
		{"drained before its verdict", submitted, func(r *Run) { r.State = Drained; r.Verdict = verdict("user") }, new(*TransitionError)},
		{"status", submitted, func(r *Run) { r.Current().Phase = "running" }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := at(t, tc.path...)
			before := c.Run()
			err := c.Update(t.Context(), Durable, func(r *Run) ([]Event, error) { tc.fn(r); return nil, nil })
			stored, err2 := c.store.Run(t.Context(), c.id)
			require.NoError(t, err2)
			assert.Equal(t, c.Run(), stored, "copy and store agree")
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorAs(t, err, tc.want)
			assert.NotEmpty(t, err.Error())
			assert.Equal(t, before, stored, "nothing happened")
		})
	}
}

func TestIntentIsFinal(t *testing.T) {
	c := at(t, Preparing)
	set := func(in *Intent) error {
		return c.Update(t.Context(), Durable, func(r *Run) ([]Event, error) { r.Intent = in; return nil, nil })
	}
	require.NoError(t, set(&Intent{Cause: CauseProvisioning, By: "x"}))
	was := *c.Run().Intent
	assert.False(t, was.At.IsZero())
	var final *FinalError
	require.ErrorAs(t, set(nil), &final)
	other := was
	other.Cause = CauseRun
	require.ErrorAs(t, set(&other), &final)
	forced := was
	forced.Force = true
	require.NoError(t, set(&forced))
	require.ErrorAs(t, set(&was), &final)
}

func TestTimesAreStamped(t *testing.T) {
	c := at(t, Preparing, Prepared, Submitting, Submitted, Ended, Drained, Cleaned, Closed)
	r := c.Run()
	for name, at := range map[string]time.Time{"created": r.CreatedAt, "updated": r.UpdatedAt, "verdict": r.VerdictAt, "closed": r.ClosedAt,
		"submitting": r.Current().SubmittingAt, "submitted": r.Current().SubmittedAt, "verdict's own": r.Verdict.At} {
		assert.WithinDuration(t, time.Now(), at, hang, name)
	}
	assert.Equal(t, r.Verdict, r.Current().Verdict, "the attempt's verdict is the run's")
	assert.Empty(t, r.OwnerID, "a closed run has no owner")
}

func TestAgain(t *testing.T) {
	again := func(c *Claim) error {
		return c.Again(t.Context(), func(r *Run) ([]Event, error) { retry(r); return nil, nil })
	}
	var open *NotClosedError
	require.ErrorAs(t, again(at(t, Preparing)), &open)

	tail := []State{Drained, Cleaned, Closed}
	end := func(v Verdict) *Claim {
		c := at(t, Preparing, Prepared, Submitting, Submitted)
		require.NoError(t, c.Update(t.Context(), Durable, func(r *Run) ([]Event, error) { r.State, r.Verdict = Ended, &v; return nil, nil }))
		require.NoError(t, to(t, c, tail...))
		return c
	}
	var final *FinalError
	require.ErrorAs(t, again(end(Verdict{Class: ClassSucceeded})), &final)
	var notOver *NotOverError
	lost := end(Verdict{Class: "lost"})
	require.ErrorAs(t, again(lost), &notOver)
	require.NoError(t, lost.Update(t.Context(), Durable, func(r *Run) ([]Event, error) { r.Current().Resolution = "me"; return nil, nil }))
	require.NoError(t, again(lost))
	var illegal *TransitionError
	require.ErrorAs(t, end(Verdict{Class: "user"}).Again(t.Context(), func(r *Run) ([]Event, error) { return nil, nil }), &illegal)

	c := end(Verdict{Class: "user", Message: "exit 3"})
	_, err := c.store.RequestCancel(t.Context(), c.id, Intent{Cause: CauseUser})
	require.ErrorAs(t, err, &final)
	require.NoError(t, again(c))
	r := c.Run()
	assert.Equal(t, Preparing, r.State)
	assert.Nil(t, r.Verdict)
	assert.Len(t, r.Attempts, 2)
	assert.Equal(t, "exit 3", r.Attempts[0].Verdict.Message)
	assert.Equal(t, c.owner.ID(), r.OwnerID, "the claim holds it again")
	assert.True(t, r.ClosedAt.IsZero())
	stored, err := c.store.Run(t.Context(), c.id)
	require.NoError(t, err)
	assert.Equal(t, r, stored)
	_, err = c.store.RequestCancel(t.Context(), c.id, Intent{Cause: CauseUser})
	require.NoError(t, err, "and can be cancelled")
	events, err := c.store.Events(t.Context(), c.id, 0)
	require.NoError(t, err)
	var story struct{ Verdict Verdict }
	for _, e := range events {
		if e.Kind == EventReopened {
			require.NoError(t, json.Unmarshal(e.Data, &story))
		}
	}
	assert.Equal(t, "exit 3", story.Verdict.Message)
}
