package fake

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/test/cloudfake"
)

// What the fake is, unless a test sets something else.
const (
	TokenID     = "ak-1234567890abcdefghijkl"
	TokenSecret = "as-1234567890abcdefghijkl"
	Workspace   = "fake-workspace"
	Environment = "main" // the workspace's default
)

const (
	// pingLeast: clients ping every 30 s, also where nothing goes on.
	pingLeast = 5 * time.Second
	// endGrace stands for the time between SIGTERM and SIGKILL.
	endGrace = 500 * time.Millisecond
	// messageMost is what the SDK takes.
	messageMost = 100 << 20
)

// server is the whole fake.
type server struct {
	pb.UnimplementedModalClientServer
	dir    string
	shim   string // program that stands for the shim of an image
	plan   *cloudfake.Plan
	calls  *cloudfake.GRPC
	runner *cloudfake.Runner
	router string // address of the machines' service
	lives  sync.WaitGroup
	stop   chan struct{}

	mu        sync.Mutex
	workspace string
	revoked   bool
	named     map[string]string // ID by kind, environment and name
	secrets   map[string]map[string]string
	images    map[string]*image
	sandboxes []*sandbox
	stopped   map[string]string // names of apps by ID
	keeps     time.Duration     // how long a machine knows an ended sandbox
	retains   int64             // how much output it keeps
	broken    map[string]bool   // images that cannot be had
	next      int
}

// Open starts the fake's gRPC part and returns it as a service of package
// cloudfake. shim is the program for /.stephost/init, or "".
func Open(_ context.Context, dir, shim string) (*cloudfake.Service, error) {
	s := &server{
		dir: dir, shim: shim, plan: &cloudfake.Plan{}, runner: &cloudfake.Runner{}, stop: make(chan struct{}),
		workspace: Workspace, named: map[string]string{}, secrets: map[string]map[string]string{}, images: map[string]*image{},
		stopped: map[string]string{}, keeps: time.Hour, broken: map[string]bool{},
	}
	s.calls = &cloudfake.GRPC{Plan: s.plan, Refuse: refuse, About: about}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := grpc.NewServer(
		grpc.ChainUnaryInterceptor(s.calls.Unary, s.signedIn), grpc.ChainStreamInterceptor(s.calls.Stream, s.signedInStream),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingLeast, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(messageMost), grpc.MaxSendMsgSize(messageMost),
	)
	pb.RegisterModalClientServer(g, s)
	pb.RegisterTaskCommandRouterServer(g, &router{s: s})
	// Modal says an https address; the SDK speaks plain to it where the service is
	// on this machine.
	s.router = "https://" + l.Addr().String()
	go func() { _ = g.Serve(s.calls.Listen(l)) }()
	return &cloudfake.Service{
		Handler:   http.NotFoundHandler(),
		Admin:     &cloudfake.Admin{Plan: s.plan, Jobs: s.jobs, Delete: s.forget, Set: s.set},
		Endpoints: map[string]string{"grpc": "http://" + l.Addr().String()},
		Close: func() error {
			close(s.stop)
			err := s.runner.Close()
			s.lives.Wait()
			g.Stop()
			return err
		},
	}, nil
}

// set is Admin.Set.
func (s *server) set(name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, _ := strconv.Atoi(value)
	switch name {
	case "workspace":
		s.workspace = value
	case "revoked":
		s.revoked = value == "true"
	case "machine_keeps_ms":
		s.keeps = time.Duration(number) * time.Millisecond
	case "machine_retains":
		s.retains = int64(number)
	case "broken_image":
		s.broken[value] = true
	case "secret", "volume", "proxy", "environment": // ENVIRONMENT/NAME or NAME, that a person has made
		in, object, ok := strings.Cut(value, "/")
		if !ok {
			in, object = Environment, value
		}
		s.make(name, in, object)
	case "age_ms": // sandboxes were created so long earlier
		for _, b := range s.sandboxes {
			b.created = b.created.Add(-time.Duration(number) * time.Millisecond)
		}
	default:
		return errors.New("nothing is called " + name)
	}
	return nil
}

// refuse is a fault in the words of the service.
func refuse(f cloudfake.Fault) error {
	text := func(s string) string {
		if f.Message != "" {
			return f.Message
		}
		return s
	}
	switch f.Kind {
	case cloudfake.Throttled:
		st, err := status.New(codes.ResourceExhausted, text("Rate limit exceeded")).
			WithDetails(pb.RPCRetryPolicy_builder{RetryAfterSecs: float32(f.RetryAfterMS) / 1000}.Build())
		if err != nil {
			return err
		}
		return st.Err()
	case cloudfake.Expired:
		return status.Error(codes.Unauthenticated, text("Token ID not found or revoked"))
	case cloudfake.Denied:
		return status.Error(codes.PermissionDenied, text("The user does not have write access to the environment"))
	case cloudfake.Quota:
		return status.Error(codes.ResourceExhausted, text("Workspace has reached its limit of concurrent GPUs"))
	case cloudfake.Capacity:
		return status.Error(codes.ResourceExhausted, text("Insufficient capacity to create sandbox."))
	}
	return status.Error(codes.Internal, text("internal error"))
}

// about is what a call is about, for rules.
func about(in any) []string {
	var out []string
	if m, ok := in.(interface{ GetSandboxId() string }); ok {
		out = append(out, m.GetSandboxId())
	}
	if m, ok := in.(interface{ GetDefinition() *pb.Sandbox }); ok {
		out = append(out, m.GetDefinition().GetName())
	}
	if m, ok := in.(interface{ GetTags() []*pb.SandboxTag }); ok {
		for _, t := range m.GetTags() {
			out = append(out, t.GetTagValue())
		}
	}
	if m, ok := in.(interface{ GetDeploymentName() string }); ok {
		out = append(out, m.GetDeploymentName())
	}
	return out
}

// path is a directory of the fake's.
func (s *server) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}
