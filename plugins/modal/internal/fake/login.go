package fake

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// tokenLives is how long an auth token lives: Modal's 20 minutes.
const tokenLives = 20 * time.Minute

// jwt is a token with an end, signed by nobody.
func jwt(about string, lives time.Duration) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"exp":%d}`, about, time.Now().Add(lives).Unix())) + "." + part("x")
}

// login checks the headers that the SDK sends.
func (s *server) login(ctx context.Context, method string, unary bool) error {
	if strings.Contains(method, "TaskCommandRouter") {
		return nil // a token of its own
	}
	md, _ := metadata.FromIncomingContext(ctx)
	// The SDK asks for an auth token within another call, whose headers are there,
	// too.
	get := func(name string) string { return strings.Join(md.Get(name)[:min(1, len(md.Get(name)))], "") }
	s.mu.Lock()
	revoked := s.revoked
	s.mu.Unlock()
	if revoked || get("x-modal-token-id") != TokenID || get("x-modal-token-secret") != TokenSecret {
		return status.Error(codes.Unauthenticated, "Token ID not found or revoked")
	}
	if unary && !strings.HasSuffix(method, "/AuthTokenGet") && get("x-modal-auth-token") == "" {
		return status.Error(codes.Unauthenticated, "x-modal-auth-token is missing")
	}
	return nil
}

func (s *server) signedIn(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := s.login(ctx, info.FullMethod, true); err != nil {
		return nil, err
	}
	return next(ctx, in)
}

func (s *server) signedInStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := s.login(stream.Context(), info.FullMethod, false); err != nil {
		return err
	}
	return next(srv, stream)
}

// AuthTokenGet gives the token that unary calls carry.
func (s *server) AuthTokenGet(context.Context, *pb.AuthTokenGetRequest) (*pb.AuthTokenGetResponse, error) {
	return pb.AuthTokenGetResponse_builder{Token: jwt("auth", tokenLives)}.Build(), nil
}

// TokenInfoGet tells whose the token is.
func (s *server) TokenInfoGet(context.Context, *pb.TokenInfoGetRequest) (*pb.TokenInfoGetResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pb.TokenInfoGetResponse_builder{TokenId: TokenID, WorkspaceId: "ac-" + s.workspace, WorkspaceName: s.workspace}.Build(), nil
}
