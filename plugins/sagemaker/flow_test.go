package main

import (
	"encoding/json"
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

func TestTheLifeOfAJob(t *testing.T) {
	h := newHarness(t)
	nasty := []string{"$(HOME)", "$$", "${{x}}", "a\rb", "a\nb", `"'\`, "", strings.Repeat("x", 10_000)}
	dir := t.TempDir()
	s := h.Step("life", "")
	s.Argv = append([]string{"sh", "-c", `echo hello; echo oops >&2; printf %s "$LONG" > ` + dir + `/long; tr '\\0' '\\n' < /proc/$$/environ | grep -c '^with.dot=x$' > ` + dir + `/dot; shift 0; for a; do printf '%s|' "$a"; done > ` + dir + `/argv; mkdir -p "$STEPHOST_OUTPUT_DIR/deep"; printf 12345 > "$STEPHOST_OUTPUT_DIR/deep/model.bin"; printf 1 > "$STEPHOST_OUTPUT_DIR/a"; printf 2 > "$STEPHOST_OUTPUT_DIR/b"`, "sh"}, nasty...)
	s.Env = map[string]string{"LONG": strings.Repeat("ä", 1000), "with.dot": "x"}
	r := h.Submit(s)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	assert.Contains(t, r.GetAccepted().Url, "region=eu-west-1#/jobs/stephost-"+s.Key)
	end, seen := h.Watch(s.Key, r.GetAccepted().Handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	assert.EqualValues(t, 0, end.GetExitCode())
	assert.NotEmpty(t, seen)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(text)
	}
	assert.Equal(t, strings.Join(nasty, "|")+"|", read("argv"))
	assert.Equal(t, strings.Repeat("ä", 1000), read("long"))
	assert.Equal(t, "1\n", read("dot"))

	streams, cursors := h.Logs(s.Key, r.GetAccepted().Handle, nil)
	assert.ElementsMatch(t, []string{"hello", "oops", ""}, strings.Split(cloudtest.Only(t, streams), "\n"))
	again, _ := h.Logs(s.Key, r.GetAccepted().Handle, cursors)
	assert.Empty(t, again, "nothing comes twice")

	outputs := map[string]int64{}
	for _, o := range end.Outputs {
		outputs[o.Name] = o.Bytes
		assert.True(t, strings.HasPrefix(o.Location, "s3://sagemaker-eu-west-1-123456789012/stephost/stephost-"+s.Key+"/output/model/"), o.Location)
	}
	assert.Equal(t, map[string]int64{"deep/model.bin": 5, "a": 1, "b": 1}, outputs)
}

func TestOutputsAsArchive(t *testing.T) {
	h := newHarness(t)
	s := h.Step("archive", `printf 12345 > "$STEPHOST_OUTPUT_DIR/model.bin"`)
	s.Settings = h.Settings(map[string]any{"output_compression": "GZIP"})
	end, _ := h.Watch(s.Key, h.Accepted(s))
	require.Len(t, end.Outputs, 1)
	assert.Equal(t, "model.tar.gz", end.Outputs[0].Name)
}

// TestEnds: how jobs end, and whose matter that is.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		life    cloudfake.Life
		given   bool // the image is given: no shim
		setting map[string]any
		run     time.Duration
		phase   operatorv1.Phase
		class   operatorv1.Class
		code    int32
		reason  string
	}{
		"exit code":             {script: "echo bye; exit 7", phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 7},
		"exit code, no shim":    {script: "exit 7", given: true, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 7},
		"killed":                {script: "kill -9 $$", phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_USER, code: 137},
		"no capacity":           {life: cloudfake.Life{NoCapacity: true}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_CAPACITY, reason: "CapacityError"},
		"no image":              {life: cloudfake.Life{NoImage: true}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_CONFIG, reason: "ClientError"},
		"the service fails":     {life: cloudfake.Life{Broken: true}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_SYSTEM, reason: "InternalServerError"},
		"an instance is lost":   {script: "sleep 3600", life: cloudfake.Life{PreemptAfterMS: 50}, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_SYSTEM},
		"the run limit":         {script: "sleep 3600", run: time.Second, phase: operatorv1.Phase_PHASE_FAILED, class: operatorv1.Class_CLASS_TIMEOUT, reason: "MaxRuntimeExceeded"},
		"a record that is gone": {script: "true", life: cloudfake.Life{DeleteAfterMS: 1, CancelMS: 1}, phase: operatorv1.Phase_PHASE_LOST, class: operatorv1.Class_CLASS_LOST, reason: "JobDeleted"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.Life(c.life)
			s := h.Step("ends", c.script)
			if c.run > 0 {
				s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(c.run)}
			}
			if c.given {
				s.Environment.GetImage().Shim = false
			}
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

func TestSpotRestartsAreCountedAndBeginAnEpoch(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{PreemptAfterMS: 400})
	mark := filepath.Join(t.TempDir(), "mark")
	s := h.Step("spot", `if [ -e `+mark+` ]; then echo second; exit 0; fi; touch `+mark+`; echo first; sleep 3600`)
	s.Settings = h.Settings(map[string]any{"use_spot": true})
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	assert.EqualValues(t, 1, end.Restarts)
	streams, _ := h.Logs(s.Key, handle, nil)
	require.Len(t, streams, 2)
	assert.Equal(t, "first\n", streams["1/0/0/algo/stdout"].String())
	assert.Equal(t, "second\n", streams["1/1/0/algo/stdout"].String())
}

func TestNodes(t *testing.T) {
	h := newHarness(t)
	s := h.Step("nodes", `echo "$STEPHOST_RANK of $STEPHOST_WORLD_SIZE"`)
	s.Resources = &operatorv1.Resources{Nodes: 3}
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	streams, _ := h.Logs(s.Key, handle, nil)
	for i := range 3 {
		require.NotNil(t, streams[fmt.Sprintf("1/0/%d/algo/stdout", i)], "%v", streams)
		assert.Equal(t, fmt.Sprintf("%d of 3\n", i), streams[fmt.Sprintf("1/0/%d/algo/stdout", i)].String())
	}
	s = h.Step("nodes-given", "true")
	s.Resources = &operatorv1.Resources{Nodes: 2}
	s.Environment.GetImage().Shim = false
	r := h.Submit(s)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Contains(t, r.Diagnostics[0].Summary, "nodes > 1")
}

func TestLogsThatComeLateAndOutOfOrder(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{LogsLateMS: 100, LogsShuffled: true})
	s := h.Step("late", `i=0; while [ $i -lt 60 ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done`)
	handle := h.Accepted(s)
	streams, _ := h.Logs(s.Key, handle, nil)
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	assert.ElementsMatch(t, want, strings.Split(strings.TrimSuffix(cloudtest.Only(t, streams), "\n"), "\n"), "every line, once")
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
			h.Rule("CreateTrainingJob", 1, c.fault)
			s := h.Step("fault", "true")
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
			assert.Equal(t, 1, calls["CreateTrainingJob"], "no hidden retries")
			// The same request again leads to one job, whatever happened.
			again := h.Submit(s)
			require.NotNil(t, again.GetAccepted(), "%v", again)
			assert.Equal(t, c.jobs == 1, again.GetAccepted().Existing)
			h.JobOf(s.Key)
		})
	}
}

// A quota that the very job uses up is no refusal of it.
func TestQuotaBehindALostReply(t *testing.T) {
	h := newHarness(t)
	s := h.Step("quota", "sleep 3600")
	h.Rule("CreateTrainingJob", 1, cloudfake.Fault{Kind: cloudfake.ReplyLost})
	require.NotNil(t, h.Submit(s).GetUncertain())
	h.Rule("CreateTrainingJob", 1, cloudfake.Fault{Kind: cloudfake.Quota})
	require.NotNil(t, h.Submit(s).GetUncertain(), "not REJECTED: the job is there")
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_FOUND, h.FindKey(s.Key).Outcome)
}

// A search shows a fresh job late; the name does not.
func TestLateListing(t *testing.T) {
	h := newHarness(t)
	h.Life(cloudfake.Life{ListedAfterMS: 60_000})
	s := h.Step("listing", "true")
	h.Watch(s.Key, h.Accepted(s))
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_FOUND, h.FindKey(s.Key).Outcome)
	byToken := h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: s.RunToken}})
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_UNDETERMINED, byToken.Outcome)
}

// Jobs of other tools under our name are left alone.
func TestAStrangersJob(t *testing.T) {
	h := newHarness(t)
	s := h.Step("stranger", "true")
	h.Accepted(s)
	other := h.Step("stranger", "true")
	r, err := h.Plugin.Submit(h.Ctx(), &operatorv1.SubmitRequest{Target: h.Target, Step: other, RequestDigest: strings.Repeat("0b", 32)})
	require.NoError(t, err)
	require.NotNil(t, r.GetRejected(), "%v", r)
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, r.Diagnostics[0].Class)
}

func TestExperimentsAreMadeOnRequestOnly(t *testing.T) {
	h := newHarness(t)
	prepare := func(create bool) {
		s := h.Step("experiment", "true")
		s.Settings = h.Settings(map[string]any{"experiment_name": "digits", "trial_name": "t", "create_experiment": create})
		stream, err := h.Plugin.Prepare(h.Ctx(), &operatorv1.PrepareRequest{Target: h.Target, Step: s})
		require.NoError(t, err)
		for {
			m, err := stream.Recv()
			require.NoError(t, err)
			require.Empty(t, m.Diagnostics)
			if m.Done != nil {
				return
			}
		}
	}
	prepare(false)
	calls, err := h.Calls(h.Ctx())
	require.NoError(t, err)
	assert.Zero(t, calls["CreateExperiment"])
	prepare(true)
	prepare(true)
	calls, err = h.Calls(h.Ctx())
	require.NoError(t, err)
	assert.Equal(t, 2, calls["CreateExperiment"])
}

func TestRefusals(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		change func(s *operatorv1.Step)
		path   string
		text   string
	}{
		"foreign registry": {func(s *operatorv1.Step) { s.Environment.GetImage().Reference = "docker.io/library/python@sha256:0" }, "environment.registry", "cannot pull from docker.io"},
		"other region": {func(s *operatorv1.Step) {
			s.Environment.GetImage().Reference = strings.Replace(image, "eu-west-1", "us-east-1", 1)
		}, "environment.registry", "us-east-1"},
		"type too small": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"instance_type": "ml.m5.large"})
			s.Resources = &operatorv1.Resources{CpuMillis: 8000}
		}, "resources.cpu", "ml.m5.large has 2"},
		"no such machine": {func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{Gpu: 9, GpuType: "t4"} }, "resources.gpu", "nearest is ml.g4dn.12xlarge"},
		"an own label":    {func(s *operatorv1.Step) { s.Labels = map[string]string{"Stephost:key": "x"} }, "labels.Stephost:key", "stephost's own"},
		"a label":         {func(s *operatorv1.Step) { s.Labels = map[string]string{"a": "b*c"} }, "labels.a", "cannot be a tag"},
		"extra": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"request_extra": map[string]any{"RoleArn": "x"}})
		}, "settings.request_extra.RoleArn", "cannot be set here"},
		"extra is checked": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"request_extra": map[string]any{"DebugHookConfig": map[string]any{"S3OutputPaht": "x"}}})
		}, "settings.request_extra", "S3OutputPaht"},
		"visible secret": {func(s *operatorv1.Step) {
			s.Secrets, s.AllowVisibleSecrets = map[string]*operatorv1.Secret{"A": {Value: "b"}}, false
		}, "secrets", "allow_visible_secrets"},
		"spot too short": {func(s *operatorv1.Step) {
			s.Settings = h.Settings(map[string]any{"use_spot": true, "max_wait": "1m"})
			s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(time.Hour)}
		}, "settings.max_wait", "cannot be shorter"},
		"long argument, given image": {func(s *operatorv1.Step) {
			s.Argv, s.Environment.GetImage().Shim = []string{"echo", strings.Repeat("x", 300)}, false
		}, "environment.image", "an argument over 256 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.Step("refused", "true")
			c.change(s)
			r, err := h.Plugin.Validate(h.Ctx(), &operatorv1.ValidateRequest{Target: h.Target, Step: s})
			require.NoError(t, err)
			require.NotEmpty(t, r.Diagnostics)
			assert.Equal(t, c.path, strings.Join(r.Diagnostics[0].Attribute, "."))
			assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, c.text)
			require.NotNil(t, h.Submit(s).GetRejected())
		})
	}
	jobs, err := h.Jobs(h.Ctx())
	require.NoError(t, err)
	assert.Empty(t, jobs)
}

func TestMachineNotes(t *testing.T) {
	h := newHarness(t)
	for want, r := range map[string]*operatorv1.Resources{
		"ml.g4dn.xlarge":   {Gpu: 1, GpuType: "t4"},
		"ml.g5.12xlarge":   {Gpu: 4, GpuType: "a10g"},
		"ml.m5.large":      {},
		"ml.r5.large":      {CpuMillis: 2000, MemoryBytes: 16 << 30},
		"ml.p4d.24xlarge":  {Gpu: 8, GpuType: "a100-40gb"},
		"ml.g4dn.12xlarge": {Gpu: 3, GpuType: "t4"},
	} {
		s := h.Step("machine", "true")
		s.Resources = r
		plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.Target, Step: s})
		require.NoError(t, err)
		assert.Contains(t, plan.Request, `"`+want+`"`)
		assert.Contains(t, strings.Join(plan.Notes, "\n"), "-> "+want)
	}
}

func TestPreflight(t *testing.T) {
	c := newBackend(t)
	for name, x := range map[string]struct {
		config, settings map[string]any
		resources        *operatorv1.Resources
		path, text       string
	}{
		"well":       {nil, nil, nil, "", ""},
		"bucket":     {map[string]any{"bucket_name": "missing-bucket"}, nil, nil, "config.bucket_name", "does not exist"},
		"role":       {map[string]any{"role": "missing"}, nil, nil, "config.role", "there is no role"},
		"trust":      {map[string]any{"role": "untrusted"}, nil, nil, "config.role", "trust policy"},
		"quota":      {nil, map[string]any{"instance_type": "ml.p5.48xlarge"}, nil, "settings.instance_type", "is 0, the step needs 1"},
		"nodes":      {nil, nil, &operatorv1.Resources{Nodes: 3}, "settings.instance_type", "is 2, the step needs 3"},
		"spot quota": {nil, map[string]any{"use_spot": true}, nil, "settings.instance_type", "spot training job usage"},
	} {
		t.Run(name, func(t *testing.T) {
			operator := c.operator()
			for k, v := range x.config {
				operator[k] = v
			}
			h := newHarnessOf(t, c, operator)
			s := h.Step("preflight", "true")
			s.Settings, s.Resources = h.Settings(x.settings), x.resources
			found := h.Doctor(s)
			if x.path == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			assert.Equal(t, x.path, strings.Join(found[0].Attribute, "."))
			assert.Contains(t, found[0].Summary+found[0].Detail, x.text)
		})
	}
}

func TestRegistryAuth(t *testing.T) {
	h := newHarness(t)
	for i := range 2 {
		r, err := h.Plugin.RegistryAuth(h.Ctx(), &operatorv1.RegistryAuthRequest{Target: h.Target, Registry: account + ".dkr.ecr.eu-west-1.amazonaws.com", Repository: "ml/step", Push: true, Create: true})
		require.NoError(t, err)
		require.Empty(t, r.Diagnostics)
		assert.Equal(t, "AWS", r.Username)
		assert.Equal(t, "ecr-password", r.Password.GetValue())
		assert.Equal(t, i == 0, r.Created)
	}
}

// TestLogins: what the SDK's own chain finds, and what the config says instead.
func TestLogins(t *testing.T) {
	c := newBackend(t)
	files := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(files, "config"), []byte("[default]\nregion = eu-west-1\n[profile other]\nregion = us-west-2\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(files, "credentials"), []byte("[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = x\n"), 0o600))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(files, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(files, "credentials"))
	t.Setenv("AWS_ENDPOINT_URL", c.URL)
	for name, x := range map[string]struct {
		config map[string]any
		want   string
	}{
		"default chain": {map[string]any{}, "eu-west-1"},
		"profile":       {map[string]any{"profile": "other"}, "us-west-2"},
		"own region":    {map[string]any{"region": "eu-north-1"}, "eu-north-1"},
		"assumed role":  {map[string]any{"assume_role": "arn:aws:iam::123456789012:role/ops"}, "eu-west-1"},
		"one service":   {map[string]any{"endpoints": map[string]string{"sts": c.URL}}, "eu-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarnessOf(t, c, x.config)
			assert.Equal(t, "sagemaker:aws:123456789012:"+x.want, h.Target.Scope.Id)
		})
	}
}

// Expired credentials are "could not ask", for all calls, and the run goes on
// behind them.
func TestExpiredCredentials(t *testing.T) {
	h := newHarness(t)
	s := h.Step("expired", "sleep 0.5")
	handle := h.Accepted(s)
	require.NoError(t, h.Add(h.Ctx(), cloudfake.Rule{ForMS: 700, Fault: cloudfake.Fault{Kind: cloudfake.Expired}}))
	end, seen := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	auth := false
	for _, e := range seen {
		auth = auth || e.GetReachability().GetCouldNotAsk().GetReason() == operatorv1.CouldNotAsk_REASON_AUTH
	}
	assert.True(t, auth, "%v", seen)
}

func TestManifestAgreesWithTheCode(t *testing.T) {
	h := newHarness(t)
	about, err := h.Plugin.GetMetadata(h.Ctx(), &operatorv1.GetMetadataRequest{})
	require.NoError(t, err)
	assert.Equal(t, "sagemaker", about.Flavor)
	_, err = json.Marshal(emptyConfig())
	require.NoError(t, err)
}
