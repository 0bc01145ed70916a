//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
)

// harness is the flavor behind its real contract, without a process of its own.
type harness struct {
	t      *testing.T
	client operatorv1.StepOperatorClient
	target *operatorv1.Target
	shared string
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, shared: sharedDir(t)}
	server, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf(slurm{}))
	h.must(err)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer()
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///slurm", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	h.must(err)
	t.Cleanup(func() { conn.Close(); g.Stop(); server.Close() })
	h.client = operatorv1.NewStepOperatorClient(conn)
	h.target = h.config(false)
	return h
}

func (h *harness) config(copyWork bool) *operatorv1.Target {
	text, err := json.Marshal(map[string]any{"shared_dir": h.shared, "copy_work": copyWork})
	h.must(err)
	return &operatorv1.Target{Operator: "op", Config: &operatorv1.Values{Json: text}}
}

func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	h.t.Cleanup(cancel)
	return ctx
}

// step is a step that runs a shell script in a directory of its own.
func (h *harness) step(token, script string, change ...func(*operatorv1.Step)) *operatorv1.Step {
	sum := sha256.Sum256([]byte(h.t.Name() + token))
	s := &operatorv1.Step{
		RunId: "run-" + token, RunToken: token, Attempt: 1, Name: "train",
		Key:  strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26],
		Argv: []string{"sh", "-c", script}, Settings: &operatorv1.Values{Json: []byte(`{"partition":null,"account":null,"qos":null,"constraint":null}`)},
		Environment: &operatorv1.Environment{Kind: &operatorv1.Environment_Directory_{Directory: &operatorv1.Environment_Directory{Path: h.t.TempDir()}}},
	}
	for _, f := range change {
		f(s)
	}
	return s
}

func partition(name string) func(*operatorv1.Step) {
	return func(s *operatorv1.Step) {
		s.Settings.Json = []byte(strings.Replace(string(s.Settings.Json), `"partition":null`, `"partition":"`+name+`"`, 1))
	}
}

func cpus(n int64) func(*operatorv1.Step) {
	return func(s *operatorv1.Step) { s.Resources = &operatorv1.Resources{CpuMillis: n * 1000} }
}

func (h *harness) submit(s *operatorv1.Step) *operatorv1.SubmitResponse {
	h.t.Helper()
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.target, Step: s, RequestDigest: strings.Repeat("0", 64)})
	h.must(err)
	return r
}

// job submits a step and returns its handle and Slurm's number.
func (h *harness) job(s *operatorv1.Step) (*operatorv1.Handle, string) {
	h.t.Helper()
	r := h.submit(s)
	if r.GetAccepted() == nil {
		h.t.Fatalf("Submit: %v", r)
	}
	var data handle
	h.must(json.Unmarshal(r.GetAccepted().GetHandle().GetData(), &data))
	return r.GetAccepted().GetHandle(), data.Job
}

// watch tells every status to seen until the terminal event.
func (h *harness) watch(key string, handle *operatorv1.Handle, seen func(*operatorv1.Status)) *operatorv1.Terminal {
	h.t.Helper()
	stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: h.target, Handle: handle, Key: key, HeartbeatInterval: durationpb.New(10 * time.Second)})
	h.must(err)
	for {
		e, err := stream.Recv()
		h.must(err)
		if s := e.GetStatus(); s != nil && seen != nil {
			seen(s)
		}
		if r := e.GetReachability(); r != nil && !r.GetReachable() {
			h.t.Logf("could not ask: %v", r.GetCouldNotAsk())
		}
		if end := e.GetTerminal(); end != nil {
			return end
		}
	}
}

// running waits until the step of a key has begun.
func (h *harness) running(c *cluster, key string) {
	h.t.Helper()
	c.wait("the step to run", func() bool {
		_, err := os.Stat(filepath.Join(h.shared, "jobs", key, "id"))
		out, readErr := os.ReadFile(filepath.Join(h.shared, "jobs", key, "stdout"))
		return err == nil && readErr == nil && strings.Contains(string(out), "begun")
	})
}

// log is what Logs sent of standard output.
func (h *harness) log(key string, handle *operatorv1.Handle) string {
	h.t.Helper()
	stream, err := h.client.Logs(h.ctx(), &operatorv1.LogsRequest{Target: h.target, Handle: handle, Key: key, Follow: true})
	h.must(err)
	var b strings.Builder
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return b.String()
		}
		h.must(err)
		for _, e := range m.GetEntries() {
			if m.GetSource().GetStream() == "stdout" {
				b.Write(e.GetData())
			}
		}
	}
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// sharedDir is a directory that is removed when the last process has let go of it:
// Slurm calls a job over before its script has written its last file.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slurm-shared-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Errorf("somebody still writes: %v", err)
				return
			}
		}
	})
	return dir
}
