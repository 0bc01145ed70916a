package runs

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func full(at time.Time) func(r *Run) ([]Event, error) {
	code := 3
	return func(r *Run) ([]Event, error) {
		r.State, r.StateReason = Preparing, "why"
		r.Plan = json.RawMessage(`{"a":[1,2]}`)
		r.Labels = map[string]string{"k": "v"}
		r.Pin = Pin{Flavor: "f", Version: "1", ArtifactSHA256: "a", ManifestDigest: "m", ScopeID: "s", ScopeDisplay: "d", Scope: []byte{0, 255},
			Config: json.RawMessage(`{"c":9007199254740993}`), SecretConfig: map[string]string{"p": "\x00ref:env:P\x00"},
			Settings: json.RawMessage(`{}`), SecretSettings: map[string]string{"q": "r"}}
		r.Values = map[string]json.RawMessage{"accuracy": json.RawMessage(`0.97`)}
		r.Detached = true
		r.Intent = &Intent{Cause: CauseRun, By: "me", At: at}
		r.Attempts = []Attempt{{Number: 1, Key: "k1", Request: []byte{0, 1, 255}, Prepared: []byte("p"), RequestDigest: "rd",
			StartedAt: at, EndedAt: at, HandleVersion: 0, Existing: true, NativeName: "n", URL: "u",
			Phase: "running", Reason: "r", Message: "m", NativeState: "ns", Restarts: 2, ObservedAt: at, PhaseSince: at,
			CancelSentAt: at, CancelConfirmedAt: at, LeftoversCleaned: true, Resolution: "by me",
			Verdict: &Verdict{Class: "user", ExitCode: &code, Signal: "SIGTERM", Phase: "failed", Reason: "r", Message: "m",
				Outputs: []Output{{Name: "o", Location: "l", Bytes: -1}}, CancelUnconfirmed: true, At: at}}}
		return nil, nil
	}
}

func TestEveryFieldComesBack(t *testing.T) {
	s := newStore(t)
	at := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
	c := claimed(t, s, NewRun{Token: "\x00any\xffbytes", Operator: "o", Step: "s", Pipeline: "p", PipelineRun: "pr",
		Labels: map[string]string{"a": "b"}, Definition: []byte{0, 1, 2}, DefinitionDigest: "dd", Plan: json.RawMessage(`null`)})
	require.NoError(t, c.Update(t.Context(), Relaxed, full(at)))
	other := openStore(t, s.dir, Options{})
	for name, get := range map[string]func() (*Run, error){
		"by ID":     func() (*Run, error) { return other.Run(t.Context(), c.id) },
		"by token":  func() (*Run, error) { return other.ByToken(t.Context(), "\x00any\xffbytes") },
		"by prefix": func() (*Run, error) { return other.Run(t.Context(), c.id[:12]) },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := get()
			require.NoError(t, err)
			assert.Equal(t, c.Run(), r)
			assert.True(t, r.TokenGiven)
			assert.Equal(t, int64(1), r.Fence)
			assert.Equal(t, []byte{0, 1, 255}, r.Current().Request)
			assert.Equal(t, 3, *r.Current().Verdict.ExitCode)
		})
	}
	list, err := other.List(t.Context(), Filter{Labels: map[string]string{"k": "v"}, Flavor: "f", FlavorVersion: "1", Operator: "o", Step: "s",
		Pipeline: "p", PipelineRun: "pr", States: []State{Created, Preparing}, Unclosed: true, OwnerID: c.owner.ID(), Limit: 1})
	require.NoError(t, err)
	require.Len(t, list, 1)
	want := c.Run()
	want.Attempts[0].Request, want.Attempts[0].Prepared = nil, nil
	assert.Equal(t, want, list[0])
}

func TestList(t *testing.T) {
	s := newStore(t)
	var ids []string
	for n := range 5 {
		r, created, err := s.Create(t.Context(), NewRun{Operator: fmt.Sprint("o", n%2), Labels: map[string]string{"n": fmt.Sprint(n)}})
		require.NoError(t, err)
		require.True(t, created)
		assert.Equal(t, r.ID, r.Token)
		assert.False(t, r.TokenGiven)
		ids = append([]string{r.ID}, ids...)
	}
	for name, tc := range map[string]struct {
		f    Filter
		want []string
	}{
		"all, newest first":   {Filter{}, ids},
		"limit":               {Filter{Limit: 2}, ids[:2]},
		"operator":            {Filter{Operator: "o1"}, []string{ids[1], ids[3]}},
		"label":               {Filter{Labels: map[string]string{"n": "0"}, Limit: 1}, ids[4:]},
		"label that none has": {Filter{Labels: map[string]string{"n": ""}}, nil},
		"state":               {Filter{States: []State{Closed}}, nil},
		"future":              {Filter{Since: time.Now().Add(time.Hour)}, nil},
		"before the future":   {Filter{Before: time.Now().Add(time.Hour)}, ids},
		"unclosed":            {Filter{Unclosed: true}, ids},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := s.List(t.Context(), tc.f)
			require.NoError(t, err)
			var got []string
			for _, r := range list {
				got = append(got, r.ID)
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestRunIsFoundByPrefix(t *testing.T) {
	s := newStore(t)
	a, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	b, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	var missing *NotFoundError
	for _, id := range []string{"", "nope", "01'; DROP TABLE runs", "%", a.ID + "0"} {
		_, err := s.Run(t.Context(), id)
		require.ErrorAs(t, err, &missing, id)
	}
	_, err = s.ByToken(t.Context(), "nope")
	require.ErrorAs(t, err, &missing)
	var two *AmbiguousError
	_, err = s.Run(t.Context(), a.ID[:2])
	require.ErrorAs(t, err, &two)
	assert.ElementsMatch(t, []string{a.ID, b.ID}, two.IDs)
	_, err = s.Events(t.Context(), "nope", 0)
	require.ErrorAs(t, err, &missing)
}
