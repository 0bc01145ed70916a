package main

import (
	"testing"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	// region and account are where the fake's jobs are.
	region  = "eu-west-1"
	account = "123456789012"
	// image is one that SageMaker could pull.
	image = account + ".dkr.ecr." + region + ".amazonaws.com/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// backend is a fake.
type backend struct{ *cloudfake.Fake }

func newBackend(t testing.TB) *backend { return &backend{programs.Start(t)} }

// operator are the operator's attributes for the fake.
func (c *backend) operator() map[string]any {
	return map[string]any{
		"role": "train", "region": region, "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret-key-of-the-test",
		"endpoint_url": c.URL, "max_calls_per_minute": 60000, "log_settle": "700ms",
	}
}

// harness is the flavor behind its real contract, and the fake behind the
// flavor.
type harness struct {
	*backend
	*cloudtest.Harness
}

func newHarness(t testing.TB) *harness {
	c := newBackend(t)
	return newHarnessOf(t, c, c.operator())
}

func newHarnessOf(t testing.TB, c *backend, operator map[string]any) *harness {
	return &harness{c, cloudtest.New(t, flavor(), c.Fake, operator)}
}

func flavor() cloudtest.Flavor {
	return cloudtest.Flavor{
		Manifest: manifest, Config: emptyConfig, Settings: emptySettings, Sensitive: []string{"secret_access_key", "session_token"}, Image: image,
		New: func() (pluginsdk.Implementation, func()) { return pluginsdk.RemoteOf(newSageMaker()), func() {} },
	}
}

// emptyConfig holds every config attribute without a value, emptySettings every
// setting with its default.
func emptyConfig() map[string]any {
	return map[string]any{"role": "train", "region": nil, "bucket_name": nil, "bucket_prefix": "stephost", "profile": nil, "access_key_id": nil,
		"secret_access_key": nil, "session_token": nil, "assume_role": nil, "endpoint_url": nil, "endpoints": map[string]string{},
		"max_calls_per_minute": 300, "log_settle": "10s"}
}

func emptySettings() map[string]any {
	return map[string]any{"instance_type": nil, "volume_size": 30, "volume_kms_key": nil, "output_kms_key": nil, "output_path": nil,
		"output_compression": "NONE", "use_spot": false, "max_wait": nil, "max_pending": nil, "subnets": []string{}, "security_group_ids": []string{},
		"network_isolation": false, "encrypt_inter_container_traffic": false, "keep_alive_period": nil, "training_plan_arn": nil, "tags": map[string]string{},
		"experiment_name": nil, "trial_name": nil, "experiment_run_name": nil, "trial_component_display_name": nil, "create_experiment": false,
		"input_data_s3_uri": nil, "input_channels": map[string]any{}, "input_mode": "File", "checkpoint_s3_uri": nil, "checkpoint_local_path": nil,
		"hyperparameters": map[string]string{}, "metric_definitions": []any{}, "metrics_time_series": nil, "profiler": nil, "remote_debug": false,
		"infra_check": false, "session_tag_chaining": false, "tensorboard_s3_uri": nil, "repository_access": nil,
		"repository_credentials_provider_arn": nil, "request_extra": nil, "estimator_args": nil}
}
