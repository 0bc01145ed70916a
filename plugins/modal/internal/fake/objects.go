package fake

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// prefixes of IDs.
func prefixes() map[string]string {
	return map[string]string{"app": "ap-", "secret": "st-", "volume": "vo-", "proxy": "pr-", "environment": "en-", "image": "im-"}
}

// make makes a named object, or returns the one that is there; s.mu is held.
func (s *server) make(kind, environment, name string) string {
	at := kind + "/" + environment + "/" + name
	if id, ok := s.named[at]; ok {
		return id
	}
	id := s.id(kind)
	s.named[at] = id
	if kind == "secret" {
		s.secrets[id] = map[string]string{"NAMED_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")): "from the secret " + name}
	}
	return id
}

// id makes an ID; s.mu is held.
func (s *server) id(kind string) string {
	const width = 22
	s.next++
	n := strconv.Itoa(s.next)
	return prefixes()[kind] + strings.Repeat("0", width-len(n)) + n
}

// object looks an object up by its name, and makes it where the caller wants
// that; s.mu is held.
func (s *server) object(kind, environment, name string, how pb.ObjectCreationType) (string, error) {
	if environment == "" {
		environment = Environment
	}
	if environment != Environment && s.named["environment/"+Environment+"/"+environment] == "" {
		return "", status.Errorf(codes.NotFound, "environment %s not found", environment)
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`).MatchString(name) {
		return "", status.Errorf(codes.InvalidArgument, "invalid %s name %q", kind, name)
	}
	id, ok := s.named[kind+"/"+environment+"/"+name]
	switch {
	case ok && how == pb.ObjectCreationType_OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS:
		return "", status.Errorf(codes.AlreadyExists, "%s %s exists", kind, name)
	case ok:
		return id, nil
	case how == pb.ObjectCreationType_OBJECT_CREATION_TYPE_UNSPECIFIED:
		return "", status.Errorf(codes.NotFound, "%s %s not found", kind, name)
	}
	return s.make(kind, environment, name), nil
}

// EnvironmentGetOrCreate looks an environment up; no name is the default.
func (s *server) EnvironmentGetOrCreate(_ context.Context, in *pb.EnvironmentGetOrCreateRequest) (*pb.EnvironmentGetOrCreateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := in.GetDeploymentName()
	if name == "" {
		name = Environment
	}
	if name == Environment {
		s.make("environment", Environment, Environment)
	}
	id, err := s.object("environment", Environment, name, in.GetObjectCreationType())
	if err != nil {
		return nil, err
	}
	return pb.EnvironmentGetOrCreateResponse_builder{EnvironmentId: id, Metadata: pb.EnvironmentMetadata_builder{
		Name: name, Settings: pb.EnvironmentSettings_builder{ImageBuilderVersion: "2025.06"}.Build(),
	}.Build()}.Build(), nil
}

// AppGetOrCreate looks an app up. A stopped one has given its name away.
func (s *server) AppGetOrCreate(_ context.Context, in *pb.AppGetOrCreateRequest) (*pb.AppGetOrCreateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.object("app", in.GetEnvironmentName(), in.GetAppName(), in.GetObjectCreationType())
	if err != nil {
		return nil, err
	}
	return pb.AppGetOrCreateResponse_builder{AppId: id}.Build(), nil
}

// AppList lists the apps of an environment, and stopped ones of all.
func (s *server) AppList(_ context.Context, in *pb.AppListRequest) (*pb.AppListResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	environment := in.GetEnvironmentName()
	if environment == "" {
		environment = Environment
	}
	var out []*pb.AppListResponse_AppListItem
	for _, at := range slices.Sorted(maps.Keys(s.named)) {
		if name, ok := strings.CutPrefix(at, "app/"+environment+"/"); ok {
			out = append(out, pb.AppListResponse_AppListItem_builder{AppId: s.named[at], Name: name, Description: name, State: pb.AppState_APP_STATE_DEPLOYED}.Build())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.stopped)) {
		out = append(out, pb.AppListResponse_AppListItem_builder{AppId: id, Description: s.stopped[id], State: pb.AppState_APP_STATE_STOPPED}.Build())
	}
	return pb.AppListResponse_builder{Apps: out}.Build(), nil
}

// AppStop ends everything in an app.
func (s *server) AppStop(_ context.Context, in *pb.AppStopRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.named, func(at, id string) bool {
		if id == in.GetAppId() {
			s.stopped[id] = at[strings.LastIndexByte(at, '/')+1:]
		}
		return id == in.GetAppId()
	})
	for _, b := range s.sandboxes {
		if b.app == in.GetAppId() {
			b.terminate()
		}
	}
	return &emptypb.Empty{}, nil
}

// SecretGetOrCreate makes a secret, or looks one up.
func (s *server) SecretGetOrCreate(_ context.Context, in *pb.SecretGetOrCreateRequest) (*pb.SecretGetOrCreateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range in.GetEnvDict() {
		if !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`).MatchString(name) {
			return nil, status.Errorf(codes.InvalidArgument, "Secret key name %q is invalid for environment variables", name)
		}
	}
	how := in.GetObjectCreationType()
	if how == pb.ObjectCreationType_OBJECT_CREATION_TYPE_EPHEMERAL {
		id := s.id("secret")
		s.secrets[id] = maps.Clone(in.GetEnvDict())
		return pb.SecretGetOrCreateResponse_builder{SecretId: id}.Build(), nil
	}
	id, err := s.object("secret", in.GetEnvironmentName(), in.GetDeploymentName(), how)
	if err != nil {
		return nil, err
	}
	if how != pb.ObjectCreationType_OBJECT_CREATION_TYPE_UNSPECIFIED {
		s.secrets[id] = maps.Clone(in.GetEnvDict())
	}
	return pb.SecretGetOrCreateResponse_builder{SecretId: id}.Build(), nil
}

// SecretDelete removes a secret.
func (s *server) SecretDelete(_ context.Context, in *pb.SecretDeleteRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.secrets[in.GetSecretId()]; !ok {
		return nil, status.Error(codes.NotFound, "secret not found")
	}
	delete(s.secrets, in.GetSecretId())
	maps.DeleteFunc(s.named, func(_, id string) bool { return id == in.GetSecretId() })
	return &emptypb.Empty{}, nil
}

// ProxyGet looks a proxy up.
func (s *server) ProxyGet(_ context.Context, in *pb.ProxyGetRequest) (*pb.ProxyGetResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.object("proxy", in.GetEnvironmentName(), in.GetName(), 0)
	if err != nil {
		return nil, err
	}
	return pb.ProxyGetResponse_builder{Proxy: pb.Proxy_builder{Name: in.GetName(), ProxyId: id}.Build()}.Build(), nil
}

// VolumeGetOrCreate makes a volume, or looks one up.
func (s *server) VolumeGetOrCreate(_ context.Context, in *pb.VolumeGetOrCreateRequest) (*pb.VolumeGetOrCreateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.object("volume", in.GetEnvironmentName(), in.GetDeploymentName(), in.GetObjectCreationType())
	if err != nil {
		return nil, err
	}
	version := pb.VolumeFsVersion_VOLUME_FS_VERSION_V1
	if strings.HasSuffix(in.GetDeploymentName(), "-v2") {
		version = pb.VolumeFsVersion_VOLUME_FS_VERSION_V2
	}
	return pb.VolumeGetOrCreateResponse_builder{VolumeId: id, Metadata: pb.VolumeMetadata_builder{Version: version}.Build()}.Build(), nil
}

// VolumeListFiles lists a directory of a volume of the first kind.
func (s *server) VolumeListFiles(in *pb.VolumeListFilesRequest, out grpc.ServerStreamingServer[pb.VolumeListFilesResponse]) error {
	entries, err := s.files(in.GetVolumeId(), in.GetPath())
	if err != nil {
		return err
	}
	return out.Send(pb.VolumeListFilesResponse_builder{Entries: entries}.Build())
}

// VolumeListFiles2 lists a directory of a volume of the second kind.
func (s *server) VolumeListFiles2(in *pb.VolumeListFiles2Request, out grpc.ServerStreamingServer[pb.VolumeListFiles2Response]) error {
	entries, err := s.files(in.GetVolumeId(), in.GetPath())
	if err != nil {
		return err
	}
	for _, e := range entries { // several messages
		if err := out.Send(pb.VolumeListFiles2Response_builder{Entries: []*pb.FileEntry{e}}.Build()); err != nil {
			return err
		}
	}
	return nil
}

// files are those below a directory of a volume.
func (s *server) files(volume, path string) ([]*pb.FileEntry, error) {
	root := s.path("volumes", volume)
	var out []*pb.FileEntry
	err := filepath.WalkDir(filepath.Join(root, filepath.Clean("/"+path)), func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		kind := pb.FileEntry_FILE
		if d.IsDir() {
			kind = pb.FileEntry_DIRECTORY
		}
		out = append(out, pb.FileEntry_builder{Path: filepath.ToSlash(name), Type: kind, Size: uint64(info.Size())}.Build())
		return nil
	})
	if os.IsNotExist(err) {
		return nil, status.Error(codes.NotFound, "No such file or directory: "+path)
	}
	return out, err
}
