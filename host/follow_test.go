package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/test/fault/wire"
)

// submitted launches a step that runs until a file is there, and waits in the background
// for the end of the run.
func (w *world) submitted(h *host.Host, more string) (l *host.Launched, goOn func(), end func() (*runs.Run, error)) {
	file := filepath.Join(w.t.TempDir(), "go")
	argv, ran := witness(w.t, fmt.Sprintf("while [ ! -e %s ]; do sleep 0.05; done; echo end", file))
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step(argv, more))})
	require.NoError(w.t, err)
	type outcome struct {
		r   *runs.Run
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := l.Wait(w.ctx)
		done <- outcome{r, err}
	}()
	store, err := h.Runs(w.ctx)
	require.NoError(w.t, err)
	require.Eventually(w.t, func() bool {
		r, err := store.Run(w.ctx, l.ID())
		return err == nil && r.State == runs.Submitted && r.Current().Phase == "running" && len(ran()) == 1
	}, hang, 10*time.Millisecond)
	return l, func() { require.NoError(w.t, os.WriteFile(file, nil, 0o600)) }, func() (*runs.Run, error) {
		o := <-done
		return o.r, o.err
	}
}

// left launches a step and leaves it when it runs, as a host that was ended does.
func (w *world) left(h *host.Host, argv string, ran func() []string) *host.Launched {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	l, err := h.Launch(ctx, host.LaunchRequest{Selection: w.selection(h, step(argv, ""))})
	require.NoError(w.t, err)
	go func() {
		assert.Eventually(w.t, func() bool { return len(ran()) == 1 }, hang, 10*time.Millisecond)
		cancel()
	}()
	_, err = l.Wait(ctx)
	require.ErrorIs(w.t, err, context.Canceled)
	return l
}

// TestRecoverGivesUp: recovery does not wait for the person who has the right
// credentials. It gives the run back with a word, and the record says why.
func TestRecoverGivesUp(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		weather      wire.Weather
	}{
		{"wrong scope", "is another one than the run was sent to", wire.Weather{Account: "somebody else"}},
		{"credentials", "refuses the credentials", wire.Weather{Unauthorized: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "key")
			file := filepath.Join(t.TempDir(), "go")
			argv, ran := witness(t, "while [ ! -e "+file+" ]; do sleep 0.05; done")
			h := w.host()
			l := w.left(h, argv, ran)
			require.NoError(t, w.backend.SetWeather(w.ctx, tc.weather))
			store, err := h.Runs(w.ctx)
			require.NoError(t, err)
			var told []host.Recovered
			require.NoError(t, w.host().Recover(w.ctx, nil, true, func(r host.Recovered) { told = append(told, r) }))
			require.Len(t, told, 1)
			p := problem.Of(told[0].Err)
			assert.Equal(t, problem.Auth, p.Class, "%v", told[0].Err)
			assert.Contains(t, p.Next, "run attach "+l.ID())
			r, err := store.Run(w.ctx, l.ID())
			require.NoError(t, err)
			assert.Empty(t, r.OwnerID, "given back")
			assert.Contains(t, r.StateReason, tc.reason)
			assert.Nil(t, r.Verdict)

			// Whoever has the right ones goes on, and the reason is gone.
			require.NoError(t, w.backend.SetWeather(w.ctx, wire.Weather{Account: "main"}))
			s, err := w.host().Attach(w.ctx, l.ID(), host.SessionOptions{})
			require.NoError(t, err)
			done := make(chan *runs.Run, 1)
			go func() {
				r, err := s.Wait(w.ctx)
				assert.NoError(t, err)
				done <- r
			}()
			require.Eventually(t, func() bool {
				r, err := store.Run(w.ctx, l.ID())
				return err == nil && r.StateReason == ""
			}, hang, 20*time.Millisecond)
			require.NoError(t, os.WriteFile(file, nil, 0o600))
			assert.Equal(t, runs.ClassSucceeded, (<-done).Verdict.Class)
		})
	}
}

// TestFollowerOfAnotherShell: a secret of the environment is that of the shell that
// launched the run. A follower that another shell has started does not put its own in.
func TestFollowerOfAnotherShell(t *testing.T) {
	const name = "TOKEN_OF_THE_TEST"
	w := newWorld(t, "key")
	t.Setenv(name, "first")
	argv, ran := witness(t, `test "$TOKEN" = first && exit 3; exit 4`)
	text := step(argv, "secrets = {\nTOKEN = env(\""+name+"\")\n}\nretry {\nuser = 1\n}")
	detached := func(h *host.Host) string {
		l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, text), Detach: true})
		require.NoError(t, err)
		_, err = l.Wait(w.ctx)
		require.NoError(t, err)
		return l.ID()
	}
	id := detached(w.host())
	t.Setenv(name, "second")
	h := w.host()
	own := detached(h)
	_, err := h.Follow(w.ctx)
	require.NoError(t, err)
	store, err := h.Runs(w.ctx)
	require.NoError(t, err)
	r, err := store.Run(w.ctx, own)
	require.NoError(t, err)
	assert.Equal(t, runs.Closed, r.State, "the follower's own shell has the secret of this one")
	assert.Len(t, r.Attempts, 2)
	r, err = store.Run(w.ctx, id)
	require.NoError(t, err)
	assert.Equal(t, runs.Blocked, r.State)
	assert.Equal(t, "needs secret TOKEN", r.StateReason)
	assert.Len(t, ran(), 3)

	t.Setenv(name, "first")
	s, err := w.host().Attach(w.ctx, id, host.SessionOptions{})
	require.NoError(t, err)
	r, err = s.Wait(w.ctx)
	require.NoError(t, err)
	require.NotNil(t, r.Verdict.ExitCode)
	assert.Equal(t, 3, *r.Verdict.ExitCode)
	assert.Len(t, r.Attempts, 2)
}
