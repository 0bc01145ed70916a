package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/fault/manifests"
	"github.com/stephost/stephost/test/fault/wire"
)

func TestARealStep(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		witness := filepath.Join(t.TempDir(), "witness")
		argv := []string{"sh", "-c", `echo ran >> "$0"; printf '%s\n' "$@"; echo "$TOKEN" >&2; exit 7`, witness,
			"$(HOME)", "$$", "${{x}}", "a\rb", "new\nline", `"quote'`, "", strings.Repeat("x", 10_000)}
		s := w.step(wire.Faults{}, argv...)
		h := w.accepted(s)
		end := w.end(h, s.Key)
		assert.Equal(t, operatorv1.Class_CLASS_USER, end.GetClass())
		assert.Equal(t, int32(7), end.GetExitCode())
		data, gaps, ended := w.logs(h, s.Key)
		assert.Equal(t, strings.Join(argv[4:], "\n")+"\n", data["0/stdout"])
		assert.Equal(t, "hunter2\n", data["0/stderr"])
		assert.Empty(t, gaps)
		assert.Equal(t, 2, ended)
		ran, err := os.ReadFile(witness)
		require.NoError(t, err)
		assert.Equal(t, "ran\n", string(ran))

		// The secret reached the process and nothing else.
		jobs, err := w.backend.AllJobs(w.ctx)
		require.NoError(t, err)
		assert.NotContains(t, fmt.Sprint(jobs), "hunter2")
		files, err := filepath.Glob(filepath.Join(w.backend.Dir, "jobs", "*", "job.json"))
		require.NoError(t, err)
		stored, err := os.ReadFile(files[0])
		require.NoError(t, err)
		assert.NotContains(t, string(stored), "hunter2")
		plan, err := w.client.Plan(w.ctx, &operatorv1.PlanRequest{Target: w.target(), Step: s})
		require.NoError(t, err)
		assert.NotContains(t, plan.GetRequest(), "hunter2")
		assert.Contains(t, plan.GetRequest(), s.Key)

		starts, err := w.backend.Starts(w.ctx)
		require.NoError(t, err)
		assert.Equal(t, map[string]int{s.Key: 1}, starts)
	})
}

func TestSubmitFaults(t *testing.T) {
	tests := map[string]struct {
		faults wire.Faults
		first  string // outcome of the first Submit
		class  operatorv1.Class
		jobs   int // jobs that exist afterwards
	}{
		"reply lost":  {wire.Faults{ReplyLost: 1}, "uncertain", operatorv1.Class_CLASS_SYSTEM, 1},
		"throttled":   {wire.Faults{SubmitThrottled: 1}, "not sent", operatorv1.Class_CLASS_SYSTEM, 0},
		"no capacity": {wire.Faults{SubmitCapacity: 1}, "rejected", operatorv1.Class_CLASS_CAPACITY, 0},
		"500":         {wire.Faults{SubmitError: 1}, "uncertain", operatorv1.Class_CLASS_SYSTEM, 0},
		"half made":   {wire.Faults{HalfMade: 1}, "uncertain", operatorv1.Class_CLASS_SYSTEM, 1},
		"slow":        {wire.Faults{SubmitDelayMS: 50}, "accepted", 0, 1},
	}
	each(t, func(t *testing.T, w *world) {
		for name, tc := range tests {
			s := w.step(tc.faults)
			r := w.submit(s, "d1")
			got := map[bool]string{r.GetAccepted() != nil: "accepted", r.GetRejected() != nil: "rejected", r.GetUncertain() != nil: "uncertain", r.GetNotSent() != nil: "not sent"}[true]
			assert.Equal(t, tc.first, got, name)
			if tc.class != 0 {
				assert.Equal(t, tc.class, r.GetDiagnostics()[0].GetClass(), name)
			}
			jobs, err := w.backend.AllJobs(w.ctx)
			require.NoError(t, err)
			n := 0
			for _, j := range jobs {
				if j.Labels[wire.LabelKey] == s.Key {
					n++
				}
			}
			assert.Equal(t, tc.jobs, n, name)
		}
	})
}

func TestTheKeyIsTheName(t *testing.T) {
	w := newWorld(t, manifests.Key)

	s := w.step(wire.Faults{ReplyLost: 1})
	require.NotNil(t, w.submit(s, "d1").GetUncertain())
	found := w.find(s.Key)
	require.Equal(t, operatorv1.FindResponse_OUTCOME_FOUND, found.GetOutcome())
	assert.Equal(t, "d1", found.GetJobs()[0].GetRequestDigest())
	assert.Equal(t, int32(2), found.GetJobs()[0].GetAttempt())
	again := w.submit(s, "d1")
	require.True(t, again.GetAccepted().GetExisting())
	other := w.submit(s, "d2")
	require.NotNil(t, other.GetRejected())
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, other.GetDiagnostics()[0].GetClass())
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, w.find("nobody").GetOutcome())

	// A half-made job is found as such, and Submit finishes it.
	s = w.step(wire.Faults{HalfMade: 1})
	require.NotNil(t, w.submit(s, "d1").GetUncertain())
	require.True(t, w.find(s.Key).GetJobs()[0].GetIncomplete())
	end := w.end(w.accepted(s), s.Key)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.GetPhase())
	starts, err := w.backend.Starts(w.ctx)
	require.NoError(t, err)
	assert.Equal(t, 1, starts[s.Key])

	// The request lands after its error; a second Submit finds the name taken.
	s = w.step(wire.Faults{LandsAfterMS: 50})
	require.NotNil(t, w.submit(s, "d1").GetUncertain())
	require.Eventually(t, func() bool { return w.find(s.Key).GetOutcome() == operatorv1.FindResponse_OUTCOME_FOUND }, hang, time.Millisecond)
	assert.True(t, w.submit(s, "d1").GetAccepted().GetExisting())

	// A TTL frees the name.
	s = w.step(wire.Faults{DeleteAfterMS: 1})
	h := w.accepted(s)
	require.Eventually(t, func() bool { return w.find(s.Key).GetOutcome() == operatorv1.FindResponse_OUTCOME_ABSENT }, hang, time.Millisecond)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, w.end(h, s.Key).GetPhase())

	// All attempts of a run.
	r, err := w.client.Find(w.ctx, &operatorv1.FindRequest{Target: w.target(), By: &operatorv1.FindRequest_RunToken{RunToken: "token"}})
	require.NoError(t, err)
	assert.Len(t, r.GetJobs(), 3)
}

func TestLateListing(t *testing.T) {
	w := newWorld(t, manifests.Search)
	s := w.step(wire.Faults{ReplyLost: 1, ListedAfterMS: 300})
	require.NotNil(t, w.submit(s, "d1").GetUncertain())
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_UNDETERMINED, w.find(s.Key).GetOutcome(), "an empty list is no proof")
	require.Eventually(t, func() bool { return w.find(s.Key).GetOutcome() == operatorv1.FindResponse_OUTCOME_FOUND }, hang, 10*time.Millisecond)
	s = w.step(wire.Faults{OtherDigest: true})
	w.accepted(s)
	assert.NotEqual(t, "d1", w.find(s.Key).GetJobs()[0].GetRequestDigest())
}

func TestLife(t *testing.T) {
	code := 9
	tests := map[string]struct {
		faults wire.Faults
		argv   []string
		phase  operatorv1.Phase
		class  operatorv1.Class
	}{
		"noop":         {wire.Faults{}, nil, operatorv1.Phase_PHASE_SUCCEEDED, 0},
		"exit code":    {wire.Faults{ExitCode: &code}, nil, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER},
		"provisioning": {wire.Faults{QueuedMS: 60, ProvisioningMS: 60}, nil, operatorv1.Phase_PHASE_SUCCEEDED, 0},
		"preempted":    {wire.Faults{PreemptAfterMS: 20}, []string{"sleep", "1000"}, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_PREEMPTED},
		"not found":    {wire.Faults{}, []string{"/no/such/program"}, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER},
		"signal":       {wire.Faults{}, []string{"sh", "-c", "kill -9 $$"}, operatorv1.Phase_PHASE_FAILED, operatorv1.Class_CLASS_USER},
	}
	each(t, func(t *testing.T, w *world) {
		for name, tc := range tests {
			s := w.step(tc.faults, tc.argv...)
			end := w.end(w.accepted(s), s.Key)
			assert.Equal(t, tc.phase, end.GetPhase(), name)
			assert.Equal(t, tc.class, end.GetClass(), name)
		}
		// The backend starts it again by itself: one job, one more epoch.
		s := w.step(wire.Faults{RestartAfterMS: 50, Restarts: 1}, "sh", "-c", `echo started; [ -f mark ] || { touch mark; exec sleep 1000; }`)
		h := w.accepted(s)
		end := w.end(h, s.Key)
		assert.Equal(t, int32(1), end.GetRestarts())
		data, _, ended := w.logs(h, s.Key)
		assert.Equal(t, map[string]string{"0/stdout": "started\n", "1/stdout": "started\n"}, data)
		assert.Equal(t, 4, ended)
	})
}

func TestWeather(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.step(wire.Faults{}, "sleep", "1000")
		h := w.accepted(s)
		stream := w.watch(h, s.Key)
		next := func() *operatorv1.Reachability {
			for {
				m, err := stream.Recv()
				require.NoError(t, err)
				require.Nil(t, m.GetTerminal(), "weather is no verdict")
				if m.GetReachability() != nil {
					return m.GetReachability()
				}
			}
		}
		for _, tc := range []struct {
			weather wire.Weather
			reason  operatorv1.CouldNotAsk_Reason
		}{
			{wire.Weather{UnreachableMS: 600_000}, operatorv1.CouldNotAsk_REASON_UNREACHABLE},
			{wire.Weather{ThrottledMS: 600_000, RetryAfterMS: 5}, operatorv1.CouldNotAsk_REASON_THROTTLED},
			{wire.Weather{Unauthorized: true}, operatorv1.CouldNotAsk_REASON_AUTH},
			{wire.Weather{Account: "other"}, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE},
		} {
			require.NoError(t, w.backend.SetWeather(w.ctx, tc.weather))
			for {
				r := next()
				if r.GetCouldNotAsk().GetReason() == tc.reason {
					break
				}
			}
			require.NoError(t, w.backend.SetWeather(w.ctx, wire.Weather{Account: "main"}))
			for !next().GetReachable() {
			}
		}
		jobs, err := w.backend.AllJobs(w.ctx)
		require.NoError(t, err)
		require.NoError(t, w.backend.DeleteBehind(w.ctx, jobs[0].ID))
		assert.Equal(t, operatorv1.Phase_PHASE_LOST, w.end(h, s.Key).GetPhase())
	})
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		cancel := func(h *operatorv1.Handle, key string, force bool) *operatorv1.CancelResponse {
			r, err := w.client.Cancel(w.ctx, &operatorv1.CancelRequest{
				Target: w.target(), Handle: h, Key: key, Grace: durationpb.New(50 * time.Millisecond), Force: force})
			require.NoError(t, err)
			return r
		}
		// One that ignores TERM dies after the grace period.
		s := w.step(wire.Faults{CancelMS: 20}, "sh", "-c", `trap '' TERM; echo up; while :; do sleep 0.01; done`)
		h := w.accepted(s)
		require.NotNil(t, cancel(h, s.Key, false).GetAccepted())
		assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, w.end(h, s.Key).GetPhase())
		assert.NotNil(t, cancel(h, s.Key, false).GetAlreadyOver())

		s = w.step(wire.Faults{CancelNever: true}, "sleep", "1000")
		h = w.accepted(s)
		stream := w.watch(h, s.Key)
		require.NotNil(t, cancel(h, s.Key, false).GetAccepted())
		for {
			m, err := stream.Recv()
			require.NoError(t, err)
			if m.GetStatus().GetPhase() == operatorv1.Phase_PHASE_CANCELLING {
				break
			}
		}
		require.NotNil(t, cancel(h, s.Key, true).GetAccepted())
		assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, w.end(h, s.Key).GetPhase())
	})
}

func TestLogFaults(t *testing.T) {
	w := newWorld(t, manifests.Key)
	lines := func(n int, s *operatorv1.Step) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "line %d of %s\n", i+1, s.Key)
		}
		return b.String()
	}
	s := w.step(wire.Faults{FloodLines: 5000, LogsErrors: 2, LogsChunk: 1000})
	h := w.accepted(s)
	data, gaps, ended := w.logs(h, s.Key)
	assert.Equal(t, lines(5003, s), data["0/stdout"])
	assert.Empty(t, gaps)
	assert.Equal(t, 2, ended)

	s = w.step(wire.Faults{LogsLateMS: 100})
	h = w.accepted(s)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, w.end(h, s.Key).GetPhase())
	data, _, _ = w.logs(h, s.Key)
	assert.Equal(t, lines(3, s), data["0/stdout"])

	s = w.step(wire.Faults{RotateBytes: 10})
	h = w.accepted(s)
	w.end(h, s.Key)
	data, gaps, _ = w.logs(h, s.Key)
	require.Len(t, gaps, 1)
	assert.Equal(t, operatorv1.LogGap_CERTAINTY_PROVEN, gaps[0].GetCertainty())
	assert.Equal(t, int64(len(lines(3, s))), gaps[0].GetBytes()+int64(len(data["0/stdout"])))
}

func TestCleanup(t *testing.T) {
	w := newWorld(t, manifests.Key)
	s := w.step(wire.Faults{})
	h := w.accepted(s)
	w.end(h, s.Key)
	for _, what := range []operatorv1.CleanupRequest_What{
		operatorv1.CleanupRequest_WHAT_LEFTOVERS, operatorv1.CleanupRequest_WHAT_RECORD, operatorv1.CleanupRequest_WHAT_RECORD} {
		r, err := w.client.Cleanup(w.ctx, &operatorv1.CleanupRequest{Target: w.target(), Handle: h, Key: s.Key, What: what})
		require.NoError(t, err)
		assert.Nil(t, r.GetCouldNotAsk())
		want := operatorv1.FindResponse_OUTCOME_FOUND
		if what == operatorv1.CleanupRequest_WHAT_RECORD {
			want = operatorv1.FindResponse_OUTCOME_ABSENT
		}
		assert.Equal(t, want, w.find(s.Key).GetOutcome())
	}
}

func TestBackendRestart(t *testing.T) {
	w := newWorld(t, manifests.Key)
	done, running := w.step(wire.Faults{}), w.step(wire.Faults{}, "sleep", "1000")
	hd, hr := w.accepted(done), w.accepted(running)
	w.end(hd, done.Key)
	require.NoError(t, w.backend.Restart(w.ctx))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, w.end(hd, done.Key).GetPhase())
	assert.Equal(t, operatorv1.Class_CLASS_SYSTEM, w.end(hr, running.Key).GetClass())
}

// A thousand jobs are watched with list calls, not with a call per job.
func TestAThousandJobs(t *testing.T) {
	const jobs = 1000
	w := newWorld(t, manifests.Key)
	ends := make(chan error, jobs)
	for range jobs {
		s := w.step(wire.Faults{ProvisioningMS: 100})
		h := w.accepted(s)
		stream := w.watch(h, s.Key)
		go func() {
			for {
				m, err := stream.Recv()
				if err != nil {
					ends <- err
					return
				}
				if e := m.GetTerminal(); e != nil {
					if e.GetPhase() != operatorv1.Phase_PHASE_SUCCEEDED {
						ends <- fmt.Errorf("%v", e)
						return
					}
					_, err := stream.Recv()
					if errors.Is(err, io.EOF) {
						err = nil
					}
					ends <- err
					return
				}
			}
		}()
	}
	for range jobs {
		require.NoError(t, <-ends)
	}
	stats, err := w.backend.Stats(w.ctx)
	require.NoError(t, err)
	t.Logf("calls: %v", stats)
	assert.Less(t, stats["batch"]+stats["get"], 2*jobs)
	assert.Equal(t, jobs, stats["create"])
}
