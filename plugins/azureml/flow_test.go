package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// show is a script that writes its arguments, a variable and outputs into dir.
func show(dir string) string {
	return `echo hello; echo oops >&2; printf %s "$LONG" > ` + dir + `/long; for a; do printf '%s|' "$a"; done > ` + dir +
		`/argv; mkdir -p "$STEPHOST_OUTPUT_DIR/deep"; for f in deep/model.bin a b; do printf 1 > "$STEPHOST_OUTPUT_DIR/$f"; done`
}

// TestTheLifeOfAJob: with the shim and without, the step gets exactly what was
// written, its log is whole and its outputs are listed.
func TestTheLifeOfAJob(t *testing.T) {
	for _, shim := range []bool{true, false} {
		t.Run(fmt.Sprintf("shim=%v", shim), func(t *testing.T) {
			h := newHarness(t)
			dir := t.TempDir()
			s := h.Step("life", "")
			s.Environment.GetImage().Shim = shim
			var args []string
			for _, a := range nasty() {
				if strings.ToValidUTF8(a, "") == a { // the contract's strings are text
					args = append(args, a)
				}
			}
			s.Argv = append([]string{"sh", "-c", show(dir), "sh"}, args...)
			s.Env = map[string]string{"LONG": strings.Repeat("ä", 1000)}
			if shim {
				s.Env["LONG"] += "${{x}}"
				s.Env["with.dot"] = "x"
			}
			r := h.Submit(s)
			require.NotNil(t, r.GetAccepted(), "%v", r)
			assert.Contains(t, r.GetAccepted().Url, "https://ml.azure.com/runs/stephost-"+s.Key)
			end, seen := h.Watch(s.Key, r.GetAccepted().Handle)
			require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
			assert.EqualValues(t, 0, end.GetExitCode())
			assert.NotEmpty(t, seen)
			read := func(name string) string {
				text, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				return string(text)
			}
			assert.Equal(t, strings.Join(args, "|")+"|", read("argv"))
			assert.Equal(t, s.Env["LONG"], read("long"))

			streams, cursors := h.Logs(s.Key, r.GetAccepted().Handle, nil)
			assert.ElementsMatch(t, []string{"hello", "oops", ""}, strings.Split(cloudtest.Only(t, streams), "\n"))
			again, _ := h.Logs(s.Key, r.GetAccepted().Handle, cursors)
			assert.Empty(t, again, "nothing comes twice")

			var names []string
			for _, o := range end.Outputs {
				names = append(names, o.Name)
				assert.Equal(t, "azureml://jobs/stephost-"+s.Key+"/outputs/artifacts/paths/outputs/"+o.Name, o.Location)
			}
			assert.ElementsMatch(t, []string{"deep/model.bin", "a", "b"}, names)
		})
	}
}

// TestNamedEnvironment: the source travels as a code asset, and the job runs in
// the newest version.
func TestNamedEnvironment(t *testing.T) {
	h := newHarness(t)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "pkg"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pkg", "train.sh"), []byte("echo trained $1\n"), 0o600))
	s := h.Step("named", "")
	s.Argv = []string{"sh", "src/pkg/train.sh", "a b"}
	s.Settings = h.Settings(map[string]any{"environment_name": "sklearn"})
	s.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Raw_{Raw: &operatorv1.Environment_Raw{
		Source: []*operatorv1.SourceRoot{{Path: dir, Target: "src", Digest: strings.Repeat("1f", 32)}}}}}
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	streams, _ := h.Logs(s.Key, handle, nil)
	assert.Equal(t, "trained a b\n", cloudtest.Only(t, streams))
	assert.Contains(t, string(h.JobOf(s.Key).Request), "/environments/sklearn/versions/7")

	s.Environment.GetRaw().Requirements = []string{"torch"}
	_, found := h.Prepare(s)
	require.NotEmpty(t, found)
	assert.Contains(t, found[0].Summary, "requirements cannot be installed")
	s.Environment.GetRaw().Requirements = nil
	s.Settings = h.Settings(map[string]any{"environment_name": "nowhere"})
	_, found = h.Prepare(s)
	require.NotEmpty(t, found)
	assert.Contains(t, found[0].Summary, "no environment nowhere")
}

// TestEnds: how jobs end, and whose matter that is.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		life   cloudfake.Life
		given  bool // the image is given: no shim
		run    time.Duration
		phase  operatorv1.Phase
		class  operatorv1.Class
		code   int32
		reason string
	}{
		"exit code":             {script: "echo bye; exit 7", phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 7},
		"exit code, no shim":    {script: "exit 7", given: true, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 7},
		"killed, no shim":       {script: "kill -9 $$", given: true, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 137},
		"no capacity":           {life: cloudfake.Life{NoCapacity: true}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_CAPACITY, reason: "InsufficientCapacity"},
		"no image":              {life: cloudfake.Life{NoImage: true}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_CONFIG, reason: "ImagePullFailed"},
		"the service fails":     {life: cloudfake.Life{Broken: true}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_SYSTEM, reason: "ServiceError"},
		"preempted":             {script: "sleep 3600", life: cloudfake.Life{PreemptAfterMS: 50}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_PREEMPTED, reason: "Preempted"},
		"the run limit":         {script: "sleep 3600", run: time.Second, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_TIMEOUT, reason: "Timeout"},
		"a record that is gone": {script: "true", life: cloudfake.Life{DeleteAfterMS: 1}, phase: operatorv1.Phase_PHASE_LOST, class: operatorv1.Class_CLASS_LOST, reason: "JobDeleted"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.Life(c.life)
			s := h.Step("ends", c.script)
			if c.run > 0 {
				s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(c.run)}
			}
			s.Environment.GetImage().Shim = !c.given
			handle := h.Accepted(s)
			if c.life.DeleteAfterMS > 0 {
				require.Eventually(t, func() bool {
					jobs, err := h.ByKey(h.Ctx(), s.Key)
					return err == nil && len(jobs) == 0
				}, cloudtest.Hang, time.Millisecond)
			}
			end, _ := h.Watch(s.Key, handle)
			assert.Equal(t, c.phase, end.Phase, "%v", end)
			assert.Equal(t, c.class, end.Class, "%v", end)
			assert.Equal(t, c.code, end.GetExitCode())
			if c.reason != "" {
				assert.Equal(t, c.reason, end.Reason)
			}
		})
	}
}

func TestNodes(t *testing.T) {
	for _, shim := range []bool{true, false} {
		h := newHarness(t)
		s := h.Step("nodes", `echo "$STEPHOST_RANK of $STEPHOST_WORLD_SIZE"`)
		s.Resources = &operatorv1.Resources{Nodes: 3}
		s.Environment.GetImage().Shim = shim
		handle := h.Accepted(s)
		end, _ := h.Watch(s.Key, handle)
		assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
		streams, _ := h.Logs(s.Key, handle, nil)
		for i := range 3 {
			require.NotNil(t, streams[fmt.Sprintf("1/0/%d/step/stdout", i)], "%v", streams)
			assert.Equal(t, fmt.Sprintf("%d of 3\n", i), streams[fmt.Sprintf("1/0/%d/step/stdout", i)].String())
		}
	}
}

// TestLogsOfANodeThatBeginsAnew: the file is written over, which is said, and
// nothing of the second start is lost.
func TestLogsOfANodeThatBeginsAnew(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{RestartAfterMS: 3000, Restarts: 1})
	mark := filepath.Join(t.TempDir(), "mark")
	s := h.Step("anew", `if [ -e `+mark+` ]; then echo 2; exit 0; fi; touch `+mark+`; echo a much longer first; sleep 3600`)
	handle := h.Accepted(s)
	streams, _ := h.Logs(s.Key, handle, nil)
	require.Len(t, streams, 2, "%v", streams)
	assert.Equal(t, "a much longer first\n", streams["1/0/0/step/stdout"].String())
	assert.Equal(t, "2\n", streams["1/1/0/step/stdout"].String())
}

// TestSignatureThatEnds: addresses are asked for anew.
func TestSignatureThatEnds(t *testing.T) {
	h := newHarness(t)
	begin := filepath.Join(t.TempDir(), "go")
	s := h.Step("signature", `echo one; while [ ! -e `+begin+` ]; do sleep 0.05; done; echo two`)
	handle := h.Accepted(s)
	read := make(chan string)
	go func() {
		streams, _ := h.Logs(s.Key, handle, nil)
		read <- cloudtest.Only(t, streams)
	}()
	require.Eventually(t, func() bool {
		calls, err := h.Calls(h.Ctx())
		return err == nil && calls["Blob.Get"] > 0
	}, cloudtest.Hang, 10*time.Millisecond)
	require.NoError(t, h.Set(h.Ctx(), "signature", "ended"))
	require.NoError(t, os.WriteFile(begin, nil, 0o600))
	assert.Equal(t, "one\ntwo\n", <-read)
}

func TestCancel(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{CancelMS: 300})
	s := h.Step("cancel", "sleep 3600")
	handle := h.Accepted(s)
	require.Eventually(t, func() bool { return len(h.JobOf(s.Key).PIDs) > 0 }, cloudtest.Hang, time.Millisecond)
	for range 2 {
		r, err := h.Plugin.Cancel(h.Ctx(), &operatorv1.CancelRequest{Target: h.Target, Handle: handle, Key: s.Key})
		require.NoError(t, err)
		require.NotNil(t, r.GetAccepted(), "%v", r)
	}
	end, _ := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
	assert.Empty(t, h.JobOf(s.Key).PIDs, "confirmed means gone")
	r, err := h.Plugin.Cancel(h.Ctx(), &operatorv1.CancelRequest{Target: h.Target, Handle: handle, Key: s.Key})
	require.NoError(t, err)
	require.NotNil(t, r.GetAlreadyOver(), "%v", r)
}

// TestSubmitFaults: what may be called certain.
func TestSubmitFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault   cloudfake.Fault
		outcome string
		class   operatorv1.Class
		jobs    int
	}{
		"throttled":  {cloudfake.Fault{Kind: cloudfake.Throttled}, "not sent", 0, 0},
		"expired":    {cloudfake.Fault{Kind: cloudfake.Expired}, "not sent", 0, 0},
		"denied":     {cloudfake.Fault{Kind: cloudfake.Denied}, "not sent", 0, 0},
		"quota":      {cloudfake.Fault{Kind: cloudfake.Quota}, "rejected", operatorv1.Class_CLASS_CAPACITY, 0},
		"5xx":        {cloudfake.Fault{Kind: cloudfake.Internal}, "uncertain", 0, 0},
		"dropped":    {cloudfake.Fault{Kind: cloudfake.Drop}, "uncertain", 0, 0},
		"reply lost": {cloudfake.Fault{Kind: cloudfake.ReplyLost}, "uncertain", 0, 1},
		"lands late": {cloudfake.Fault{Kind: cloudfake.LandsLate, DelayMS: 100}, "uncertain", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			s := h.Step("fault", "true")
			h.Rule("JobsClient.CreateOrUpdate", 1, c.fault)
			r := h.Submit(s)
			got := map[bool]string{r.GetRejected() != nil: "rejected", r.GetNotSent() != nil: "not sent", r.GetUncertain() != nil: "uncertain", r.GetAccepted() != nil: "accepted"}[true]
			assert.Equal(t, c.outcome, got, "%v", r)
			if c.class != 0 {
				assert.Equal(t, c.class, r.Diagnostics[0].Class)
			}
			require.Eventually(t, func() bool {
				jobs, err := h.ByKey(h.Ctx(), s.Key)
				return err == nil && len(jobs) == c.jobs
			}, cloudtest.Hang, time.Millisecond)
			calls, err := h.Calls(h.Ctx())
			require.NoError(t, err)
			assert.Equal(t, 1, calls["JobsClient.CreateOrUpdate"], "no hidden retries")
			// The same request again leads to one job, whatever happened.
			again := h.Submit(s)
			require.NotNil(t, again.GetAccepted(), "%v", again)
			assert.Equal(t, c.jobs == 1, again.GetAccepted().Existing)
			calls, err = h.Calls(h.Ctx())
			require.NoError(t, err)
			assert.Equal(t, 2-c.jobs, calls["JobsClient.CreateOrUpdate"], "a job that is there is not PUT again")
		})
	}
}

// TestAnotherRequest: a name that is taken is never updated.
func TestAnotherRequest(t *testing.T) {
	h := newHarness(t)
	s := h.Step("other", "sleep 3600")
	h.Accepted(s)
	r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: s, RequestDigest: strings.Repeat("0b", 32)})
	require.NoError(t, err)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Contains(t, r.Diagnostics[0].Summary, "belongs to another request")
}

// TestLateListing: a list shows a fresh job late; the name does not.
func TestLateListing(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{ListedAfterMS: 600_000})
	s := h.Step("late-list", "sleep 3600")
	h.Accepted(s)
	byToken := h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: s.RunToken}})
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_UNDETERMINED, byToken.Outcome, "%v", byToken)
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_FOUND, h.FindKey(s.Key).Outcome)
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindKey(cloudtest.KeyOf("never", 1)).Outcome)
}

// TestCompute: what is there is looked at, and made only when asked to.
func TestCompute(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		settings  map[string]any
		resources *operatorv1.Resources
		want      string // a diagnostic; "" = it runs
	}{
		"cluster":     {map[string]any{"compute_name": "cpu-cluster"}, &operatorv1.Resources{CpuMillis: 4000, Nodes: 2}, ""},
		"instance":    {map[string]any{"compute_name": "my-instance", "mode": "compute-instance"}, nil, ""},
		"missing":     {map[string]any{"compute_name": "nothing"}, nil, "create = true"},
		"made":        {map[string]any{"compute_name": "new-cluster", "create": true, "size": "standard_ds3_v2", "tier": "low_priority", "min_instances": 1, "max_instances": 3, "idle_time_before_scaledown": 60, "location": "northeurope"}, nil, ""},
		"too small":   {map[string]any{"compute_name": "cpu-cluster"}, &operatorv1.Resources{CpuMillis: 8000}, "the step asks for 8 cpu, but Standard_DS3_v2 has 4"},
		"too few":     {map[string]any{"compute_name": "cpu-cluster"}, &operatorv1.Resources{Nodes: 9}, "has at most 4"},
		"wrong mode":  {map[string]any{"compute_name": "cpu-cluster", "mode": "compute-instance"}, nil, "is a compute cluster"},
		"stopped":     {map[string]any{"compute_name": "stopped"}, nil, "is in the state Stopped"},
		"failed":      {map[string]any{"compute_name": "broken"}, nil, "is in the state Failed"},
		"one machine": {map[string]any{"compute_name": "my-instance"}, &operatorv1.Resources{Nodes: 2}, "is one machine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.Step("compute-"+name, "true")
			s.Settings, s.Resources = h.Settings(c.settings), c.resources
			_, found := h.Prepare(s)
			if c.want != "" {
				require.NotEmpty(t, found)
				assert.Contains(t, fmt.Sprint(found), c.want)
				return
			}
			end, _ := h.Watch(s.Key, h.Accepted(s))
			assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
		})
	}
}
