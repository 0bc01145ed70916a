//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/limit"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestFind(t *testing.T) {
	h := newHarness(t)
	first, second := h.command("tok/en with spaces", "true"), h.command("tok/en with spaces", "false")
	second.Attempt, second.Key = 2, keyOf(second.RunToken, 2)
	other := h.command("other", "true")
	for _, s := range []*operatorv1.Step{first, second, other} {
		h.watch(s.Key, h.accepted(s))
	}
	find := func(r *operatorv1.FindRequest) *operatorv1.FindResponse {
		r.Target = h.target
		got, err := h.client.Find(h.ctx(), r)
		require.NoError(t, err)
		require.Nil(t, got.CouldNotAsk, "%v", got)
		return got
	}
	byToken := find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: first.RunToken}})
	require.Len(t, byToken.Jobs, 2)
	phases := map[int32]operatorv1.Phase{}
	for _, j := range byToken.Jobs {
		phases[j.Attempt] = j.Phase
		assert.Equal(t, first.RunId, j.RunId)
		assert.Equal(t, digest(), j.RequestDigest)
		assert.Equal(t, keyOf(first.RunToken, int(j.Attempt)), j.Key)
		assert.False(t, j.Incomplete)
	}
	assert.Equal(t, map[int32]operatorv1.Phase{1: operatorv1.Phase_PHASE_SUCCEEDED, 2: operatorv1.Phase_PHASE_FAILED}, phases)

	byKey := find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_Key{Key: other.Key}})
	require.Len(t, byKey.Jobs, 1)
	end, _ := h.watch(other.Key, byKey.Jobs[0].Handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "the handle that was found works")

	absent := operatorv1.FindResponse_OUTCOME_ABSENT
	assert.Equal(t, absent, find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_Key{Key: keyOf("nobody", 1)}}).Outcome)
	assert.Equal(t, absent, find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: "nobody"}}).Outcome)
}

func TestWrongScopeIsNoVerdict(t *testing.T) {
	h := newHarness(t)
	s := h.command("scope", "true")
	handle := h.accepted(s)
	h.watch(s.Key, handle)
	elsewhere := h.targetAt(t.TempDir())
	elsewhere.Scope = h.target.Scope
	r, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: elsewhere, By: &operatorv1.FindRequest_Key{Key: s.Key}})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, r.GetCouldNotAsk().GetReason(), "%v", r)
}

func TestScopeIsStable(t *testing.T) {
	h := newHarness(t)
	for range 3 {
		r, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.target})
		require.NoError(t, err)
		assert.Equal(t, h.target.Scope.Id, r.GetScope().Id)
		assert.Contains(t, r.GetScope().Display, h.state.Root())
	}
}

func TestOutputsAndCleanup(t *testing.T) {
	h := newHarness(t)
	s := h.command("outputs", "sh", "-c", `mkdir $STEPHOST_OUTPUT_DIR/deep; printf 12345 > $STEPHOST_OUTPUT_DIR/deep/model.bin; ln -s /etc/passwd $STEPHOST_OUTPUT_DIR/link; pwd; touch scratch`)
	handle := h.accepted(s)
	end, _ := h.watch(s.Key, handle)
	require.Len(t, end.Outputs, 1)
	assert.Equal(t, "deep/model.bin", end.Outputs[0].Name)
	assert.EqualValues(t, 5, end.Outputs[0].Bytes)
	assert.FileExists(t, end.Outputs[0].Location)
	job := h.job(s.Key)
	assert.Equal(t, job.Work()+"\n", h.logs(s.Key, handle, true, nil).bytes["stdout"].String())
	h.gone(s.Key)

	clean := func(what operatorv1.CleanupRequest_What) {
		r, err := h.client.Cleanup(h.ctx(), &operatorv1.CleanupRequest{Target: h.target, Handle: handle, Key: s.Key, What: what})
		require.NoError(t, err)
		require.Nil(t, r.CouldNotAsk, "%v", r)
		require.Empty(t, r.Diagnostics)
	}
	for range 2 {
		clean(operatorv1.CleanupRequest_WHAT_LEFTOVERS)
		assert.NoDirExists(t, job.Work())
		assert.FileExists(t, end.Outputs[0].Location)
	}
	for range 2 {
		clean(operatorv1.CleanupRequest_WHAT_RECORD)
		assert.NoDirExists(t, job.Dir)
	}
	end, _ = h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.Phase, "a record that was removed cannot tell the verdict any more")
}

// What a step does to its output directory never costs its verdict, and what cannot
// be listed is said.
func TestOddOutputs(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		script, message string
		names           []string
	}{
		"a name that is no UTF-8": {`printf a > "$STEPHOST_OUTPUT_DIR/a"; printf z > "$STEPHOST_OUTPUT_DIR/$(printf 'bad\377')"; exit 3`,
			`listed as one directory, since a name among them is no UTF-8 text: "bad\xff"`, []string{"."}},
		"a file in its place": {`rm -rf "$STEPHOST_OUTPUT_DIR"; echo f > "$STEPHOST_OUTPUT_DIR"; exit 3`, "something else in the place of its STEPHOST_OUTPUT_DIR", nil},
		"a link in its place": {`rm -rf "$STEPHOST_OUTPUT_DIR"; ln -s /tmp "$STEPHOST_OUTPUT_DIR"; exit 3`, "something else in the place of its STEPHOST_OUTPUT_DIR", nil},
		"removed":             {`rm -rf "$STEPHOST_OUTPUT_DIR"; exit 3`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.command(name, "sh", "-c", c.script)
			end, _ := h.watch(s.Key, h.accepted(s))
			assert.EqualValues(t, 3, end.GetExitCode())
			if c.message == "" {
				assert.Empty(t, end.GetMessage())
			}
			assert.Contains(t, end.GetMessage(), c.message)
			var names []string
			for _, o := range end.GetOutputs() {
				names = append(names, o.GetName())
			}
			assert.Equal(t, c.names, names)
		})
	}
}

func TestCleanupLeavesALivingJobAlone(t *testing.T) {
	h := newHarness(t)
	s := h.step("living", "polite")
	handle := h.accepted(s)
	h.printed(s.Key, "ready")
	r, err := h.client.Cleanup(h.ctx(), &operatorv1.CleanupRequest{Target: h.target, Handle: handle, Key: s.Key, What: operatorv1.CleanupRequest_WHAT_RECORD})
	require.NoError(t, err)
	require.NotEmpty(t, r.Diagnostics)
	h.cancel(s.Key, handle, hang, false)
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_CANCELLED, end.Phase)
}

func TestPlanIsWhatRuns(t *testing.T) {
	h := newHarness(t)
	s := h.step("plan", "tell", nasty()...)
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "s3cr3t"}}
	s.Resources = &operatorv1.Resources{CpuMillis: 500}
	plan, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.target, Step: s})
	require.NoError(t, err)
	require.Empty(t, plan.Diagnostics)
	assert.NotContains(t, plan.Request, "s3cr3t")
	var shown planned
	require.NoError(t, json.Unmarshal([]byte(plan.Request), &shown))
	assert.NoDirExists(t, h.state.Jobs(), "a plan creates nothing")

	handle := h.accepted(s)
	h.watch(s.Key, handle)
	var ran told
	require.NoError(t, json.Unmarshal(h.logs(s.Key, handle, true, nil).bytes["stdout"].Bytes(), &ran))
	assert.Equal(t, shown.Argv, ran.Argv)
	assert.Equal(t, shown.Directory, ran.Dir)
	assert.Equal(t, []string{"HF_TOKEN"}, shown.Secrets)
	assert.EqualValues(t, 1, shown.Cores)
	assert.Equal(t, []string{"cpu 0.5 -> 1 cores by affinity: a part of a core is rounded up"}, plan.Notes)
	env := map[string]string{"HF_TOKEN": "s3cr3t"}
	for name, value := range shown.Env {
		env[name] = value
	}
	for _, kv := range ran.Env {
		name, value, _ := strings.Cut(kv, "=")
		assert.Equal(t, env[name], value, name)
		delete(env, name)
	}
	assert.Empty(t, env)
}

func TestPlanWithoutAKey(t *testing.T) {
	h := newHarness(t)
	s := h.command("plan", "true")
	s.Key, s.RunId = "", ""
	plan, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: h.target, Step: s})
	require.NoError(t, err)
	require.Empty(t, plan.Diagnostics)
	assert.Contains(t, plan.Request, "known at launch")
}

func TestCoresAreLimited(t *testing.T) {
	h := newHarness(t)
	s := h.command("cores", "nproc")
	s.Resources = &operatorv1.Resources{CpuMillis: 1000}
	handle := h.accepted(s)
	h.watch(s.Key, handle)
	assert.Equal(t, "1\n", h.logs(s.Key, handle, true, nil).bytes["stdout"].String())
}

func TestMemory(t *testing.T) {
	h := newHarness(t)
	s := h.command("memory", "true")
	s.Resources = &operatorv1.Resources{MemoryBytes: 64 << 20}
	validate := func() []*operatorv1.Diagnostic {
		r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: h.target, Step: s})
		require.NoError(t, err)
		return r.Diagnostics
	}
	if _, err := limit.MemoryParent(); err == nil {
		t.Log("this machine can limit memory: a step that takes more is ended")
		require.Empty(t, validate())
		s = h.command("greedy", "python3", "-c", "x = bytearray(256 << 20); print(len(x))")
		s.Resources = &operatorv1.Resources{MemoryBytes: 64 << 20}
		end, _ := h.watch(s.Key, h.accepted(s))
		assert.Equal(t, operatorv1.Class_CLASS_USER, end.Class)
		assert.Equal(t, "OutOfMemory", end.Reason)
		return
	}
	t.Log("this machine cannot limit memory: a request is refused")
	found := validate()
	require.Len(t, found, 1)
	assert.Equal(t, []string{"resources", "memory"}, found[0].Attribute)
	assert.Contains(t, found[0].Summary+found[0].Detail, "best_effort")
	require.NotNil(t, h.submit(s).GetRejected())

	s.Settings = &operatorv1.Values{Json: []byte(`{"best_effort":true}`)}
	require.Empty(t, validate())
	r := h.submit(s)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	require.Len(t, r.Diagnostics, 1)
	assert.Equal(t, operatorv1.Severity_SEVERITY_WARNING, r.Diagnostics[0].Severity)
	h.watch(s.Key, r.GetAccepted().Handle)
	h.gone(s.Key)
}

// The GPUs of this test are files; what is tested is who gets them.
func TestGPUsStayTakenUntilTheStepIsGone(t *testing.T) {
	dev := t.TempDir()
	for i := range 2 {
		require.NoError(t, os.WriteFile(filepath.Join(dev, "nvidia"+strconv.Itoa(i)), nil, 0o600))
	}
	h := newHarnessOf(t, &local{jobs: newLocal().jobs, environ: os.Environ, machine: limit.Machine{Devices: dev}})
	gpu := func(token string, n int64, argv ...string) (*operatorv1.Step, *operatorv1.Handle) {
		s := h.command(token, argv...)
		s.Resources = &operatorv1.Resources{Gpu: n}
		return s, h.accepted(s)
	}
	const say = `echo $CUDA_VISIBLE_DEVICES; exec sleep 3600`
	first, firstHandle := gpu("first", 1, "sh", "-c", say)
	h.printed(first.Key, "0\n")
	second, secondHandle := gpu("second", 1, "sh", "-c", say)
	h.printed(second.Key, "1\n")
	third, handle := gpu("third", 1, "true")
	end, _ := h.watch(third.Key, handle)
	assert.Equal(t, operatorv1.Class_CLASS_CAPACITY, end.Class)
	assert.Equal(t, "NoFreeGPU", end.Reason)
	_, err := h.job(third.Key).ReadStarted()
	assert.Error(t, err, "nothing was started")

	h.cancel(first.Key, firstHandle, 0, true)
	h.watch(first.Key, firstHandle)
	h.gone(first.Key)
	fourth, handle := gpu("fourth", 1, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
	end, _ = h.watch(fourth.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
	h.gone(fourth.Key)

	h.killRunner(second.Key) // the step goes on, and so does its hold on the GPU
	fifth, handle := gpu("fifth", 2, "true")
	end, _ = h.watch(fifth.Key, handle)
	assert.Equal(t, operatorv1.Class_CLASS_CAPACITY, end.Class)
	h.cancel(second.Key, secondHandle, 0, true)
	h.watch(second.Key, secondHandle)
	h.gone(second.Key)
}

func TestStateDirThatCannotBeUsed(t *testing.T) {
	h := newHarness(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	target := h.targetAt(filepath.Join(file, "below"))
	r, err := h.client.Validate(h.ctx(), &operatorv1.ValidateRequest{Target: target, Online: true})
	require.NoError(t, err)
	require.NotEmpty(t, r.Diagnostics)
	assert.Equal(t, []string{"config", "state_dir"}, r.Diagnostics[0].Attribute)
}

func TestDefaultStateDir(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"xdg":          {[]string{"HOME=/home/me", "XDG_STATE_HOME=/xdg"}, "/xdg/stephost-local"},
		"relative xdg": {[]string{"HOME=/home/me", "XDG_STATE_HOME=xdg"}, "/home/me/.local/state/stephost-local"},
		"home":         {[]string{"HOME=/home/me"}, "/home/me/.local/state/stephost-local"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &local{environ: func() []string { return c.env }}
			got, err := l.state(Config{})
			require.NoError(t, err)
			assert.Equal(t, c.want, got.Root())
		})
	}
	_, err := newLocal().state(Config{StateDir: "relative"})
	assert.Error(t, err)
}

func TestAfterARestartOfTheMachine(t *testing.T) {
	h := newHarness(t)
	s := h.command("boot", "true")
	job := h.job(s.Key)
	_, _, err := h.state.Create(job, jobdir.Meta{RunToken: s.RunToken, Attempt: 1, RequestDigest: digest()})
	require.NoError(t, err)
	require.NoError(t, h.state.MarkStarted(job, jobdir.Started{Place: jobdir.Place{Boot: "an earlier one", Namespace: "pid:[1]"}}))
	handle := h.accepted(s)
	end, _ := h.watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_LOST, end.Phase)
	assert.Equal(t, "MachineRestarted", end.Reason)
}

func TestManifestAgreesWithTheCode(t *testing.T) {
	_, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf(newLocal()))
	require.NoError(t, err)
}

// A runner keeps none of the descriptors that its plugin inherited: the host's
// lifeline must end with the plugin.
func TestNothingOfThePluginIsInherited(t *testing.T) {
	h := newHarness(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	s := h.command("inherit", "sleep", "3600")
	job := h.job(s.Key)
	_, _, err = h.state.Create(job, jobdir.Meta{RunToken: s.RunToken, Attempt: 1, RequestDigest: digest()})
	require.NoError(t, err)
	// Started as a plugin does it whose descriptor 3 the host left open.
	cmd := exec.Command(h.self, "runner", job.Dir)
	cmd.Env, cmd.ExtraFiles = []string{}, []*os.File{w}
	cmd.Stdin = strings.NewReader(`{"Argv":["sleep","3600"],"Env":["PATH=/usr/bin:/bin"],"Dir":"/"}`)
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	_, err = r.Read(make([]byte, 1))
	require.Error(t, err, "the other end is closed while the runner and the step live")
	handle := h.accepted(s)
	h.cancel(s.Key, handle, 0, true)
	h.watch(s.Key, handle)
	require.NoError(t, cmd.Wait())
}
