package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// hang is longer than anything here takes, on any machine.
const hang = time.Minute

// key has the form of one.
const key = "bcdefghijklmnopqrstuvwxyz2"

// harness is the flavor behind its real contract, with a Spark and a Java that are
// nothing but their places on the disk.
type harness struct {
	t      testing.TB
	client operatorv1.StepOperatorClient
	about  *operatorv1.GetMetadataResponse
	// spark, java and dir are directories.
	spark, java, dir string
}

func newHarness(t testing.TB) *harness {
	h := &harness{t: t, dir: t.TempDir()}
	h.spark, h.java = filepath.Join(h.dir, "spark"), filepath.Join(h.dir, "java")
	h.put(filepath.Join(h.spark, "bin", "spark-submit"), 0o755)
	h.put(filepath.Join(h.spark, "jars", "spark-core_2.13-4.1.4.jar"), 0o644)
	h.put(filepath.Join(h.java, "bin", "java"), 0o755)
	f := newSpark()
	f.environ = func() []string {
		return []string{"PATH=/usr/bin:/bin", "HOME=/home/ada", "SPARK_LOCAL_IP=127.0.0.1", "SPARK_EXTRA=more"}
	}
	server, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf(f))
	require.NoError(t, err)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer()
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///spark",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		g.Stop()
		server.Close()
		f.seen.http.CloseIdleConnections()
		f.kube.Close()
	})
	h.client = operatorv1.NewStepOperatorClient(conn)
	h.about, err = h.client.GetMetadata(h.ctx(), &operatorv1.GetMetadataRequest{})
	require.NoError(t, err)
	return h
}

func (h *harness) put(path string, mode os.FileMode) {
	require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(h.t, os.WriteFile(path, []byte("#!/bin/sh\n"), mode))
}

func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	h.t.Cleanup(cancel)
	return ctx
}

// values are all attributes of a struct: those given, and null for the others.
func (h *harness) values(of any, given map[string]any) *operatorv1.Values {
	all := map[string]any{}
	for _, name := range attributes(of) {
		all[name] = nil
	}
	for name, value := range given {
		require.Contains(h.t, all, name)
		all[name] = value
	}
	v := &operatorv1.Values{}
	if token, ok := all["rest_token"].(string); ok {
		v.Secrets = map[string]*operatorv1.Secret{"rest_token": {Value: token}}
		delete(all, "rest_token")
	}
	var err error
	v.Json, err = json.Marshal(all)
	require.NoError(h.t, err)
	return v
}

func attributes(of any) []string {
	var names []string
	t := reflect.TypeOf(of)
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("stephost"))
	}
	return names
}

// target is an operator on master; its scope is asked for.
func (h *harness) target(config map[string]any) *operatorv1.Target {
	all := map[string]any{"spark_home": h.spark, "java_home": h.java, "state_dir": filepath.Join(h.dir, "state"), "inherit_env": []string{}}
	for k, v := range config {
		all[k] = v
	}
	t := &operatorv1.Target{Operator: "op", FlavorVersion: h.about.Version, ManifestDigest: h.about.ManifestDigest, Config: h.values(Config{}, all)}
	scope, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: t})
	require.NoError(h.t, err)
	require.NotNil(h.t, scope.GetScope(), "%v", scope)
	t.Scope = scope.GetScope()
	return t
}

func (h *harness) step(settings map[string]any, argv ...string) *operatorv1.Step {
	all := map[string]any{"deploy_mode": "client", "ship_environment": true}
	for k, v := range settings {
		all[k] = v
	}
	return &operatorv1.Step{RunId: "run-1", RunToken: "token", Attempt: 1, Key: key, Name: "count", Pipeline: "words", Argv: argv,
		Settings: h.values(Settings{}, all), Environment: &operatorv1.Environment{Kind: &operatorv1.Environment_Directory_{
			Directory: &operatorv1.Environment_Directory{Path: filepath.Join(h.dir, "work"), Venv: filepath.Join(h.dir, "venv"), Python: filepath.Join(h.dir, "venv", "bin", "python")}}}}
}

// plan returns the plan, with the directories of this test taken out.
func (h *harness) plan(t *operatorv1.Target, s *operatorv1.Step) (planned, *operatorv1.PlanResponse) {
	h.t.Helper()
	r, err := h.client.Plan(h.ctx(), &operatorv1.PlanRequest{Target: t, Step: s})
	require.NoError(h.t, err)
	var p planned
	if r.Request != "" {
		require.NoError(h.t, json.Unmarshal([]byte(strings.ReplaceAll(r.Request, h.dir, "DIR")), &p))
	}
	return p, r
}

func (h *harness) submit(t *operatorv1.Target, s *operatorv1.Step) *operatorv1.SubmitResponse {
	h.t.Helper()
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: t, Step: s, RequestDigest: strings.Repeat("0a", 32)})
	require.NoError(h.t, err)
	return r
}

func (h *harness) find(t *operatorv1.Target) *operatorv1.FindResponse {
	h.t.Helper()
	r, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: t, By: &operatorv1.FindRequest_Key{Key: key}})
	require.NoError(h.t, err)
	return r
}
