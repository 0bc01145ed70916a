package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	// region is where the fake's jobs are.
	region = "europe-west1"
	// image is any: the fake pulls none.
	image = "registry.example/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	// mostClients is more than the cache of a flavor makes in one test.
	mostClients = 1000
)

// backend is a fake with a key file to sign in with.
type backend struct {
	*cloudfake.Fake
	key string
}

func newBackend(t testing.TB) *backend {
	c := &backend{Fake: programs.Start(t), key: filepath.Join(t.TempDir(), "key.json")}
	require.NoError(t, fake.WriteServiceAccount(c.key, c.URL))
	return c
}

// operator are the operator's attributes for the fake.
func (c *backend) operator(bucket bool) map[string]any {
	o := map[string]any{
		"project": fake.Project, "region": region, "service_account_path": c.key,
		"endpoints": fake.Endpoints(c.Endpoints["grpc"], c.URL), "max_calls_per_minute": 6000, "max_log_calls_per_minute": 60000,
	}
	if bucket {
		o["bucket_name"] = fake.Bucket
	}
	return o
}

// harness is the flavor behind its real contract, and the fake behind the
// flavor.
type harness struct {
	*backend
	*cloudtest.Harness
}

func newHarness(t testing.TB, bucket bool) *harness {
	c := newBackend(t)
	return newHarnessOf(t, c, c.operator(bucket))
}

func newHarnessOf(t testing.TB, c *backend, operator map[string]any) *harness {
	return &harness{c, cloudtest.New(t, flavor(), c.Fake, operator)}
}

func flavor() cloudtest.Flavor {
	return cloudtest.Flavor{Manifest: manifest, Config: emptyConfig, Settings: emptySettings, Image: image, New: flavorAndClients}
}

// flavorAndClients closes the clients that the flavor made: a connection of gRPC
// has goroutines.
func flavorAndClients() (pluginsdk.Implementation, func()) {
	v := newVertex()
	clients := make(chan *gcp.Client, mostClients)
	v.made = func(c *gcp.Client) { clients <- c }
	return pluginsdk.RemoteOf(v), func() {
		close(clients)
		for client := range clients {
			client.Close()
		}
	}
}

// emptyConfig holds every config attribute without a value, emptySettings every
// setting.
func emptyConfig() map[string]any {
	return map[string]any{"project": nil, "region": "europe-west1", "service_account_path": nil, "impersonate_service_account": nil,
		"bucket_name": nil, "network": nil, "reserved_ip_ranges": nil, "encryption_spec_key_name": nil, "endpoints": map[string]string{},
		"max_calls_per_minute": 120, "max_log_calls_per_minute": 50}
}

func emptySettings() map[string]any {
	return map[string]any{"machine_type": nil, "accelerator_type": nil, "accelerator_count": nil, "gpu_partition_size": nil, "tpu_topology": nil,
		"boot_disk_size_gb": nil, "boot_disk_type": nil, "service_account": nil, "persistent_resource_id": nil, "scheduling_strategy": nil,
		"max_wait_duration": nil, "reservation_affinity": nil, "nfs_mounts": []any{}, "tensorboard": nil, "experiment": nil, "experiment_run": nil,
		"enable_web_access": false, "enable_dashboard_access": false, "job_labels": map[string]any{}, "additional_training_job_args": nil}
}
