package main

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// everything sets every setting of the manifest.
func everything() map[string]any {
	return map[string]any{
		"instance_type": "ml.g4dn.xlarge", "volume_size": 50, "volume_kms_key": "alias/volume", "output_kms_key": "alias/output",
		"output_path": "s3://out-bucket/path", "output_compression": "GZIP", "use_spot": true, "max_wait": "3h", "max_pending": "12h",
		"subnets": []string{"subnet-1a"}, "security_group_ids": []string{"sg-1a"}, "network_isolation": true, "encrypt_inter_container_traffic": true,
		"keep_alive_period": "10m", "training_plan_arn": "arn:aws:sagemaker:eu-west-1:123456789012:training-plan/plan",
		"tags":            map[string]string{"team": "vision"},
		"experiment_name": "digits", "trial_name": "trial-1", "experiment_run_name": "run-1", "trial_component_display_name": "shown", "create_experiment": true,
		"input_data_s3_uri": map[string]string{"train": "s3://in/train"},
		"input_channels": map[string]any{
			"more": map[string]any{"s3_uri": "s3://in/list", "s3_data_type": "AugmentedManifestFile", "distribution": "ShardedByS3Key", "attribute_names": []string{"a"},
				"content_type": "text/csv", "compression": "Gzip", "record_wrapper": "RecordIO", "input_mode": "Pipe", "shuffle_seed": 7,
				"file_system_id": nil, "file_system_type": nil, "directory_path": nil, "access_mode": "ro"},
			"shared": map[string]any{"s3_uri": nil, "s3_data_type": "S3Prefix", "distribution": "FullyReplicated", "attribute_names": []string{},
				"content_type": nil, "compression": nil, "record_wrapper": nil, "input_mode": nil, "shuffle_seed": nil,
				"file_system_id": "fs-0123456789abcdef0", "file_system_type": "EFS", "directory_path": "/data", "access_mode": "rw"},
		},
		"input_mode": "FastFile", "checkpoint_s3_uri": "s3://ck/points", "checkpoint_local_path": "/opt/ml/checkpoints/x",
		"hyperparameters": map[string]string{"lr": "0.1"}, "metric_definitions": []map[string]string{{"name": "acc", "regex": "acc=([0-9.]+)"}},
		"metrics_time_series": true, "profiler": false, "remote_debug": true, "infra_check": true, "session_tag_chaining": true,
		"tensorboard_s3_uri": "s3://tb/logs", "repository_access": "Vpc",
		"repository_credentials_provider_arn": "arn:aws:lambda:eu-west-1:123456789012:function:creds",
		"request_extra": map[string]any{
			"DebugHookConfig": map[string]any{"S3OutputPath": "s3://debug/x"},
			"MlflowConfig":    map[string]any{"MlflowResourceArn": "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/app-ABC123"},
		},
		"estimator_args": nil,
	}
}

// fullStep is a step with everything that a step can have.
func (h *harness) fullStep(token string) *operatorv1.Step {
	s := h.Step(token, "true")
	s.Settings = h.Settings(everything())
	s.Labels = map[string]string{"owner": "ada", "Cost.Center": "A 7"}
	s.Env = map[string]string{"LOG_LEVEL": "info", "MONEY": "5$ $(HOME) $$", "LONG": strings.Repeat("long ", 200), "with.dot": "x"}
	s.Secrets = map[string]*operatorv1.Secret{"HF_TOKEN": {Value: "hunter2"}}
	s.Argv = []string{"python", "train.py", "", "a\nb", strings.Repeat("y", 300)}
	s.Resources = &operatorv1.Resources{CpuMillis: 4000, MemoryBytes: 16 << 30, Gpu: 1, GpuType: "t4", Nodes: 3, DiskBytes: 250 << 30}
	s.Deadlines = &operatorv1.Deadlines{Run: durationpb.New(7200e9), Provisioning: durationpb.New(600e9)}
	return s
}

// TestEveryField sets every field of operator, step and environment and finds
// each in the request that the service got.
func TestEveryField(t *testing.T) {
	c := newBackend(t)
	operator := c.operator()
	operator["bucket_name"], operator["bucket_prefix"], operator["role"] = "my-bucket", "team/jobs", "arn:aws:iam::123456789012:role/service-role/train"
	h := newHarnessOf(t, c, operator)
	h.Target.Project = "Ziffern/7"
	s := h.fullStep("every")
	h.Accepted(s)
	raw := h.JobOf(s.Key).Request
	var got map[string]any
	require.NoError(t, json.Unmarshal(raw, &got))
	env := got["Environment"].(map[string]any)
	packed := regexp.MustCompile(`^STEPHOST_SHIM_.*|^__STEPHOST`)
	for name, value := range env {
		if packed.MatchString(name) && len(value.(string)) > 100 {
			env[name] = "(packed)"
		}
	}
	text, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile("testdata/every_field.json", append(text, '\n'), 0o644))
	}
	want, err := os.ReadFile("testdata/every_field.json")
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(text))

	var input api.CreateTrainingJobInput
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&input))
	assert.Empty(t, untouched(reflect.ValueOf(input), ""), "a member of the API that nothing reaches needs a reason in unreached")
}

// unreached are members of CreateTrainingJob that stephost does not set, with
// the reason.
func unreached() map[string]string {
	return map[string]string{
		".AlgorithmSpecification.AlgorithmName":      "steps are images",
		".AlgorithmSpecification.ContainerArguments": "these arguments travel packed; TestArguments has others",
		".RetryStrategy":                                              "starts that SageMaker makes by itself would count against no budget of the run: the step's retry block does it",
		".ServerlessJobConfig":                                        "for models of SageMaker JumpStart, not for images",
		".ModelPackageConfig":                                         "by request_extra",
		".DebugRuleConfigurations":                                    "by request_extra",
		".ProfilerRuleConfigurations":                                 "by request_extra",
		".ResourceConfig.InstanceGroups":                              "the nodes of a step are alike",
		".ResourceConfig.InstancePlacementConfig":                     "for clusters of one customer (UltraServers); nobody has asked for it",
		".ResourceConfig.InstancePreferences":                         "one type is chosen, and shown in the plan",
		".ResourceConfig.SelectedInstanceCount":                       "only in answers",
		".ResourceConfig.SelectedInstanceType":                        "only in answers",
		".TensorBoardOutputConfig.LocalPath":                          "the default is where every tool writes",
		".InputDataConfig.DataSource.DatasetSource":                   "for datasets of SageMaker's hub; nobody has asked for it",
		".ProfilerConfig.ProfilingIntervalInMilliseconds":             "the default",
		".ProfilerConfig.ProfilingParameters":                         "framework profiling is at its end at AWS",
		".ProfilerConfig.S3OutputPath":                                "the default: the job's output path",
		".DebugHookConfig":                                            "set by request_extra",
		".MlflowConfig":                                               "set by request_extra",
		".InputDataConfig.DataSource.S3DataSource.HubAccessConfig":    "for SageMaker's hub",
		".InputDataConfig.DataSource.S3DataSource.ModelAccessConfig":  "for SageMaker's hub",
		".InputDataConfig.DataSource.S3DataSource.InstanceGroupNames": "the nodes of a step are alike",
	}
}

// untouched lists members that are not set. Of a list all elements together
// count.
func untouched(v reflect.Value, path string) []string {
	if unreached()[path] != "" {
		return nil
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return []string{path}
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		var out []string
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out = append(out, untouched(v.Field(i), path+"."+f.Name)...)
			}
		}
		return out
	case reflect.Slice:
		if v.Len() == 0 {
			return []string{path}
		}
		if v.Type().Elem().Kind() != reflect.Struct {
			return nil
		}
		var common []string
		for i := range v.Len() {
			one := untouched(v.Index(i), path)
			if i == 0 {
				common = one
				continue
			}
			var both []string
			for _, p := range common {
				for _, q := range one {
					// A whole struct that one element has not, and another has in parts.
					if p == q || strings.HasPrefix(p, q+".") {
						both = append(both, p)
					} else if strings.HasPrefix(q, p+".") {
						both = append(both, q)
					}
				}
			}
			common = both
		}
		return common
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

// TestEveryAttributeIsSet: everything() knows all settings of the manifest, and
// each of them has another value than the default.
func TestEveryAttributeIsSet(t *testing.T) {
	all := everything()
	for name, def := range emptySettings() {
		require.Contains(t, all, name)
		if name != "estimator_args" {
			assert.NotEqual(t, def, all[name], name)
		}
	}
}

// TestPlanIsWhatIsSent compares the plan with what the service got.
func TestPlanIsWhatIsSent(t *testing.T) {
	h := newHarness(t)
	s := h.fullStep("plan")
	plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: h.Target, Step: s})
	require.NoError(t, err)
	require.Empty(t, plan.Diagnostics)
	assert.Equal(t, "json", plan.Format)
	assert.NotContains(t, plan.Request, "hunter2")
	h.Accepted(s)
	var shown, sent map[string]any
	require.NoError(t, json.Unmarshal([]byte(plan.Request), &shown))
	require.NoError(t, json.Unmarshal(h.JobOf(s.Key).Request, &sent))
	assert.Contains(t, plan.Request, "(secret)")
	for _, one := range []map[string]any{shown, sent} {
		env := one["Environment"].(map[string]any)
		for name, value := range env {
			if value == "(secret)" || shown["Environment"].(map[string]any)[name] == "(secret)" {
				env[name] = "(secret)"
			}
		}
	}
	// The digest is the host's, made behind the plan.
	sent["Tags"] = withoutDigest(sent["Tags"].([]any))
	assert.Equal(t, shown, sent)
	assert.NotEmpty(t, plan.Notes)
}

func withoutDigest(tags []any) []any {
	var out []any
	for _, tag := range tags {
		if tag.(map[string]any)["Key"] != tagDigest {
			out = append(out, tag)
		}
	}
	return out
}

// TestPlanBeforeALogin shows what is known without network.
func TestPlanBeforeALogin(t *testing.T) {
	h := newHarness(t)
	s := h.Step("plan", "true")
	s.Key, s.RunId = "", ""
	target := h.TargetOf(map[string]any{"role": "train", "endpoint_url": "http://127.0.0.1:1"})
	plan, err := h.Plugin.Plan(h.Ctx(), &operatorv1.PlanRequest{Target: target, Step: s})
	require.NoError(t, err)
	require.Empty(t, plan.Diagnostics)
	for _, text := range []string{"known at launch: the ARN of the role train", "known at launch: stephost-KEY", "ml.m5.large"} {
		assert.Contains(t, plan.Request, text)
	}
}
