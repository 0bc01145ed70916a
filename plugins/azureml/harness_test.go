package main

import (
	"testing"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	// subscription is where the fake's jobs are.
	subscription = "01234567-89ab-cdef-0123-456789abcdef"
	// image is one that AzureML could pull.
	image = "team.azurecr.io/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// backend is a fake.
type backend struct{ *cloudfake.Fake }

func newBackend(t testing.TB) *backend { return &backend{programs.Start(t)} }

// operator are the operator's attributes for the fake.
func (c *backend) operator() map[string]any {
	return map[string]any{
		"subscription_id": subscription, "resource_group": "ml", "workspace_name": "research",
		"tenant_id": "11111111-89ab-cdef-0123-456789abcdef", "service_principal_id": "22222222-89ab-cdef-0123-456789abcdef",
		"service_principal_password": "password-of-the-test", "max_calls_per_minute": 60000, "log_settle": "500ms",
		"endpoints": map[string]string{"management": c.URL, "history": c.URL, "authority": c.URL, "registry": c.URL},
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
		Manifest: manifest, Config: emptyConfig, Settings: emptySettings, Sensitive: []string{"service_principal_password"}, Image: image, Prepares: true,
		New: func() (pluginsdk.Implementation, func()) { return pluginsdk.RemoteOf(newAzureML()), func() {} },
	}
}

// emptyConfig holds every config attribute without a value, emptySettings every
// setting with its default.
func emptyConfig() map[string]any {
	return map[string]any{"subscription_id": subscription, "resource_group": "ml", "workspace_name": "research", "tenant_id": nil,
		"service_principal_id": nil, "service_principal_password": nil, "cloud": "public", "endpoints": map[string]string{},
		"max_calls_per_minute": 120, "log_settle": "10s"}
}

func emptySettings() map[string]any {
	return map[string]any{"mode": nil, "compute_name": nil, "create": false, "size": nil, "tier": nil, "location": nil, "min_instances": nil,
		"max_instances": nil, "idle_time_before_scaledown": nil, "idle_time_before_shutdown_minutes": nil, "environment_name": nil,
		"experiment_name": nil, "display_name": nil, "description": nil, "tags": map[string]string{}, "identity": nil,
		"identity_client_id": nil, "identity_object_id": nil, "identity_resource_id": nil, "docker_args": nil, "shm_size": nil, "additional_job_args": nil}
}
