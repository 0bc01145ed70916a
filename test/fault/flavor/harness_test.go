package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/manifests"
	"github.com/stephost/stephost/test/fault/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long a test waits for what must happen: the backend is a process,
// and the machine may be busy.
const hang = time.Minute

// world is a backend process and a flavor that talks to it over gRPC.
type world struct {
	t       *testing.T
	ctx     context.Context
	backend *fault.Backend
	client  operatorv1.StepOperatorClient
	scope   *operatorv1.Scope
	keys    int
}

func newWorld(t *testing.T, variant string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	programs, err := fault.Build(ctx)
	require.NoError(t, err)
	b, err := programs.Start(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Stop()) })
	manifest, err := manifests.For(variant)
	require.NoError(t, err)
	s, err := pluginsdk.NewServer(manifest, implementation(variant))
	require.NoError(t, err)
	const size = 1 << 20
	l := bufconn.Listen(size)
	g := grpc.NewServer()
	s.Register(g)
	go func() { _ = g.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///fault", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(); g.Stop(); s.Close() })
	w := &world{t: t, ctx: ctx, backend: b, client: operatorv1.NewStepOperatorClient(conn)}
	r, err := w.client.Scope(ctx, &operatorv1.ScopeRequest{Target: w.target()})
	require.NoError(t, err)
	require.Equal(t, "fault:main", r.GetScope().GetId())
	w.scope = r.GetScope()
	return w
}

func (w *world) target() *operatorv1.Target {
	config, err := json.Marshal(map[string]any{"socket": w.backend.Socket, "account": nil})
	require.NoError(w.t, err)
	return &operatorv1.Target{Operator: "op", Config: &operatorv1.Values{Json: config}, Scope: w.scope}
}

// step makes a step of its own key with these faults; no argv = noop.
func (w *world) step(f wire.Faults, argv ...string) *operatorv1.Step {
	w.keys++
	faults, err := json.Marshal(f)
	require.NoError(w.t, err)
	settings, err := json.Marshal(map[string]any{
		"noop": len(argv) == 0, "lines": 3, "noop_ms": 0, "faults": string(faults)})
	require.NoError(w.t, err)
	return &operatorv1.Step{
		RunId: "run", RunToken: "token", Attempt: 2, Key: fmt.Sprintf("key%023d", w.keys), Name: "train",
		Argv: argv, Settings: &operatorv1.Values{Json: settings},
		Secrets: map[string]*operatorv1.Secret{"TOKEN": {Value: "hunter2"}},
	}
}

func (w *world) submit(s *operatorv1.Step, digest string) *operatorv1.SubmitResponse {
	w.t.Helper()
	if len(s.Argv) == 0 {
		s.Argv = []string{"true"}
	}
	r, err := w.client.Submit(w.ctx, &operatorv1.SubmitRequest{Target: w.target(), Step: s, RequestDigest: digest})
	require.NoError(w.t, err)
	return r
}

func (w *world) accepted(s *operatorv1.Step) *operatorv1.Handle {
	w.t.Helper()
	r := w.submit(s, "d1")
	require.NotNil(w.t, r.GetAccepted(), "%v", r)
	return r.GetAccepted().GetHandle()
}

func (w *world) find(key string) *operatorv1.FindResponse {
	w.t.Helper()
	r, err := w.client.Find(w.ctx, &operatorv1.FindRequest{Target: w.target(), By: &operatorv1.FindRequest_Key{Key: key}})
	require.NoError(w.t, err)
	return r
}

func (w *world) watch(h *operatorv1.Handle, key string) grpc.ServerStreamingClient[operatorv1.WatchResponse] {
	w.t.Helper()
	s, err := w.client.Watch(w.ctx, &operatorv1.WatchRequest{
		Target: w.target(), Handle: h, Key: key, HeartbeatInterval: durationpb.New(time.Second)})
	require.NoError(w.t, err)
	return s
}

// end waits for the verdict.
func (w *world) end(h *operatorv1.Handle, key string) *operatorv1.Terminal {
	w.t.Helper()
	s := w.watch(h, key)
	for {
		m, err := s.Recv()
		require.NoError(w.t, err)
		if m.GetTerminal() != nil {
			_, err := s.Recv()
			require.ErrorIs(w.t, err, io.EOF)
			return m.GetTerminal()
		}
	}
}

// logs reads the whole log: bytes by "epoch/stream", gaps and ended sources.
func (w *world) logs(h *operatorv1.Handle, key string) (data map[string]string, gaps []*operatorv1.LogGap, ended int) {
	w.t.Helper()
	s, err := w.client.Logs(w.ctx, &operatorv1.LogsRequest{Target: w.target(), Handle: h, Key: key, Follow: true})
	require.NoError(w.t, err)
	data = map[string]string{}
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return data, gaps, ended
		}
		require.NoError(w.t, err)
		if m.GetReachability() != nil {
			continue
		}
		require.Equal(w.t, int32(2), m.GetSource().GetAttempt())
		name := fmt.Sprintf("%d/%s", m.GetSource().GetEpoch(), m.GetSource().GetStream())
		for _, e := range m.GetEntries() {
			data[name] += string(e.GetData())
		}
		if m.GetGap() != nil {
			gaps = append(gaps, m.GetGap())
		}
		if m.GetEnd() {
			ended++
		}
	}
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	for _, v := range manifests.Variants() {
		t.Run(v, func(t *testing.T) { f(t, newWorld(t, v)) })
	}
}
