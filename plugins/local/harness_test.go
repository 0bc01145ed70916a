//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// hang is longer than anything here takes, on any machine.
const hang = time.Minute

// A program with the race detector sleeps for a second when it ends; the steps
// of these tests must not.
const (
	noRaceSleep      = "GORACE"
	noRaceSleepValue = "atexit_sleep_ms=0"
)

// harness is the flavor behind its real contract.
type harness struct {
	t      testing.TB
	client operatorv1.StepOperatorClient
	target *operatorv1.Target
	state  jobdir.State
	self   string
}

func newHarness(t testing.TB) *harness { return newHarnessOf(t, newLocal()) }

func newHarnessOf(t testing.TB, l *local) *harness {
	server, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf(l))
	require.NoError(t, err)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(16<<20), grpc.MaxSendMsgSize(16<<20))
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///local",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	require.NoError(t, err)
	h := &harness{t: t, client: operatorv1.NewStepOperatorClient(conn), self: os.Args[0]}
	t.Cleanup(func() {
		conn.Close()
		g.Stop()
		server.Close()
	})
	if !filepath.IsAbs(h.self) {
		h.self, err = os.Executable()
		require.NoError(t, err)
	}
	root := t.TempDir()
	h.state = jobdir.At(root)
	h.target = h.targetAt(root)
	scope, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.target})
	require.NoError(t, err)
	require.NotEmpty(t, scope.GetScope().GetId(), "%v", scope)
	h.target.Scope = scope.GetScope()
	return h
}

func (h *harness) targetAt(root string) *operatorv1.Target {
	about, err := h.client.GetMetadata(h.ctx(), &operatorv1.GetMetadataRequest{})
	require.NoError(h.t, err)
	config, err := json.Marshal(map[string]any{"state_dir": root, "inherit_env": []string{}})
	require.NoError(h.t, err)
	return &operatorv1.Target{Operator: "here", FlavorVersion: about.Version, ManifestDigest: about.ManifestDigest,
		Config: &operatorv1.Values{Json: config}}
}

func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	h.t.Cleanup(cancel)
	return ctx
}

func keyOf(token string, attempt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%d", token, attempt))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

// step is a step that runs this test binary in the given mode.
func (h *harness) step(token, mode string, args ...string) *operatorv1.Step {
	return &operatorv1.Step{
		RunId: "run-" + token, RunToken: token, Attempt: 1, Key: keyOf(token, 1), Name: "train",
		Argv: append([]string{h.self}, args...), Env: map[string]string{stepMode: mode, noRaceSleep: noRaceSleepValue},
		Settings: &operatorv1.Values{Json: []byte(`{"best_effort":false}`)},
	}
}

// command is a step that runs argv.
func (h *harness) command(token string, argv ...string) *operatorv1.Step {
	s := h.step(token, "")
	s.Argv, s.Env = argv, nil
	return s
}

func (h *harness) submit(s *operatorv1.Step) *operatorv1.SubmitResponse {
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.target, Step: s, RequestDigest: strings.Repeat("0", 64)})
	require.NoError(h.t, err)
	return r
}

func (h *harness) accepted(s *operatorv1.Step) *operatorv1.Handle {
	h.t.Helper()
	r := h.submit(s)
	require.NotNil(h.t, r.GetAccepted(), "%v", r)
	h.t.Cleanup(func() { h.gone(s.Key) })
	return r.GetAccepted().GetHandle()
}

func (h *harness) job(key string) jobdir.Job {
	j, err := h.state.Job(key)
	require.NoError(h.t, err)
	return j
}

// gone waits until the runner of a job has let go: what it still removes must
// not race with the test's own cleanup.
func (h *harness) gone(key string) {
	h.wait("the runner to end", func() bool {
		locked, err := jobdir.Locked(h.job(key).Lock())
		return err == nil && !locked
	})
}

// wait waits for a condition.
func (h *harness) wait(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(hang); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			require.FailNow(h.t, "waited too long for "+what)
		}
	}
}

// watch returns the terminal event and the phases seen before it.
func (h *harness) watch(key string, handle *operatorv1.Handle) (*operatorv1.Terminal, []operatorv1.Phase) {
	h.t.Helper()
	stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: h.target, Handle: handle, Key: key,
		HeartbeatInterval: durationpb.New(10 * time.Second)})
	require.NoError(h.t, err)
	var phases []operatorv1.Phase
	for {
		e, err := stream.Recv()
		require.NoError(h.t, err)
		if s := e.GetStatus(); s != nil {
			phases = append(phases, s.Phase)
		}
		if end := e.GetTerminal(); end != nil {
			return end, phases
		}
	}
}

// log is what Logs sent.
type log struct {
	bytes   map[string]*bytes.Buffer // by stream
	cursors map[string]string        // by source
	ends    int
	gaps    []*operatorv1.LogGap
	entries int
}

func (h *harness) logs(key string, handle *operatorv1.Handle, follow bool, cursors map[string]string) *log {
	h.t.Helper()
	stream, err := h.client.Logs(h.ctx(), &operatorv1.LogsRequest{Target: h.target, Handle: handle, Key: key, Follow: follow, Cursors: cursors})
	require.NoError(h.t, err)
	l := &log{bytes: map[string]*bytes.Buffer{"stdout": {}, "stderr": {}}, cursors: map[string]string{}}
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return l
		}
		require.NoError(h.t, err)
		require.Nil(h.t, m.GetReachability(), "%v", m)
		if m.Gap != nil {
			l.gaps = append(l.gaps, m.Gap)
		}
		for _, e := range m.Entries {
			l.bytes[m.Source.Stream].Write(e.Data)
			l.cursors[m.Source.Name] = e.Cursor
			l.entries++
		}
		if m.End {
			l.ends++
		}
	}
}

func (h *harness) cancel(key string, handle *operatorv1.Handle, grace time.Duration, force bool) *operatorv1.CancelResponse {
	r, err := h.client.Cancel(h.ctx(), &operatorv1.CancelRequest{Target: h.target, Handle: handle, Key: key, Grace: durationpb.New(grace), Force: force})
	require.NoError(h.t, err)
	return r
}
