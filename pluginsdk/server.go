package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Server is the contract made of an Implementation. Main makes one for a plugin
// process; tests of a flavor make one and register it on a gRPC server of their
// own. Safe for concurrent use.
type Server struct {
	operatorv1.UnimplementedStepOperatorServer

	// manifest reads it and compares it with impl, once.
	manifest func() (*manifest, error)
	impl     Implementation
	ctx      context.Context // ends with the process
	cancel   context.CancelFunc
	log      hclog.Logger
	scopes   scopes
	nudges   nudges
	batches  batches
}

// NewServer makes the contract of impl. It returns an error when manifest
// cannot be read or does not agree with impl.
func NewServer(manifest []byte, impl Implementation) (*Server, error) {
	s := newServer(manifest, impl)
	if _, err := s.manifest(); err != nil {
		return nil, err
	}
	return s, nil
}

// newServer is NewServer without the reading of the manifest, which every call waits
// for.
func newServer(data []byte, impl Implementation) *Server {
	s := &Server{impl: impl, log: newLogger()}
	s.manifest = sync.OnceValues(func() (*manifest, error) {
		m, err := readManifest(data)
		if err != nil {
			return nil, err
		}
		return m, impl.check(m)
	})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.batches.server = s
	return s
}

// Register registers the server with r.
func (s *Server) Register(r grpc.ServiceRegistrar) { r.RegisterService(soundService(), s) }

// Close ends the background work of the server: pollers, and the steps of a
// Launcher (each is given launchStop to end).
func (s *Server) Close() {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), launchStop)
	defer cancel()
	s.impl.close(ctx)
}

// start takes what the process was given; it is called before the first call.
func (s *Server) start(ctx context.Context, log hclog.Logger) {
	if log != nil {
		s.log = log
	}
	context.AfterFunc(ctx, s.cancel)
}

// call is one call with its decoded config.
type call struct {
	target  *operatorv1.Target
	session *session
	// digest is over the config without secrets. credentials is over everything that
	// decides whom a call asks: the config with its secrets, and the project.
	digest, credentials string
}

// begin decodes the config of a call and gives ctx its logger.
func (s *Server) begin(ctx context.Context, t *operatorv1.Target, name string, fields ...any) (context.Context, *call, error) {
	log := s.log.With("call", name, "operator", t.GetOperator()).With(fields...)
	ctx = WithLogger(ctx, log)
	m, err := s.manifest()
	if err != nil {
		return ctx, nil, System(err)
	}
	if d := t.GetManifestDigest(); d != "" && d != m.digest {
		return ctx, nil, &Error{Class: ClassConfig, Summary: fmt.Sprintf(
			"this is flavor %s %s, but the config was validated with another manifest (%s instead of %s)",
			m.name, m.version, d, m.digest)}
	}
	c := &call{target: t, digest: digestOf(t.GetConfig(), false), credentials: Key(digestOf(t.GetConfig(), true), t.GetProject())}
	err = guard(ctx, name, func() (err error) { c.session, err = s.impl.open(t); return err })
	return ctx, c, err
}

// GetMetadata answers from memory.
func (s *Server) GetMetadata(context.Context, *operatorv1.GetMetadataRequest) (*operatorv1.GetMetadataResponse, error) {
	m, err := s.manifest()
	if err != nil {
		return nil, refused(err)
	}
	return &operatorv1.GetMetadataResponse{
		Flavor: m.name, Version: m.version, Protocol: m.protocol,
		ManifestDigest: m.digest, Sdk: "stephost-go/" + Version,
	}, nil
}

// absent is the answer for a capability that the flavor does not have.
func absent(capability string) error {
	return status.Errorf(codes.Unimplemented, "the flavor has no capability %q", capability)
}

// refused is the answer of a call whose messages could not say that the config or
// the manifest cannot be read.
func refused(err error) error {
	return status.Error(codes.FailedPrecondition, bound(err.Error(), maxDetail))
}

// streamEnd is the status of a stream whose context is over.
func streamEnd(ctx context.Context) error { return status.FromContextError(ctx.Err()).Err() }

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var _ operatorv1.StepOperatorServer = (*Server)(nil)
