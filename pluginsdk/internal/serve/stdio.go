package serve

import (
	"context"
	"os"
	"sync"

	"google.golang.org/grpc"
)

// stdio gives os.Stdout and os.Stderr back to the author's code. go-plugin
// replaces them by pipes which a stream carries to the host; when the host is
// gone nobody empties them, and a single fmt.Println too many blocks the plugin
// for ever. The real ones fail with EPIPE then, which a print ignores.
//
// go-plugin replaces them before it serves, so the first call of any service
// (its own stdio stream comes first) is the moment at which nothing replaces
// them again and no handler has used them yet.
type stdio struct {
	once     sync.Once
	out, err *os.File
}

func (s *stdio) restore() {
	s.once.Do(func() { os.Stdout, os.Stderr = s.out, s.err })
}

func (s *stdio) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	s.restore()
	return handler(ctx, req)
}

func (s *stdio) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	s.restore()
	return handler(srv, ss)
}
