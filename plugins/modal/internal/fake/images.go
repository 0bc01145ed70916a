package fake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/test/cloudfake/container"
)

// image is one that Modal has made of a recipe.
type image struct {
	id, reference string
	pulled        *container.Image // nil = the machine's own file system
	// bare: its entry point was taken away.
	bare   bool
	login  string
	result *pb.GenericResult
}

// ImageGetOrCreate makes an image of a recipe; one is made for equal recipes.
func (s *server) ImageGetOrCreate(ctx context.Context, in *pb.ImageGetOrCreateRequest) (*pb.ImageGetOrCreateResponse, error) {
	if in.GetBuilderVersion() == "" || in.GetAppId() == "" {
		return nil, status.Error(codes.InvalidArgument, "builder_version and app_id are required")
	}
	recipe := proto.Clone(in.GetImage()).(*pb.Image)
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(recipe)
	if err != nil {
		return nil, err
	}
	const width = 11
	sum := sha256.Sum256(text)
	id := prefixes()["image"] + hex.EncodeToString(sum[:width])
	s.mu.Lock()
	defer s.mu.Unlock()
	if made := s.images[id]; made != nil && made.result.GetStatus() == pb.GenericResult_GENERIC_STATUS_SUCCESS {
		return pb.ImageGetOrCreateResponse_builder{ImageId: id, Result: made.result}.Build(), nil
	}
	s.images[id] = s.build(ctx, id, recipe)
	// Its result comes with the stream.
	return pb.ImageGetOrCreateResponse_builder{ImageId: id}.Build(), nil
}

// build carries a recipe out; s.mu is held.
func (s *server) build(ctx context.Context, id string, recipe *pb.Image) *image {
	out := &image{id: id, login: recipe.GetImageRegistryConfig().GetRegistryAuthType().String()}
	fail := func(why string) *image {
		out.result = pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_FAILURE, Exception: why}.Build()
		return out
	}
	for _, line := range recipe.GetDockerfileCommands() {
		from, isFrom := strings.CutPrefix(line, "FROM ")
		switch {
		case isFrom && len(recipe.GetBaseImages()) > 0:
			base := s.images[recipe.GetBaseImages()[0].GetImageId()]
			if base == nil {
				return fail("the base image is not there")
			}
			out.reference, out.pulled, out.bare, out.login = base.reference, base.pulled, base.bare, base.login
		case isFrom:
			out.reference = from
			if s.broken[from] {
				return fail("MANIFEST_UNKNOWN: manifest unknown")
			}
			login := authn.Anonymous
			if secret := s.secrets[recipe.GetImageRegistryConfig().GetSecretId()]; secret["REGISTRY_USERNAME"] != "" {
				login = &authn.Basic{Username: secret["REGISTRY_USERNAME"], Password: secret["REGISTRY_PASSWORD"]}
			}
			var err error
			if out.pulled, err = container.Pull(ctx, from, login); err != nil {
				return fail(err.Error())
			}
		case line == "ENTRYPOINT []":
			out.bare = true
		default:
			return fail("the fake does not know " + line)
		}
	}
	out.result = pb.GenericResult_builder{Status: pb.GenericResult_GENERIC_STATUS_SUCCESS}.Build()
	return out
}

// ImageJoinStreaming tells how a build ends.
func (s *server) ImageJoinStreaming(in *pb.ImageJoinStreamingRequest, out grpc.ServerStreamingServer[pb.ImageJoinStreamingResponse]) error {
	s.mu.Lock()
	made := s.images[in.GetImageId()]
	s.mu.Unlock()
	if made == nil {
		return status.Error(codes.NotFound, "image not found")
	}
	if err := out.Send(pb.ImageJoinStreamingResponse_builder{EntryId: "1-0"}.Build()); err != nil {
		return err
	}
	return out.Send(pb.ImageJoinStreamingResponse_builder{EntryId: "2-0", Result: made.result, Eof: true}.Build())
}
