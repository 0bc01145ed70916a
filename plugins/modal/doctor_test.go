package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

// findings are the paths of diagnostics, with their severity.
func findings(list []*operatorv1.Diagnostic) []string {
	var out []string
	for _, d := range list {
		out = append(out, strings.Join(d.Attribute, ".")+" "+strings.ToLower(strings.TrimPrefix(d.Severity.String(), "SEVERITY_")))
	}
	return out
}

// TestDoctor: what a launch would stumble on is told before, and nothing is made.
func TestDoctor(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for name, c := range map[string]struct {
		operator []string
		settings map[string]any
		image    string
		want     []string
	}{
		"nothing":        {},
		"no such secret": {settings: map[string]any{"modal_secrets": []string{"nobody"}}, want: []string{"settings.modal_secrets error"}},
		"no such volume": {settings: map[string]any{"volumes": map[string]any{"/d": map[string]any{"name": "none", "read_only": false, "sub_path": nil, "create": false}}}, want: []string{"settings.volumes error"}},
		"to be made":     {settings: map[string]any{"volumes": map[string]any{"/d": map[string]any{"name": "none", "read_only": false, "sub_path": nil, "create": true}}}},
		"no such proxy":  {settings: map[string]any{"proxy": "none"}, want: []string{"settings.proxy error"}},
		"registry":       {operator: []string{"registry_secret", "none"}, want: []string{"config.registry_secret error"}},
		"no login":       {operator: []string{"registry_login", "true"}, want: []string{"config.registry_login error"}},
		"out of reach":   {image: "127.0.0.1:5000/x:1", want: []string{"environment.registry warning"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			o := operator(c.operator...)
			if o["registry_login"] == "true" {
				o["registry_login"] = true
			}
			h := newHarnessOn(t, b, o)
			s := h.Step("doctor", "true")
			s.Settings = h.Settings(c.settings)
			if c.image != "" {
				s.Environment.GetImage().Reference = c.image
			}
			assert.ElementsMatch(t, c.want, findings(h.Doctor(s)))
			calls := h.Counted()
			assert.Zero(t, calls["ImageGetOrCreate"]+calls["SandboxCreateV2"])
		})
	}
}

// TestPrepareRefusals: what Prepare cannot find or have is an error of class
// config with its place.
func TestPrepareRefusals(t *testing.T) {
	h := newHarness(t)
	require.NoError(t, h.Set(h.Ctx(), "broken_image", image))
	s := h.Step("prepare", "true")
	_, found := h.Prepare(s)
	require.Len(t, found, 1)
	assert.Equal(t, []string{"environment.image error"}, findings(found))
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, found[0].Class)
	assert.Contains(t, found[0].Summary+found[0].Detail, "MANIFEST_UNKNOWN")

	s = h.Step("prepare", "true")
	s.Settings = h.Settings(map[string]any{"modal_secrets": []string{"nobody"}})
	_, found = h.Prepare(s)
	assert.Equal(t, []string{"settings.modal_secrets error"}, findings(found))
}

// TestRegistryLogin: the login of the Docker configuration goes to Modal as a
// secret without a name.
func TestRegistryLogin(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"registry.example":{"username":"ada","password":"pass"}}}`), 0o600))
	b := newBackend(t)
	o := operator()
	o["registry_login"] = true
	h := newHarnessOn(t, b, o)
	s := h.Step("login", "true")
	h.Accepted(s)
	assert.Equal(t, "REGISTRY_AUTH_TYPE_STATIC_CREDS", h.told(s.Key).Image["registry_auth"])
}

// TestEnvironment: one that is not there is told by its attribute.
func TestEnvironment(t *testing.T) {
	h := newHarness(t)
	scope, err := h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: h.TargetOf(operator("modal_environment", "none"))})
	require.NoError(t, err)
	assert.Equal(t, []string{"config.modal_environment error"}, findings(scope.Diagnostics))
	t.Setenv("MODAL_ENVIRONMENT", "staging")
	require.NoError(t, h.Set(h.Ctx(), "environment", "staging"))
	scope, err = h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: h.TargetOf(operator())})
	require.NoError(t, err)
	assert.Equal(t, "modal:ac-fake-workspace:staging:stephost", scope.GetScope().GetId())
}

// TestNoLogin: without credentials nobody is asked.
func TestNoLogin(t *testing.T) {
	h := newHarness(t)
	scope, err := h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: h.TargetOf(map[string]any{})})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, scope.GetCouldNotAsk().GetReason(), "%v", scope)
	assert.Contains(t, scope.GetCouldNotAsk().GetDiagnostic().GetSummary(), "missing credentials")
}

// TestThrottledReads: a throttle of a read is shown with its time, and does not
// hold the call.
func TestThrottledReads(t *testing.T) {
	h := newHarness(t)
	h.Rule("EnvironmentGetOrCreate", 0, cloudfake.Fault{Kind: cloudfake.Throttled, RetryAfterMS: 3000})
	got := h.FindKey("aaaaaaaaaaaaaaaaaaaaaaaaaa")
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_THROTTLED, got.GetCouldNotAsk().GetReason())
	assert.EqualValues(t, 3, got.GetCouldNotAsk().GetRetryAfter().GetSeconds())
}
