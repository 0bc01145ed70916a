package fake

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func rawJSON(text []byte) json.RawMessage { return text }

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

// SandboxList lists the older backend.
func (s *server) SandboxList(_ context.Context, in *pb.SandboxListRequest) (*pb.SandboxListResponse, error) {
	return s.list(in, false), nil
}

// SandboxListV2 lists both backends.
func (s *server) SandboxListV2(_ context.Context, in *pb.SandboxListRequest) (*pb.SandboxListResponse, error) {
	return s.list(in, true), nil
}

func (s *server) list(in *pb.SandboxListRequest, both bool) *pb.SandboxListResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*pb.SandboxInfo
	for _, b := range slices.Backward(s.sandboxes) {
		late := time.Since(b.created) < ms(b.life.ListedAfterMS)
		if len(out) == pageMost {
			break
		}
		if late || b.newer && !both || b.result != nil && !in.GetIncludeFinished() || in.GetAppId() != "" && b.app != in.GetAppId() {
			continue
		}
		if before := in.GetBeforeTimestamp(); before > 0 && seconds(b.created) >= before {
			continue
		}
		has := true
		for _, t := range in.GetTags() {
			has = has && b.tags[t.GetTagName()] == t.GetTagValue()
		}
		if has {
			out = append(out, b.info())
		}
	}
	return pb.SandboxListResponse_builder{Sandboxes: out}.Build()
}

// SandboxGetFromName knows the names of running sandboxes of the older backend.
func (s *server) SandboxGetFromName(_ context.Context, in *pb.SandboxGetFromNameRequest) (*pb.SandboxGetFromNameResponse, error) {
	return s.named1(in, false)
}

// SandboxGetFromNameV2 knows those of the newer one, also of ended sandboxes.
func (s *server) SandboxGetFromNameV2(_ context.Context, in *pb.SandboxGetFromNameRequest) (*pb.SandboxGetFromNameResponse, error) {
	return s.named1(in, true)
}

func (s *server) named1(in *pb.SandboxGetFromNameRequest, newer bool) (*pb.SandboxGetFromNameResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.object("app", in.GetEnvironmentName(), in.GetAppName(), 0)
	if err != nil {
		return nil, err
	}
	for _, b := range slices.Backward(s.sandboxes) {
		if b.newer == newer && b.app == app && b.definition.GetName() == in.GetSandboxName() && (b.result == nil || newer && in.GetIncludeTerminated()) {
			return pb.SandboxGetFromNameResponse_builder{SandboxId: b.id}.Build(), nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "Sandbox with name '%s' not found", in.GetSandboxName())
}

// SandboxWait waits for the end of a sandbox, for as long as it is asked to.
func (s *server) SandboxWait(ctx context.Context, in *pb.SandboxWaitRequest) (*pb.SandboxWaitResponse, error) {
	return s.wait(ctx, in, false)
}

// SandboxWaitV2 is the same on the newer backend.
func (s *server) SandboxWaitV2(ctx context.Context, in *pb.SandboxWaitRequest) (*pb.SandboxWaitResponse, error) {
	return s.wait(ctx, in, true)
}

func (s *server) wait(ctx context.Context, in *pb.SandboxWaitRequest, newer bool) (*pb.SandboxWaitResponse, error) {
	b, err := s.find(in.GetSandboxId(), newer)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(time.Duration(float64(in.GetTimeout()) * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-b.over:
	case <-timer.C:
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return pb.SandboxWaitResponse_builder{Result: b.result, Metadata: pb.SandboxHandleMetadata_builder{AppId: b.app}.Build()}.Build(), nil
}

// SandboxTerminate asks a sandbox to end.
func (s *server) SandboxTerminate(_ context.Context, in *pb.SandboxTerminateRequest) (*pb.SandboxTerminateResponse, error) {
	return s.end(in, false)
}

// SandboxTerminateV2 is the same on the newer backend.
func (s *server) SandboxTerminateV2(_ context.Context, in *pb.SandboxTerminateRequest) (*pb.SandboxTerminateResponse, error) {
	return s.end(in, true)
}

func (s *server) end(in *pb.SandboxTerminateRequest, newer bool) (*pb.SandboxTerminateResponse, error) {
	b, err := s.find(in.GetSandboxId(), newer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.result != nil {
		return pb.SandboxTerminateResponse_builder{ExistingResult: b.result}.Build(), nil
	}
	b.terminate()
	return &pb.SandboxTerminateResponse{}, nil
}

// SandboxGetTaskId tells the task once there is a machine.
func (s *server) SandboxGetTaskId(_ context.Context, in *pb.SandboxGetTaskIdRequest) (*pb.SandboxGetTaskIdResponse, error) {
	return s.taskOf(in, false)
}

// SandboxGetTaskIdV2 is the same on the newer backend.
func (s *server) SandboxGetTaskIdV2(_ context.Context, in *pb.SandboxGetTaskIdRequest) (*pb.SandboxGetTaskIdResponse, error) {
	return s.taskOf(in, true)
}

func (s *server) taskOf(in *pb.SandboxGetTaskIdRequest, newer bool) (*pb.SandboxGetTaskIdResponse, error) {
	b, err := s.find(in.GetSandboxId(), newer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := pb.SandboxGetTaskIdResponse_builder{TaskResult: b.result}
	if b.task != "" {
		out.TaskId = &b.task
	}
	return out.Build(), nil
}

// SandboxTagsGet tells the tags of a sandbox.
func (s *server) SandboxTagsGet(_ context.Context, in *pb.SandboxTagsGetRequest) (*pb.SandboxTagsGetResponse, error) {
	return s.tagsOf(in, false)
}

// SandboxTagsGetV2 is the same on the newer backend.
func (s *server) SandboxTagsGetV2(_ context.Context, in *pb.SandboxTagsGetRequest) (*pb.SandboxTagsGetResponse, error) {
	return s.tagsOf(in, true)
}

func (s *server) tagsOf(in *pb.SandboxTagsGetRequest, newer bool) (*pb.SandboxTagsGetResponse, error) {
	b, err := s.find(in.GetSandboxId(), newer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return pb.SandboxTagsGetResponse_builder{Tags: b.info().GetTags()}.Build(), nil
}

// SandboxGetCommandRouterAccess tells where the machine of a sandbox is, for as
// long as it knows the sandbox.
func (s *server) SandboxGetCommandRouterAccess(_ context.Context, in *pb.SandboxGetCommandRouterAccessRequest) (*pb.SandboxGetCommandRouterAccessResponse, error) {
	b, err := s.find(in.GetSandboxId(), true)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case b.task == "":
		return nil, status.Error(codes.FailedPrecondition, "the sandbox has no machine yet")
	case !s.reachable(b):
		return nil, status.Error(codes.NotFound, "the machine is gone")
	}
	return pb.SandboxGetCommandRouterAccessResponse_builder{Url: s.router, Jwt: jwt(b.task, tokenLives)}.Build(), nil
}

// reachable tells whether the machine still knows the sandbox; s.mu is held.
func (s *server) reachable(b *sandbox) bool {
	return b.finished.IsZero() || time.Since(b.finished) < s.keeps
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
