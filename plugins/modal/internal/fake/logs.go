package fake

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// look is the pause between two looks at the output of a process.
	look = 10 * time.Millisecond
	// batchMost is how many lines a batch has at most, chunk how many bytes a
	// message of the machine's service has.
	batchMost = 500
	chunk     = 64 << 10
)

func streamOf(fd pb.FileDescriptor) string {
	if fd == pb.FileDescriptor_FILE_DESCRIPTOR_STDERR {
		return "stderr"
	}
	return "stdout"
}

// state is the process of a sandbox, and whether the sandbox has a result.
func (s *server) state(b *sandbox) (p *cloudfake.Process, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.process, b.result != nil
}

// lines are those of a stream that are readable, from an index on; next is where
// to go on.
func lines(p *cloudfake.Process, stream string, from int, late time.Duration) (found []cloudfake.Line, next int, err error) {
	all, err := p.Lines(from, batchMost)
	if err != nil {
		return nil, from, err
	}
	next = from
	for _, l := range all {
		if time.Since(l.Time) < late {
			break
		}
		next = l.Index + 1
		if l.Stream == stream {
			found = append(found, l)
		}
	}
	return found, next, nil
}

// text is a line as the control plane keeps it.
func text(l cloudfake.Line) string {
	data := strings.ToValidUTF8(string(l.Data), "\uFFFD")
	if !l.Cut {
		data += "\n"
	}
	return data
}

func taskLogs(l cloudfake.Line, fd pb.FileDescriptor) *pb.TaskLogs {
	return pb.TaskLogs_builder{Data: text(l), FileDescriptor: fd, Timestamp: seconds(l.Time), TimestampNs: uint64(l.Time.UnixNano())}.Build()
}

// SandboxGetLogs gives the output of a sandbox of the older backend behind an
// entry, for as long as it is asked to.
func (s *server) SandboxGetLogs(in *pb.SandboxGetLogsRequest, out grpc.ServerStreamingServer[pb.TaskLogsBatch]) error {
	b, err := s.find(in.GetSandboxId(), false)
	if err != nil {
		return err
	}
	from := 0
	if _, err := fmt.Sscanf(in.GetLastEntryId(), "%d-0", &from); err != nil {
		return status.Errorf(codes.InvalidArgument, "%q is no entry", in.GetLastEntryId())
	}
	end := time.Now().Add(time.Duration(float64(in.GetTimeout()) * float64(time.Second)))
	late := ms(b.life.LogsLateMS)
	for {
		p, over := s.state(b) // before the lines are read: what is there then is all
		if p != nil {
			found, next, err := lines(p, streamOf(in.GetFileDescriptor()), from, late)
			if err != nil {
				return err
			}
			if len(found) > 0 {
				batch := pb.TaskLogsBatch_builder{TaskId: b.task, EntryId: fmt.Sprintf("%d-0", next)}
				for _, l := range found {
					batch.Items = append(batch.Items, taskLogs(l, in.GetFileDescriptor()))
				}
				if err := out.Send(batch.Build()); err != nil {
					return err
				}
			}
			if next > from {
				from = next
				continue
			}
		}
		if over && (p == nil || from >= p.Count()) {
			return out.Send(pb.TaskLogsBatch_builder{EntryId: fmt.Sprintf("%d-0", from), Eof: true}.Build())
		}
		if time.Now().After(end) {
			return nil
		}
		if !s.rests(out.Context(), look) {
			return status.FromContextError(out.Context().Err()).Err()
		}
	}
}

// rests waits; false when nobody waits for the answer any more.
func (s *server) rests(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.stop:
	}
	return false
}

// stored are the lines that the control plane keeps of a task, with their time in
// a range.
func (s *server) stored(task string, fd pb.FileDescriptor, since, until time.Time) ([]cloudfake.Line, error) {
	s.mu.Lock()
	var p *cloudfake.Process
	for _, b := range s.sandboxes {
		if b.task == task {
			p = b.process
		}
	}
	s.mu.Unlock()
	if p == nil {
		return nil, nil
	}
	all, err := p.Lines(0, p.Count())
	var out []cloudfake.Line
	for _, l := range all {
		if l.Stream == streamOf(fd) && !l.Time.Before(since) && l.Time.Before(until) {
			out = append(out, l)
		}
	}
	return out, err
}

// AppCountLogs counts stored lines.
func (s *server) AppCountLogs(_ context.Context, in *pb.AppCountLogsRequest) (*pb.AppCountLogsResponse, error) {
	all, err := s.stored(in.GetTaskId(), in.GetSource(), in.GetSince().AsTime(), in.GetUntil().AsTime())
	if err != nil || in.GetBucketSecs() == 0 {
		return nil, status.Error(codes.InvalidArgument, "bucket_secs is required")
	}
	size := time.Duration(in.GetBucketSecs()) * time.Second
	var buckets []*pb.AppCountLogsResponse_LogBucket
	for _, l := range all {
		start := l.Time.Truncate(size)
		if n := len(buckets); n == 0 || !buckets[n-1].GetBucketStartAt().AsTime().Equal(start) {
			buckets = append(buckets, pb.AppCountLogsResponse_LogBucket_builder{BucketStartAt: timestamppb.New(start)}.Build())
		}
		last := buckets[len(buckets)-1]
		last.SetStdoutLogs(last.GetStdoutLogs() + 1)
	}
	return pb.AppCountLogsResponse_builder{AppId: in.GetAppId(), Buckets: buckets}.Build(), nil
}

// AppFetchLogs gives stored lines.
func (s *server) AppFetchLogs(_ context.Context, in *pb.AppFetchLogsRequest) (*pb.AppFetchLogsResponse, error) {
	all, err := s.stored(in.GetTaskId(), in.GetSource(), in.GetSince().AsTime(), in.GetUntil().AsTime())
	if err != nil {
		return nil, err
	}
	batch := pb.TaskLogsBatch_builder{TaskId: in.GetTaskId()}
	for _, l := range all[:min(len(all), int(in.GetLimit()))] {
		batch.Items = append(batch.Items, taskLogs(l, in.GetSource()))
	}
	return pb.AppFetchLogsResponse_builder{Batches: []*pb.TaskLogsBatch{batch.Build()}}.Build(), nil
}

// router is the service of the machines.
type router struct {
	pb.UnimplementedTaskCommandRouterServer
	s *server
}

// SandboxStdioReadV2 gives the output of a sandbox of the newer backend from an
// offset on, until it ends.
func (r *router) SandboxStdioReadV2(in *pb.SandboxStdioReadV2Request, out grpc.ServerStreamingServer[pb.SandboxStdioReadV2Response]) error {
	md, _ := metadata.FromIncomingContext(out.Context())
	if !strings.HasPrefix(strings.Join(md.Get("authorization"), ""), "Bearer ") {
		return status.Error(codes.Unauthenticated, "no token")
	}
	var b *sandbox
	r.s.mu.Lock()
	for _, one := range r.s.sandboxes {
		if one.task == in.GetTaskId() && one.newer && r.s.reachable(one) {
			b = one
		}
	}
	retains := r.s.retains
	r.s.mu.Unlock()
	if b == nil {
		return status.Error(codes.NotFound, "no such task on this machine")
	}
	name := "stdout"
	if in.GetFileDescriptor() == pb.SandboxStdioFileDescriptor_SANDBOX_STDIO_FILE_DESCRIPTOR_STDERR {
		name = "stderr"
	}
	at := int64(in.GetOffset())
	buffer := make([]byte, chunk)
	for {
		p, over := r.s.state(b)
		ended := over
		if p != nil {
			select {
			case <-p.Done():
				ended = true
			default:
			}
			n, err := read(p.Path(name), buffer, &at, retains)
			if err != nil {
				return err
			}
			retains = 0
			if n > 0 {
				if err := out.Send(pb.SandboxStdioReadV2Response_builder{Data: buffer[:n], StartingOffset: uint64(at)}.Build()); err != nil {
					return err
				}
				at += int64(n)
				continue
			}
		}
		if ended {
			return nil
		}
		if !r.s.rests(out.Context(), look) {
			return status.FromContextError(out.Context().Err()).Err()
		}
	}
}

// read reads a piece of a file; at moves to what is still kept of it.
func read(path string, into []byte, at *int64, retains int64) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && retains > 0 && info.Size()-*at > retains {
		*at = info.Size() - retains
	}
	n, err := f.ReadAt(into, *at)
	if err == io.EOF {
		err = nil
	}
	return n, err
}
