package fake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/test/cloudfake"
)

// What the fake is, unless a test sets something else.
const (
	Project = "fake-project"
	Number  = "123456789012"
	Bucket  = "fake-bucket"
)

// server is the whole fake.
type server struct {
	dir    string
	plan   *cloudfake.Plan
	runner *cloudfake.Runner
	shim   string // program that stands for the shim of an image
	calls  *cloudfake.GRPC

	mu   sync.Mutex
	jobs *jobs
	set  settings

	tokens  *tokens
	objects *objects
	repos   map[string]bool
}

// settings are what a test may change.
type settings struct {
	project string
	quota   map[string]int64
}

// Open starts the fake's gRPC part and returns it as a service of package
// cloudfake. shim is the program for /.stephost/init, or "".
func Open(shim string) func(ctx context.Context, dir string) (*cloudfake.Service, error) {
	return func(ctx context.Context, dir string) (*cloudfake.Service, error) {
		s := &server{
			dir: dir, plan: &cloudfake.Plan{}, runner: &cloudfake.Runner{}, shim: shim,
			set:    settings{project: Project, quota: map[string]int64{}},
			tokens: newTokens(), objects: newObjects(filepath.Join(dir, "gcs")), repos: map[string]bool{},
		}
		s.calls = &cloudfake.GRPC{Plan: s.plan, Refuse: refusal, About: about}
		s.jobs = newJobs(s)
		if err := s.objects.makeBucket(Bucket); err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		g := grpc.NewServer(grpc.ChainUnaryInterceptor(s.calls.Unary, s.signedIn), grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))
		aiplatformpb.RegisterJobServiceServer(g, &jobService{s: s})
		aiplatformpb.RegisterPersistentResourceServiceServer(g, &resourceService{s: s})
		loggingpb.RegisterLoggingServiceV2Server(g, &logService{s: s})
		go func() { _ = g.Serve(s.calls.Listen(l)) }()
		return &cloudfake.Service{
			Handler:   s.rest(),
			Admin:     &cloudfake.Admin{Plan: s.plan, Jobs: s.jobs.admin, Delete: s.jobs.remove, Set: s.change},
			Endpoints: map[string]string{"grpc": "http://" + l.Addr().String()},
			Close: func() error {
				g.Stop()
				return s.runner.Close()
			},
		}, nil
	}
}

// change is Admin.Set.
func (s *server) change(name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "project":
		s.set.project = value
	case "bucket":
		return s.objects.makeBucket(value)
	case "token_seconds":
		return s.tokens.lives(value)
	case "revoke":
		s.tokens.revoke()
	case "quota": // METRIC=LIMIT
		metric, limit, ok := strings.Cut(value, "=")
		var n int64
		if _, err := fmt.Sscan(limit, &n); !ok || err != nil {
			return fmt.Errorf("%q is no METRIC=LIMIT", value)
		}
		s.set.quota[metric] = n
	case "repository":
		s.repos[value] = true
	default:
		return errors.New("nothing is called " + name)
	}
	return nil
}

func (s *server) project() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set.project
}

// signedIn refuses a call whose token is none.
func (s *server) signedIn(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if !s.tokens.good(strings.Join(md.Get("authorization"), "")) {
		return nil, status.Error(codes.Unauthenticated, "Request had invalid authentication credentials.")
	}
	return next(ctx, in)
}

// refusal is a fault in the words of the service.
func refusal(f cloudfake.Fault) error {
	text := func(s string) string {
		if f.Message != "" {
			return f.Message
		}
		return s
	}
	switch f.Kind {
	case cloudfake.Throttled:
		st := status.New(codes.ResourceExhausted, text("Quota exceeded for quota metric 'Resource management (CRUD) requests' and limit 'Resource management (CRUD) requests per minute per region' of service 'aiplatform.googleapis.com'."))
		st, err := st.WithDetails(&errdetails.ErrorInfo{Reason: "RATE_LIMIT_EXCEEDED", Domain: "googleapis.com"},
			&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(f.RetryAfterMS) * time.Millisecond)})
		if err != nil {
			return err
		}
		return st.Err()
	case cloudfake.Expired:
		return status.Error(codes.Unauthenticated, text("Request had invalid authentication credentials."))
	case cloudfake.Denied:
		return status.Error(codes.PermissionDenied, text("Permission 'aiplatform.customJobs.create' denied on resource"))
	case cloudfake.Quota:
		return status.Error(codes.ResourceExhausted, text("The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus"))
	case cloudfake.Capacity:
		return status.Error(codes.ResourceExhausted, text("Resources are insufficient in region: europe-west1. Please try a different region or use a different accelerator."))
	}
	return status.Error(codes.Internal, text("Internal error encountered."))
}

// about is what a call is about, for rules.
func about(in any) []string {
	var names []string
	if m, ok := in.(interface{ GetName() string }); ok {
		names = append(names, m.GetName())
	}
	if m, ok := in.(interface{ GetFilter() string }); ok {
		names = append(names, m.GetFilter())
	}
	if m, ok := in.(*aiplatformpb.CreateCustomJobRequest); ok {
		names = append(names, m.GetCustomJob().GetDisplayName())
		for _, v := range m.GetCustomJob().GetLabels() {
			names = append(names, v)
		}
	}
	return names
}

// refuse writes a fault of a JSON API.
func refuse(w http.ResponseWriter, f cloudfake.Fault) {
	code, text := http.StatusServiceUnavailable, "Backend Error"
	switch f.Kind {
	case cloudfake.Throttled:
		code, text = http.StatusTooManyRequests, "rateLimitExceeded"
	case cloudfake.Expired:
		code, text = http.StatusUnauthorized, "Invalid Credentials"
	case cloudfake.Denied:
		code, text = http.StatusForbidden, "does not have storage.objects.create access"
	}
	if f.Message != "" {
		text = f.Message
	}
	fail(w, code, text)
}
