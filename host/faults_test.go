package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/test/fault/wire"
)

// witness is a step that notes in a file of its own that it ran.
func witness(t *testing.T, then string) (hcl string, ran func() []string) {
	file := filepath.Join(t.TempDir(), "witness")
	script := fmt.Sprintf(`echo "$STEPHOST_ATTEMPT" >> %s; %s`, file, then)
	return fmt.Sprintf("[\"sh\", \"-c\", %q]", strings.ReplaceAll(script, "${", "$${")), func() []string {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		require.NoError(t, err)
		return strings.Fields(string(data))
	}
}

// TestSubmitFaults: whatever happens to the creating call, the step runs once
// where a verdict is claimed, and at most once otherwise.
func TestSubmitFaults(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults wire.Faults
		// class by variant; "" = the run ends as unknown.
		want map[string]string
	}{
		{"reply lost", wire.Faults{ReplyLost: 1}, map[string]string{"key": "succeeded", "search": "succeeded", "none": ""}},
		{"half made", wire.Faults{HalfMade: 1}, map[string]string{"key": "succeeded"}},
		{"500, nothing created", wire.Faults{SubmitError: 1}, map[string]string{"key": "succeeded", "search": "", "none": ""}},
		{"throttled, nothing created", wire.Faults{SubmitThrottled: 1}, map[string]string{"key": "succeeded"}},
		{"lands late", wire.Faults{LandsAfterMS: 300}, map[string]string{"key": "succeeded", "search": "succeeded", "none": ""}},
		{"lands late, and the next is refused", wire.Faults{LandsAfterMS: 900, SubmitCapacity: 1}, map[string]string{"key": "succeeded"}},
		{"lands late, and the next is not sent", wire.Faults{LandsAfterMS: 900, SubmitThrottled: 1}, map[string]string{"key": "succeeded"}},
		{"listed late", wire.Faults{ReplyLost: 1, ListedAfterMS: 700}, map[string]string{"key": "succeeded", "search": "succeeded", "none": ""}},
		{"plugin dies before the creation", wire.Faults{KillPlugin: "before"}, map[string]string{"key": "succeeded", "search": "", "none": ""}},
		{"plugin dies after the creation", wire.Faults{KillPlugin: "after"}, map[string]string{"key": "succeeded", "search": "succeeded", "none": ""}},
	} {
		for variant, want := range tc.want {
			t.Run(tc.name+"/"+variant, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, variant)
				require.NoError(t, w.backend.ForStep(w.ctx, "train", tc.faults))
				argv, ran := witness(t, "echo done")
				_, r, err := w.launch(w.host(), step(argv, ""), "")
				if want == "" {
					var unknown *launch.UnknownError
					require.ErrorAs(t, err, &unknown)
					assert.Equal(t, runs.Unknown, r.State)
					assert.Equal(t, host.ExitStephost, host.ResultOf(r, err, 0).Exit)
					assert.LessOrEqual(t, len(ran()), 1)
					// Asking again sends nothing, ever.
					again, err := w.host().Attach(w.ctx, r.ID, host.SessionOptions{})
					require.NoError(t, err)
					_, err = again.Wait(w.ctx)
					require.ErrorAs(t, err, &unknown)
					assert.LessOrEqual(t, len(ran()), 1)
					return
				}
				require.NoError(t, err)
				require.NotNil(t, r.Verdict, "state %s", r.State)
				assert.Equal(t, want, r.Verdict.Class, r.Verdict.Message)
				assert.Equal(t, []string{"1"}, ran(), "the step ran once, as attempt 1")
			})
		}
	}
}

// What the backend refuses after a request that got no answer ends the attempt only when
// that request cannot arrive any more.
func TestRefusedAfterAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "key")
	require.NoError(t, w.backend.ForStep(w.ctx, "train", wire.Faults{LandsAfterMS: 600_000, SubmitCapacity: 1}))
	argv, ran := witness(t, "true")
	begun := time.Now()
	_, r, err := w.launch(w.host(), step(argv, ""), "")
	require.NoError(t, err)
	require.NotNil(t, r.Verdict)
	assert.Equal(t, "capacity", r.Verdict.Class, r.Verdict.Message)
	assert.Greater(t, time.Since(begun), 10*time.Second, "a plugin lets a Submit finish for so long")
	assert.Empty(t, ran())
}

// A launch that says that it failed is not gone on with later: its person launches anew.
func TestNotBegun(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, w *world, h *host.Host) (mend func()){
		"no log": func(t *testing.T, w *world, h *host.Host) func() {
			_, err := h.Supervisor(w.ctx) // opens the store
			require.NoError(t, err)
			require.NoError(t, os.Rename(w.home.Runs(), w.home.Runs()+".away"))
			require.NoError(t, os.WriteFile(w.home.Runs(), nil, 0o600))
			return func() {
				require.NoError(t, os.Remove(w.home.Runs()))
				require.NoError(t, os.Rename(w.home.Runs()+".away", w.home.Runs()))
			}
		},
		"no plugin": func(t *testing.T, w *world, h *host.Host) func() {
			dir := t.TempDir()
			plugin := filepath.Join(dir, "plugin")
			require.NoError(t, os.WriteFile(plugin, []byte("#!/bin/sh\nexit 3\n"), 0o700))
			require.NoError(t, os.WriteFile(plugin+".flavor.hcl", []byte("flavor \"broken\" {\n  version = \"1.0.0\"\n  protocol = [1]\n  summary = \"x\"\n  environment = [\"none\"]\n}\n"), 0o600))
			_, err := h.Registry().Register(w.ctx, plugin, registry.RegisterOptions{})
			require.NoError(t, err)
			_, err = h.Registry().PutOperatorText(w.ctx, []byte("operator \"op\" {\n  flavor = \"broken\"\n}\n"), registry.WriteOptions{Replace: true})
			require.NoError(t, err)
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "key")
			argv, ran := witness(t, "true")
			h := w.host()
			mend := spoil(t, w, h)
			sel := w.selection(h, step(argv, ""))
			l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: sel})
			if err == nil {
				_, err = l.Wait(w.ctx)
			}
			require.Error(t, err)
			mend()
			require.NoError(t, w.host().Recover(w.ctx, nil, true, func(host.Recovered) {}))
			assert.Empty(t, ran())
			store, err := w.host().Runs(w.ctx)
			require.NoError(t, err)
			all, err := store.List(w.ctx, runs.Filter{})
			require.NoError(t, err)
			require.Len(t, all, 1)
			assert.Equal(t, runs.Closed, all[0].State)
			assert.Equal(t, "system", all[0].Verdict.Class)
		})
	}
}

func TestRetryByClass(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults wire.Faults
		retry  string
		then   string
		ran    []string
		class  string
		exit   int
	}{
		{"capacity, budget used up", wire.Faults{SubmitCapacity: 9}, "capacity = 1", "true", nil, "capacity", host.ExitTempFail},
		{"user errors are not retried by default", wire.Faults{}, "system = 2", "exit 7", []string{"1"}, "user", 7},
		{"user errors with a budget", wire.Faults{}, "user = 1", "exit 7", []string{"1", "2"}, "user", 7},
		{"preempted", wire.Faults{PreemptAfterMS: 150}, "preempted = 1", "sleep 30", []string{"1", "2"}, "preempted", host.ExitTempFail},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "key")
			require.NoError(t, w.backend.ForStep(w.ctx, "train", tc.faults))
			argv, ran := witness(t, tc.then)
			_, r, err := w.launch(w.host(), step(argv, "retry {\n"+tc.retry+"\n}"), "")
			require.NoError(t, err)
			assert.Equal(t, tc.class, r.Verdict.Class, r.Verdict.Message)
			assert.Equal(t, tc.ran, ran())
			assert.Equal(t, tc.exit, host.ResultOf(r, err, 0).Exit)
			for i, a := range r.Attempts {
				assert.Equal(t, i+1, a.Number)
				assert.Equal(t, launch.Key(r.Token, a.Number), a.Key)
				require.NotNil(t, a.Verdict, "attempt %d", a.Number)
			}
		})
	}
}

func TestRetryUntilThereIsRoom(t *testing.T) {
	w := newWorld(t, "key")
	for attempt := 1; attempt <= 2; attempt++ {
		require.NoError(t, w.backend.AddRule(w.ctx, wire.FaultRule{Label: wire.LabelKey, Value: launch.Key("tok", attempt),
			Faults: wire.Faults{SubmitCapacity: 1}}))
	}
	argv, ran := witness(t, "true")
	_, r, err := w.launch(w.host(), step(argv, "retry {\ncapacity = 2\n}"), "tok")
	require.NoError(t, err)
	assert.Equal(t, "succeeded", r.Verdict.Class, r.Verdict.Message)
	assert.Equal(t, []string{"3"}, ran())
}

func TestTimeouts(t *testing.T) {
	for _, tc := range []struct {
		name, timeouts, reason string
		faults                 wire.Faults
		ran                    int
	}{
		{"run", "run = \"1s\"", "run timeout", wire.Faults{}, 1},
		{"provisioning", "provisioning = \"1s\"", "provisioning timeout", wire.Faults{ProvisioningMS: 600_000}, 0},
		{"total", "total = \"1s\"", "total timeout", wire.Faults{}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "key")
			require.NoError(t, w.backend.ForStep(w.ctx, "train", tc.faults))
			argv, ran := witness(t, "sleep 600")
			_, r, err := w.launch(w.host(), step(argv, "timeouts {\n"+tc.timeouts+"\n}"), "")
			require.NoError(t, err)
			assert.Equal(t, "timeout", r.Verdict.Class)
			assert.Equal(t, tc.reason, r.Verdict.Reason)
			assert.Equal(t, host.ExitTimeout, host.ResultOf(r, err, 0).Exit)
			assert.Len(t, ran(), tc.ran)
		})
	}
}

// TestUnreachableIsNoVerdict: the backend is away across the run limit; the step
// ends well meanwhile, and that is what counts.
func TestUnreachableIsNoVerdict(t *testing.T) {
	w := newWorld(t, "key")
	argv, ran := witness(t, "sleep 1; echo done")
	h := w.host()
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step(argv, "timeouts {\nrun = \"2s\"\n}"))})
	require.NoError(t, err)
	done := make(chan *runs.Run, 1)
	go func() {
		r, err := l.Wait(w.ctx)
		assert.NoError(t, err)
		done <- r
	}()
	require.Eventually(t, func() bool { return len(ran()) == 1 }, hang, 10*time.Millisecond)
	require.NoError(t, w.backend.SetWeather(w.ctx, wire.Weather{UnreachableMS: 4000}))
	r := <-done
	require.NotNil(t, r)
	assert.Equal(t, "succeeded", r.Verdict.Class)
	assert.Nil(t, r.Intent, "no timer fired on a state that nobody had confirmed")
}

func TestCancel(t *testing.T) {
	for _, tc := range []struct {
		name        string
		faults      wire.Faults
		unconfirmed bool
	}{
		{"running", wire.Faults{}, false},
		{"while it is queued", wire.Faults{QueuedMS: 600_000}, false},
		{"slow to end", wire.Faults{CancelMS: 500}, false},
		{"never ends", wire.Faults{CancelNever: true}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "key")
			require.NoError(t, w.backend.ForStep(w.ctx, "train", tc.faults))
			argv, _ := witness(t, "sleep 600")
			h := w.host()
			l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step(argv, "timeouts {\ncancel = \"3s\"\n}"))})
			require.NoError(t, err)
			store, err := h.Runs(w.ctx)
			require.NoError(t, err)
			var wg sync.WaitGroup
			var r *runs.Run
			var waited error
			wg.Go(func() { r, waited = l.Wait(w.ctx) })
			require.Eventually(t, func() bool {
				r, err := store.Run(w.ctx, l.ID())
				return err == nil && r.State == runs.Submitted
			}, hang, 10*time.Millisecond)
			require.NoError(t, l.Cancel(w.ctx, runs.CauseUser, "test", false))
			wg.Wait()
			if !tc.unconfirmed {
				require.NoError(t, waited)
				assert.Equal(t, "cancelled", r.Verdict.Class)
				assert.Equal(t, host.ExitInterrupt, host.ResultOf(r, nil, 0).Exit)
				return
			}
			var unconfirmed *launch.UnconfirmedError
			require.ErrorAs(t, waited, &unconfirmed)
			res := host.ResultOf(r, waited, 0)
			assert.True(t, res.CancelUnconfirmed)
			// A hard stop by another process ends it; recover confirms.
			h2 := w.host()
			s, err := h2.Attach(w.ctx, r.ID, host.SessionOptions{})
			require.NoError(t, err)
			require.NoError(t, s.Cancel(w.ctx, runs.CauseUser, "test", true))
			r, err = s.Wait(w.ctx)
			require.NoError(t, err)
			assert.Equal(t, "cancelled", r.Verdict.Class)
		})
	}
}

// TestSameTokenFromAnEmptyHome: the machine is gone with its store; the job is
// found at the backend and joined, never started twice.
func TestSameTokenFromAnEmptyHome(t *testing.T) {
	for _, variant := range []string{"key", "search"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, variant)
			argv, ran := witness(t, "sleep 2; echo end")
			ctx, cancel := context.WithCancel(w.ctx)
			h := w.host()
			l, err := h.Launch(ctx, host.LaunchRequest{Selection: w.selection(h, step(argv, "")), Token: "dag/1 ü"})
			require.NoError(t, err)
			go func() {
				require.Eventually(t, func() bool { return len(ran()) == 1 }, hang, 10*time.Millisecond)
				cancel()
			}()
			_, err = l.Wait(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, h.Close(w.ctx))
			require.NoError(t, os.RemoveAll(w.home.Runs()))

			h = w.host()
			l, r, err := w.launch(h, step(argv, ""), "dag/1 ü")
			require.NoError(t, err)
			assert.Equal(t, "succeeded", r.Verdict.Class)
			assert.True(t, r.Attempts[0].Existing)
			assert.Equal(t, []string{"1"}, ran())
			assert.Equal(t, "end\n", w.log(l.Session, "stdout"), "the log is read from its start")

			// And once more: the verdict stands, nothing runs.
			l, r, err = w.launch(h, step(argv, ""), "dag/1 ü")
			require.NoError(t, err)
			assert.False(t, l.Created)
			assert.Equal(t, "succeeded", r.Verdict.Class)
			assert.Equal(t, []string{"1"}, ran())
		})
	}
}

func TestSameTokenOtherDefinition(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	_, _, err := w.launch(h, step(`["true"]`, ""), "t")
	require.NoError(t, err)
	_, err = h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step(`["false"]`, "")), Token: "t"})
	var other *launch.DifferentDefinitionError
	require.ErrorAs(t, err, &other)
	assert.Contains(t, other.Diff, "true")
	assert.Contains(t, other.Diff, "false")
}

func TestAgain(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	flag := filepath.Join(t.TempDir(), "flag")
	text := step(fmt.Sprintf("[\"sh\", \"-c\", \"test -e %s\"]", flag), "")
	_, r, err := w.launch(h, text, "t")
	require.NoError(t, err)
	require.Equal(t, "user", r.Verdict.Class)
	require.NoError(t, os.WriteFile(flag, nil, 0o600))

	_, r, err = w.launch(h, text, "t")
	require.NoError(t, err)
	assert.Equal(t, "user", r.Verdict.Class, "without --again the verdict stands")

	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, text), Token: "t", Again: true})
	require.NoError(t, err)
	r, err = l.Wait(w.ctx)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", r.Verdict.Class)
	assert.Len(t, r.Attempts, 2)
}

func TestWrongScopeIsNoVerdict(t *testing.T) {
	w := newWorld(t, "key")
	argv, ran := witness(t, "sleep 1")
	h := w.host()
	l := w.left(h, argv, ran)
	require.NoError(t, w.backend.SetWeather(w.ctx, wire.Weather{Account: "somebody else"}))
	short, stop := context.WithTimeout(w.ctx, 3*time.Second)
	defer stop()
	s, err := h.Attach(w.ctx, l.ID(), host.SessionOptions{})
	require.NoError(t, err)
	r, err := s.Wait(short)
	require.Error(t, err)
	assert.Nil(t, r.Verdict, "another account's answer is no verdict")

	require.NoError(t, w.backend.SetWeather(w.ctx, wire.Weather{Account: "main"}))
	r, err = s.Wait(w.ctx)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", r.Verdict.Class)
	assert.Equal(t, []string{"1"}, ran())
}

// TestBlockedOnASecret: the shell that recovers does not have the secret. The
// run waits for it and is never submitted without.
func TestBlockedOnASecret(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	t.Setenv("TOKEN_OF_THE_TEST", "hunter2")
	argv, ran := witness(t, `test "$TOKEN" = "$(echo hunter)2"`)
	sel := w.selection(h, step(argv, "secrets = {\nTOKEN = env(\"TOKEN_OF_THE_TEST\")\n}"))
	require.NoError(t, os.Unsetenv("TOKEN_OF_THE_TEST"))

	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: sel})
	require.NoError(t, err)
	r, err := l.Wait(w.ctx)
	var blocked *launch.BlockedError
	require.ErrorAs(t, err, &blocked)
	assert.Equal(t, "TOKEN", blocked.Secret)
	assert.Equal(t, runs.Blocked, r.State)
	assert.Contains(t, problem.Of(err).Next, "run attach "+r.ID)
	assert.Empty(t, ran())

	t.Setenv("TOKEN_OF_THE_TEST", "hunter2")
	s, err := w.host().Attach(w.ctx, r.ID, host.SessionOptions{})
	require.NoError(t, err)
	r, err = s.Wait(w.ctx)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", r.Verdict.Class)
	assert.Equal(t, []string{"1"}, ran())

	// The value is nowhere in the home.
	require.NoError(t, filepath.WalkDir(w.home.Root(), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		assert.False(t, strings.Contains(string(data), "hunter2"), path)
		return err
	}))
}
