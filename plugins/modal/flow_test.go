package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/plugins/modal/internal/fake"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// backends are the two, by the setting that chooses them.
func backends() []string { return []string{"v1", "v2"} }

// on puts a step on a backend.
func (h *harness) on(backend string, s *operatorv1.Step) *operatorv1.Step {
	s.Settings = h.Settings(map[string]any{"backend": backend})
	return s
}

func TestTheLifeOfASandbox(t *testing.T) {
	h := newHarness(t, "output_volume", "results")
	nasty := []string{"$(HOME)", "$$", "${{x}}", "a\rb", "a\nb", `"'\`, "", " a  b ", strings.Repeat("x", 10_000)}
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			dir := t.TempDir()
			s := h.on(backend, h.Step("life "+backend, ""))
			s.Argv = append([]string{"sh", "-c", `echo hello; echo oops >&2; printf %s "$LONG" > ` + dir + `/long; printf %s "$HF_TOKEN" > ` + dir + `/secret; tr '\0' '\n' < /proc/$$/environ | grep -c '^with.dot=x$' > ` + dir + `/dot; for a; do printf '%s|' "$a"; done > ` + dir + `/argv; mkdir -p "$STEPHOST_OUTPUT_DIR/deep"; printf 12345 > "$STEPHOST_OUTPUT_DIR/deep/model.bin"; printf 1 > "$STEPHOST_OUTPUT_DIR/a"`, "sh"}, nasty...)
			s.Env = map[string]string{"LONG": strings.Repeat("ä", 50_000), "with.dot": "x"}
			s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2\n"}}
			r := h.Submit(s)
			require.NotNil(t, r.GetAccepted(), "%v", r)
			assert.Equal(t, "https://modal.com/id/"+h.JobOf(s.Key).Name, r.GetAccepted().Url)
			end, _ := h.Watch(s.Key, r.GetAccepted().Handle)
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
			assert.EqualValues(t, 0, end.GetExitCode())
			assert.NotNil(t, end.StartedAt)
			assert.NotNil(t, end.EndedAt)
			read := func(name string) string {
				text, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				return string(text)
			}
			assert.Equal(t, strings.Join(nasty, "|")+"|", read("argv"))
			assert.Equal(t, s.Env["LONG"], read("long"))
			assert.Equal(t, "hunter2\n", read("secret"))
			assert.Equal(t, "1\n", read("dot"))
			require.Len(t, end.Outputs, 2, "%v", end.Outputs)
			assert.Equal(t, "modal-volume://results/"+s.Key+"/a", end.Outputs[0].Location)
			assert.Equal(t, "deep/model.bin", end.Outputs[1].Name)
			assert.EqualValues(t, 5, end.Outputs[1].Bytes)
			streams, _ := h.Logs(s.Key, r.GetAccepted().Handle, nil)
			require.Contains(t, streams, "1/0/0/step/stdout")
			assert.Equal(t, "hello\n", streams["1/0/0/step/stdout"].String())
			assert.Equal(t, "oops\n", streams["1/0/0/step/stderr"].String())
		})
	}
}

// TestClasses: what ends a sandbox decides about retries.
func TestClasses(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		life   cloudfake.Life
		script string
		change func(s *operatorv1.Step)
		class  operatorv1.Class
		phase  operatorv1.Phase
		reason string
		code   int32
		signal string
	}{
		"user":             {script: "exit 7", class: operatorv1.Class_CLASS_USER, reason: "Failure", code: 7},
		"the code of time": {script: "exit 124", class: operatorv1.Class_CLASS_USER, reason: "Failure", code: 124},
		"killed":           {script: "kill -9 $$", class: operatorv1.Class_CLASS_USER, reason: "Failure", code: 137, signal: "SIGKILL"},
		"init":             {life: cloudfake.Life{NoImage: true}, class: operatorv1.Class_CLASS_CONFIG, reason: "InitFailure"},
		"internal":         {life: cloudfake.Life{Broken: true}, class: operatorv1.Class_CLASS_SYSTEM, reason: "InternalFailure"},
		"not a file":       {change: func(s *operatorv1.Step) { s.Argv = []string{"/no/such/file"} }, class: operatorv1.Class_CLASS_USER, reason: "Failure", code: 127},
		"preempted":        {life: cloudfake.Life{PreemptAfterMS: 50}, script: "sleep 60", class: operatorv1.Class_CLASS_PREEMPTED, reason: "Preempted"},
		"timeout": {script: "sleep 60", class: operatorv1.Class_CLASS_TIMEOUT, reason: "Timeout",
			change: func(s *operatorv1.Step) {
				s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(200 * time.Millisecond)}
			}},
	} {
		for _, backend := range backends() {
			t.Run(name+"/"+backend, func(t *testing.T) {
				h.Life(c.life)
				s := h.on(backend, h.Step("class "+name+backend, c.script))
				if c.change != nil {
					c.change(s)
				}
				end, _ := h.Watch(s.Key, h.Accepted(s))
				assert.Equal(t, operatorv1.Phase_PHASE_FAILED, end.Phase)
				assert.Equal(t, c.class, end.Class, "%v", end)
				assert.Equal(t, c.reason, end.Reason)
				assert.NotEmpty(t, end.Message)
				assert.Equal(t, c.code, end.GetExitCode())
				assert.Equal(t, c.signal, end.Signal)
			})
		}
	}
}

// TestPhases: queue and provisioning are seen, with why. The newer backend
// answers a create when there is a machine.
func TestPhases(t *testing.T) {
	h := newHarness(t)
	for backend, want := range map[string][]operatorv1.Phase{
		"v1": {operatorv1.Phase_PHASE_QUEUED, operatorv1.Phase_PHASE_PROVISIONING, operatorv1.Phase_PHASE_RUNNING},
		"v2": {operatorv1.Phase_PHASE_PROVISIONING, operatorv1.Phase_PHASE_RUNNING},
	} {
		t.Run(backend, func(t *testing.T) {
			h.Life(cloudfake.Life{QueuedMS: 1500, ProvisioningMS: 1500})
			s := h.on(backend, h.Step("phases "+backend, "sleep 4"))
			end, seen := h.Watch(s.Key, h.Accepted(s))
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
			require.NotNil(t, end.StartedAt)
			var phases []operatorv1.Phase
			for _, e := range seen {
				if st := e.GetStatus(); st != nil && (len(phases) == 0 || phases[len(phases)-1] != st.Phase) {
					phases = append(phases, st.Phase)
					assert.Contains(t, st.Url, "https://modal.com/id/sb-")
				}
			}
			assert.Equal(t, want, phases)
		})
	}
}

// TestRefusals: what a create certainly refused is over, or is sent again; what
// it leaves open is UNCERTAIN. It is sent once in each case.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		fault   cloudfake.Fault
		outcome any
		class   operatorv1.Class
		reason  operatorv1.CouldNotAsk_Reason
	}{
		"throttled": {fault: cloudfake.Fault{Kind: cloudfake.Throttled, RetryAfterMS: 7000}, outcome: &operatorv1.SubmitResponse_NotSent_{}, reason: operatorv1.CouldNotAsk_REASON_THROTTLED},
		"expired":   {fault: cloudfake.Fault{Kind: cloudfake.Expired}, outcome: &operatorv1.SubmitResponse_NotSent_{}, reason: operatorv1.CouldNotAsk_REASON_AUTH},
		"denied":    {fault: cloudfake.Fault{Kind: cloudfake.Denied}, outcome: &operatorv1.SubmitResponse_NotSent_{}, reason: operatorv1.CouldNotAsk_REASON_AUTH},
		"quota":     {fault: cloudfake.Fault{Kind: cloudfake.Quota}, outcome: &operatorv1.SubmitResponse_Rejected_{}, class: operatorv1.Class_CLASS_CAPACITY},
		"capacity":  {fault: cloudfake.Fault{Kind: cloudfake.Capacity}, outcome: &operatorv1.SubmitResponse_Rejected_{}, class: operatorv1.Class_CLASS_CAPACITY},
		"internal":  {fault: cloudfake.Fault{Kind: cloudfake.Internal}, outcome: &operatorv1.SubmitResponse_Uncertain_{}},
		"dropped":   {fault: cloudfake.Fault{Kind: cloudfake.Drop}, outcome: &operatorv1.SubmitResponse_Uncertain_{}},
		"lost":      {fault: cloudfake.Fault{Kind: cloudfake.ReplyLost}, outcome: &operatorv1.SubmitResponse_Uncertain_{}},
	} {
		for backend, op := range map[string]string{"v1": "SandboxCreate", "v2": "SandboxCreateV2"} {
			t.Run(name+"/"+backend, func(t *testing.T) {
				h := newHarness(t)
				h.Rule(op, 1, c.fault)
				s := h.on(backend, h.Step("refused", "true"))
				r := h.Submit(s)
				assert.IsType(t, c.outcome, r.Outcome, "%v", r)
				assert.Equal(t, 1, h.Counted()[op], "one creating call")
				assert.Equal(t, c.reason, r.GetNotSent().GetCouldNotAsk().GetReason())
				if c.class != 0 {
					require.NotEmpty(t, r.Diagnostics)
					assert.Equal(t, c.class, r.Diagnostics[0].Class)
				}
				if name == "throttled" {
					assert.Equal(t, 7*time.Second, r.GetNotSent().GetCouldNotAsk().GetRetryAfter().AsDuration())
				}
				jobs, err := h.ByKey(h.Ctx(), s.Key)
				require.NoError(t, err)
				assert.Len(t, jobs, map[bool]int{true: 1}[name == "lost"])
				if r.GetUncertain() == nil {
					// The same request goes through later.
					end, _ := h.Watch(s.Key, h.Accepted(s))
					assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
				}
			})
		}
	}
}

// TestBeforeTheCreate: what fails before the creating call was certainly not
// sent.
func TestBeforeTheCreate(t *testing.T) {
	h := newHarness(t)
	for _, op := range []string{"SandboxListV2", "SandboxGetFromNameV2", "SecretGetOrCreate"} {
		s := h.on("v1", h.Step("before "+op, "true"))
		prepared, found := h.Prepare(s)
		require.Empty(t, found)
		h.Rule(op, 0, cloudfake.Fault{Kind: cloudfake.Internal})
		r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: s, Prepared: prepared, RequestDigest: cloudtest.Digest()})
		require.NoError(t, err)
		assert.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, r.GetNotSent().GetCouldNotAsk().GetReason(), "%s: %v", op, r)
		require.NoError(t, h.Clear(h.Ctx()))
	}
	assert.Zero(t, h.Counted()["SandboxCreate"])
}

// TestLateList: a sandbox that no list shows is found by its name; on the older
// backend only while it runs.
func TestLateList(t *testing.T) {
	h := newHarness(t)
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			h.Life(cloudfake.Life{ListedAfterMS: 3_600_000})
			s := h.on(backend, h.Step("late "+backend, "sleep 600"))
			handle := h.Accepted(s)
			got := h.FindKey(s.Key)
			require.Len(t, got.Jobs, 1, "%v", got)
			assert.Equal(t, s.RunId, got.Jobs[0].RunId)
			assert.Equal(t, cloudtest.Digest(), got.Jobs[0].RequestDigest)
			assert.EqualValues(t, 1, got.Jobs[0].Attempt)
			assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindToken(s.RunToken).Outcome, "no list shows it")
			again := h.Submit(s)
			assert.True(t, again.GetAccepted().GetExisting(), "%v", again)
			require.NotNil(t, h.Cancel(s.Key, handle).GetAccepted())
			end, _ := h.Watch(s.Key, handle)
			assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
			if backend == "v2" {
				assert.Len(t, h.FindKey(s.Key).Jobs, 1, "its name leads to it behind its end")
			}
		})
	}
}

// TestPages: lists are read page by page.
func TestPages(t *testing.T) {
	h := newHarness(t)
	const many = 120
	token := "pages"
	var keys []string
	for i := range many {
		s := h.Step(token, "true")
		s.Attempt, s.Key = int32(i+1), cloudtest.KeyOf(token, i+1)
		keys = append(keys, s.Key)
		h.Accepted(s)
	}
	var found []string
	for _, j := range h.FindToken(token).Jobs {
		found = append(found, j.Key)
	}
	assert.ElementsMatch(t, keys, found)
}

// TestSlowCancel: a cancel is confirmed when the sandbox has ended, and not
// before.
func TestSlowCancel(t *testing.T) {
	h := newHarness(t)
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			h.Life(cloudfake.Life{CancelMS: 1500})
			s := h.on(backend, h.Step("cancel "+backend, "sleep 600"))
			handle := h.Accepted(s)
			require.Eventually(t, func() bool { return len(h.JobOf(s.Key).PIDs) == 1 }, cloudtest.Hang, 10*time.Millisecond)
			begun := time.Now()
			require.NotNil(t, h.Cancel(s.Key, handle).GetAccepted())
			end, _ := h.Watch(s.Key, handle)
			assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
			assert.Equal(t, operatorv1.Class_CLASS_CANCELLED, end.Class)
			assert.GreaterOrEqual(t, time.Since(begun), 1500*time.Millisecond)
			assert.Empty(t, h.JobOf(s.Key).PIDs)
			assert.NotNil(t, h.Cancel(s.Key, handle).GetAlreadyOver())
		})
	}
}

// TestTheContextDoesNotEndTheSandbox: a Submit whose caller goes away leaves a
// sandbox that runs, also one that waits for a machine.
func TestTheContextDoesNotEndTheSandbox(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{QueuedMS: 3000})
	s := h.on("v1", h.Step("goes on", "true"))
	prepared, _ := h.Prepare(s)
	ctx, cancel := context.WithCancel(h.Ctx())
	r, err := h.Plugin.Submit(ctx, &operatorv1.SubmitRequest{Target: h.Target, Step: s, Prepared: prepared, RequestDigest: cloudtest.Digest()})
	cancel()
	require.NoError(t, err)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	end, seen := h.Watch(s.Key, r.GetAccepted().Handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	require.NotEmpty(t, seen)
	assert.Equal(t, operatorv1.Phase_PHASE_QUEUED, seen[0].GetStatus().GetPhase(), "Submit did not wait for a machine")
	assert.Zero(t, h.Counted()["SandboxTerminate"])
}

// TestDeleted: a sandbox that Modal no longer knows is LOST.
func TestDeleted(t *testing.T) {
	h := newHarness(t)
	s := h.Step("deleted", "sleep 600")
	handle := h.Accepted(s)
	require.NoError(t, h.Delete(h.Ctx(), h.JobOf(s.Key).Name))
	end, _ := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.Phase)
	assert.NotNil(t, h.Cancel(s.Key, handle).GetAlreadyOver())
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindKey(s.Key).Outcome)
}

// TestRevokedToken: a token that is no longer good is "could not ask"; the run
// goes on behind it.
func TestRevokedToken(t *testing.T) {
	h := newHarness(t)
	s := h.Step("revoked", "sleep 2")
	handle := h.Accepted(s)
	require.NoError(t, h.Set(h.Ctx(), "revoked", "true"))
	got := h.FindKey(s.Key)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, got.GetCouldNotAsk().GetReason(), "%v", got)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, h.Cancel(s.Key, handle).GetCouldNotAsk().GetReason())
	require.NoError(t, h.Set(h.Ctx(), "revoked", "false"))
	end, _ := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
}

// TestWrongWorkspace: a token of another workspace says nothing about this one's
// sandboxes.
func TestWrongWorkspace(t *testing.T) {
	h := newHarness(t)
	assert.Equal(t, "modal:ac-fake-workspace:main:stephost", h.Target.Scope.Id)
	s := h.Step("workspace", "sleep 600")
	handle := h.Accepted(s)
	require.NoError(t, h.Set(h.Ctx(), "workspace", "another"))
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, h.FindKey(s.Key).GetCouldNotAsk().GetReason())
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, h.Cancel(s.Key, handle).GetCouldNotAsk().GetReason())
	scope, err := h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: h.TargetOf(operator("workspace", fake.Workspace))})
	require.NoError(t, err)
	require.Len(t, scope.Diagnostics, 1, "%v", scope)
	assert.Equal(t, []string{"config", "workspace"}, scope.Diagnostics[0].Attribute)
}
