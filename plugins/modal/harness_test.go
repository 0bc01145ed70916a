package main

import (
	"path/filepath"
	"testing"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/plugins/modal/internal/fake"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	// image is any: the fake pulls those of this machine alone.
	image = "registry.example/step@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	// mostClients is more than the cache of a flavor makes in one test.
	mostClients = 1000
)

// backend is a fake, to which the SDK's environment variables lead.
type backend struct{ *cloudfake.Fake }

func newBackend(t testing.TB) *backend {
	b := &backend{programs.Start(t)}
	t.Setenv("MODAL_SERVER_URL", b.Endpoints["grpc"])
	t.Setenv("MODAL_CONFIG_PATH", filepath.Join(t.TempDir(), "none.toml"))
	for _, name := range []string{"MODAL_PROFILE", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_ENVIRONMENT"} {
		t.Setenv(name, "")
	}
	return b
}

// operator are the operator's attributes for the fake.
func operator(more ...string) map[string]any {
	o := map[string]any{"token_id": fake.TokenID, "token_secret": fake.TokenSecret}
	for i := 0; i < len(more); i += 2 {
		o[more[i]] = more[i+1]
	}
	return o
}

// harness is the flavor behind its real contract, and the fake behind the
// flavor.
type harness struct {
	*backend
	*cloudtest.Harness
}

func newHarness(t testing.TB, more ...string) *harness {
	b := newBackend(t)
	return newHarnessOn(t, b, operator(more...))
}

func tested() cloudtest.Flavor {
	return cloudtest.Flavor{
		Manifest: manifest, Config: emptyConfig, Settings: emptySettings, Sensitive: []string{"token_secret"},
		Image: image, New: flavorAndClients, Prepares: true,
	}
}

// flavorAndClients closes the clients that the flavor made: a connection of gRPC
// has goroutines.
func flavorAndClients() (pluginsdk.Implementation, func()) {
	f := newModal()
	clients := make(chan *api.Client, mostClients)
	f.made = func(c *api.Client) { clients <- c }
	return pluginsdk.RemoteOf(f), func() {
		close(clients)
		for client := range clients {
			client.Close()
		}
	}
}

// emptyConfig holds every config attribute without a value, emptySettings every
// setting with its default.
func emptyConfig() map[string]any {
	return map[string]any{"token_id": nil, "token_secret": nil, "workspace": nil, "modal_environment": nil, "app": nil,
		"output_volume": nil, "registry_secret": nil, "registry_auth": "static", "registry_login": false}
}

func emptySettings() map[string]any {
	return map[string]any{"modal_gpu": nil, "region": nil, "cloud": nil, "sandbox_timeout": nil, "backend": nil, "cpu_limit": nil,
		"memory_limit_mib": nil, "volumes": map[string]any{}, "cloud_bucket_mounts": map[string]any{}, "modal_secrets": []string{},
		"proxy": nil, "block_network": false, "outbound_cidrs": nil, "outbound_domains": nil, "runtime": nil,
		"oidc_identity_token": false, "nonpreemptible": false, "verbose_logging": false, "experimental_options": map[string]any{}}
}

// newHarnessOn is a harness on a fake that is there already.
func newHarnessOn(t testing.TB, b *backend, operator map[string]any) *harness {
	return &harness{b, cloudtest.New(t, tested(), b.Fake, operator)}
}
