package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

// harness is the flavor behind its real contract, and the fake behind the
// flavor.
type harness struct {
	*azure
	t      testing.TB
	client operatorv1.StepOperatorClient
	target *operatorv1.Target
}

func newHarness(t testing.TB) *harness {
	c := newCloud(t)
	return newHarnessOf(t, c, c.operator())
}

func newHarnessOf(t testing.TB, c *azure, operator map[string]any) *harness {
	flavor := newAzureML()
	server, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf(flavor))
	require.NoError(t, err)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(16<<20), grpc.MaxSendMsgSize(16<<20))
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///azureml",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	require.NoError(t, err)
	h := &harness{azure: c, t: t, client: operatorv1.NewStepOperatorClient(conn)}
	t.Cleanup(func() {
		conn.Close()
		g.Stop()
		server.Close()
		c.Fake.Client.Close()
	})
	h.target = h.targetOf(operator)
	scope, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.target})
	require.NoError(t, err)
	require.NotEmpty(t, scope.GetScope().GetId(), "%v", scope)
	h.target.Scope = scope.GetScope()
	return h
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

func values(t testing.TB, all, given map[string]any) *operatorv1.Values {
	maps.Copy(all, given)
	secrets := map[string]*operatorv1.Secret{}
	for _, name := range []string{"service_principal_password"} {
		if value, ok := all[name].(string); ok {
			secrets[name] = &operatorv1.Secret{Value: value}
		}
		delete(all, name)
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return &operatorv1.Values{Json: text, Secrets: secrets}
}

func (h *harness) targetOf(operator map[string]any) *operatorv1.Target {
	about, err := h.client.GetMetadata(h.ctx(), &operatorv1.GetMetadataRequest{})
	require.NoError(h.t, err)
	return &operatorv1.Target{Operator: "gpu", FlavorVersion: about.Version, ManifestDigest: about.ManifestDigest, Config: values(h.t, emptyConfig(), operator)}
}

func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	h.t.Cleanup(cancel)
	return ctx
}

// step is a step that runs a script in an image with the shim.
func (h *harness) step(token, script string) *operatorv1.Step {
	return &operatorv1.Step{
		RunId: "RUN-" + token, RunToken: token, Attempt: 1, Key: keyOf(token, 1), Pipeline: "digits", PipelineRun: "Nightly 7", Name: "train",
		Argv: []string{"sh", "-c", script}, Settings: values(h.t, emptySettings(), nil), AllowVisibleSecrets: true,
		Environment: &operatorv1.Environment{Kind: &operatorv1.Environment_Image_{Image: &operatorv1.Environment_Image{Reference: image, Shim: true}}},
	}
}

func keyOf(token string, attempt int) string {
	sum := sha256.Sum256([]byte(strings.Repeat("k", attempt) + token))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

// prepare returns what Prepare leaves, or its diagnostics.
func (h *harness) prepare(s *operatorv1.Step) ([]byte, []*operatorv1.Diagnostic) {
	h.t.Helper()
	stream, err := h.client.Prepare(h.ctx(), &operatorv1.PrepareRequest{Target: h.target, Step: s})
	require.NoError(h.t, err)
	var found []*operatorv1.Diagnostic
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return nil, found
		}
		require.NoError(h.t, err)
		require.Nil(h.t, m.GetCouldNotAsk(), "%v", m)
		found = append(found, m.GetDiagnostics()...)
		if done := m.GetDone(); done != nil {
			return done.GetPrepared(), found
		}
	}
}

// submit submits a step that is prepared.
func (h *harness) submit(s *operatorv1.Step) *operatorv1.SubmitResponse {
	h.t.Helper()
	data, found := h.prepare(s)
	for _, d := range found {
		require.NotEqual(h.t, operatorv1.Severity_SEVERITY_ERROR, d.Severity, "%v", d)
	}
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.target, Step: s, Prepared: data, RequestDigest: strings.Repeat("0a", 32)})
	require.NoError(h.t, err)
	return r
}

func (h *harness) accepted(s *operatorv1.Step) *operatorv1.Handle {
	h.t.Helper()
	r := h.submit(s)
	require.NotNil(h.t, r.GetAccepted(), "%v", r)
	return r.GetAccepted().GetHandle()
}

func (h *harness) find(r *operatorv1.FindRequest) *operatorv1.FindResponse {
	r.Target = h.target
	got, err := h.client.Find(h.ctx(), r)
	require.NoError(h.t, err)
	return got
}

func (h *harness) findKey(key string) *operatorv1.FindResponse {
	return h.find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_Key{Key: key}})
}

// watch returns the terminal event and what came before it.
func (h *harness) watch(key string, handle *operatorv1.Handle) (*operatorv1.Terminal, []*operatorv1.WatchResponse) {
	h.t.Helper()
	stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: h.target, Handle: handle, Key: key, HeartbeatInterval: durationpb.New(time.Second)})
	require.NoError(h.t, err)
	var seen []*operatorv1.WatchResponse
	for {
		e, err := stream.Recv()
		require.NoError(h.t, err)
		if end := e.GetTerminal(); end != nil {
			return end, seen
		}
		seen = append(seen, e)
	}
}

// logs returns the log by stream and source.
func (h *harness) logs(key string, handle *operatorv1.Handle, cursors map[string]string) (streams map[string]*bytes.Buffer, last map[string]string) {
	h.t.Helper()
	stream, err := h.client.Logs(h.ctx(), &operatorv1.LogsRequest{Target: h.target, Handle: handle, Key: key, Follow: true, Cursors: cursors})
	require.NoError(h.t, err)
	streams, last = map[string]*bytes.Buffer{}, map[string]string{}
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return streams, last
		}
		require.NoError(h.t, err)
		for _, e := range m.GetEntries() {
			if streams[m.Source.Name] == nil {
				streams[m.Source.Name] = &bytes.Buffer{}
			}
			streams[m.Source.Name].Write(e.Data)
			last[m.Source.Name] = e.Cursor
		}
	}
}

// jobOf is the one job of a key at the fake.
func (h *harness) jobOf(key string) cloudfake.Job {
	h.t.Helper()
	jobs, err := h.ByKey(h.ctx(), key)
	require.NoError(h.t, err)
	require.Len(h.t, jobs, 1)
	return jobs[0]
}

func (h *harness) rule(op string, times int, f cloudfake.Fault) {
	require.NoError(h.t, h.Add(h.ctx(), cloudfake.Rule{Op: op, Times: times, Fault: f}))
}

func (h *harness) life(l cloudfake.Life) {
	require.NoError(h.t, h.AddLife(h.ctx(), cloudfake.LifeRule{Times: 1, Life: l}))
}
