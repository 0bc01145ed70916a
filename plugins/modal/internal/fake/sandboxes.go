package fake

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/test/cloudfake"
)

// sandbox of either backend. The server's lock guards it.
type sandbox struct {
	id, app, task string
	number        int
	newer         bool
	definition    *pb.Sandbox
	tags          map[string]string
	env           map[string]string
	request       proto.Message
	life          cloudfake.Life
	process       *cloudfake.Process
	root          string // of its image, "" = the machine's own file system

	created, started, finished time.Time
	result                     *pb.GenericResult
	starts                     int
	stop                       chan struct{} // closed when it is to end
	stopping                   bool
	over                       chan struct{} // closed when it has a result
	assigned                   chan struct{} // closed when it has a machine
}

// pageMost is how many sandboxes a list gives at once: few, so that pages are
// read.
const pageMost = 50

// longestLife is Modal's limit.
const longestLife = 24 * time.Hour

// SandboxCreate makes a sandbox of the older backend.
func (s *server) SandboxCreate(_ context.Context, in *pb.SandboxCreateRequest) (*pb.SandboxCreateResponse, error) {
	b, err := s.create(in.GetAppId(), in.GetDefinition(), in.GetTags(), nil, false, in)
	if err != nil {
		return nil, err
	}
	return pb.SandboxCreateResponse_builder{SandboxId: b.id}.Build(), nil
}

// SandboxCreateV2 makes a sandbox of the newer backend and answers when it has a
// machine.
func (s *server) SandboxCreateV2(ctx context.Context, in *pb.SandboxCreateV2Request) (*pb.SandboxCreateV2Response, error) {
	var named []string
	for _, source := range in.GetSecretSources() {
		if source.GetSecretId() != "" {
			named = append(named, source.GetSecretId())
		}
	}
	if ids := in.GetDefinition().GetSecretIds(); len(ids) > 0 && !slices.Equal(ids, named) {
		return nil, status.Error(codes.InvalidArgument, "secret_ids must match secret_sources")
	}
	b, err := s.create(in.GetAppId(), in.GetDefinition(), in.GetTags(), in.GetSecretSources(), true, in)
	if err != nil {
		return nil, err
	}
	select {
	case <-b.assigned:
	case <-b.over:
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return pb.SandboxCreateV2Response_builder{SandboxId: b.id, TaskId: b.task}.Build(), nil
}

// create checks a request and begins the life of its sandbox.
func (s *server) create(app string, d *pb.Sandbox, tags []*pb.SandboxTag, sources []*pb.SecretSource, newer bool, request proto.Message) (*sandbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(app, d, newer); err != nil {
		return nil, err
	}
	env, err := s.variables(d, sources)
	if err != nil {
		return nil, err
	}
	s.next++
	b := &sandbox{
		id: s.sandboxID(newer), app: app, number: s.next, newer: newer, definition: d, tags: map[string]string{}, env: env, request: request, created: time.Now(),
		stop: make(chan struct{}), over: make(chan struct{}), assigned: make(chan struct{}),
	}
	for _, t := range tags {
		b.tags[t.GetTagName()] = t.GetTagValue()
	}
	b.life = s.plan.LifeOf(append(slices.Collect(maps.Values(b.tags)), b.id)...)
	s.sandboxes = append(s.sandboxes, b)
	s.lives.Go(func() { s.live(b) })
	return b, nil
}

// sandboxID is an ID by which the SDK tells the backends apart; s.mu is held.
func (s *server) sandboxID(newer bool) string {
	const width, wider = 22, 26
	n := strconv.Itoa(s.next)
	if newer {
		return "sb-" + strings.Repeat("n", wider-len(n)) + n
	}
	return "sb-" + strings.Repeat("0", width-len(n)) + n
}

// check refuses what Modal would; s.mu is held.
func (s *server) check(app string, d *pb.Sandbox, newer bool) error {
	bad := func(text string) error { return status.Error(codes.InvalidArgument, text) }
	known := slices.Contains(slices.Collect(maps.Values(s.named)), app)
	switch {
	case !known: // never made, or stopped
		return status.Error(codes.NotFound, "app not found")
	case s.images[d.GetImageId()] == nil:
		return status.Error(codes.NotFound, "image not found")
	case len(d.GetEntrypointArgs()) == 0:
		return bad("a command is needed")
	case newer && d.GetResources().GetGpuConfig().GetCount() > 0:
		return bad("GPUs are not supported")
	case d.GetTimeoutSecs() == 0 || time.Duration(d.GetTimeoutSecs())*time.Second > longestLife:
		return bad("timeout must be between 1 second and 24 hours")
	case d.GetResources().GetMilliCpuMax() > 0 && d.GetResources().GetMilliCpuMax() < d.GetResources().GetMilliCpu():
		return bad("the CPU limit is below the request")
	case d.GetResources().GetMemoryMbMax() > 0 && d.GetResources().GetMemoryMbMax() < d.GetResources().GetMemoryMb():
		return bad("the memory limit is below the request")
	}
	for _, m := range d.GetVolumeMounts() {
		if !strings.HasPrefix(m.GetMountPath(), "/") || !slices.Contains(slices.Collect(maps.Values(s.named)), m.GetVolumeId()) {
			return bad("a volume is not there")
		}
	}
	for _, b := range s.sandboxes {
		if b.app == app && b.definition.GetName() == d.GetName() && d.GetName() != "" && b.result == nil {
			return status.Errorf(codes.AlreadyExists, "Sandbox with name '%s' already exists in the app", d.GetName())
		}
	}
	return nil
}

// variables are those of all secrets, in order; s.mu is held.
func (s *server) variables(d *pb.Sandbox, sources []*pb.SecretSource) (map[string]string, error) {
	env := map[string]string{}
	use := func(id string) error {
		secret, ok := s.secrets[id]
		if !ok {
			return status.Errorf(codes.NotFound, "secret %s not found", id)
		}
		maps.Copy(env, secret)
		return nil
	}
	if sources == nil {
		for _, id := range d.GetSecretIds() {
			if err := use(id); err != nil {
				return nil, err
			}
		}
		return env, nil
	}
	for _, source := range sources {
		if source.GetSecretId() == "" {
			maps.Copy(env, source.GetEnv().GetContents())
		} else if err := use(source.GetSecretId()); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// find is the sandbox of an ID; a call of the other backend does not know it.
func (s *server) find(id string, newer bool) (*sandbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.sandboxes {
		if b.id == id && b.newer == newer {
			return b, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "Sandbox with ID '%s' not found", id)
}

// terminate asks a sandbox to end; the server's lock is held.
func (b *sandbox) terminate() {
	if !b.stopping && !b.life.CancelNever {
		b.stopping = true
		close(b.stop)
	}
}

// info is what lists tell; s.mu is held.
func (b *sandbox) info() *pb.SandboxInfo {
	task := pb.TaskInfo_builder{Id: b.task, StartedAt: seconds(b.started), FinishedAt: seconds(b.finished), Result: b.result, EnqueuedAt: seconds(b.created), SandboxId: b.id}
	var tags []*pb.SandboxTag
	for _, name := range slices.Sorted(maps.Keys(b.tags)) {
		tags = append(tags, pb.SandboxTag_builder{TagName: name, TagValue: b.tags[name]}.Build())
	}
	return pb.SandboxInfo_builder{
		Id: b.id, CreatedAt: seconds(b.created), TaskInfo: task.Build(), AppId: b.app, Tags: tags, Name: b.definition.GetName(),
		ImageId: b.definition.GetImageId(), TimeoutSecs: b.definition.GetTimeoutSecs(),
	}.Build()
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// jobs is Admin.Jobs.
func (s *server) jobs() []cloudfake.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []cloudfake.Job
	for _, b := range s.sandboxes {
		j := cloudfake.Job{
			Name: b.id, Key: b.tags["stephost-key"], Token: b.tags["stephost-token"], Step: b.tags["stephost-step"],
			State: b.result.GetStatus().String(), Over: b.result != nil, Starts: b.starts, Request: s.told(b),
		}
		if b.process != nil && b.result == nil {
			j.PIDs = []int{b.process.PID()}
		}
		out = append(out, j)
	}
	return out
}

// told is the native request with what its IDs stand for; s.mu is held.
func (s *server) told(b *sandbox) []byte {
	names := map[string]string{}
	for at, id := range s.named {
		names[id] = at
	}
	request, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(b.request)
	if err != nil {
		return nil
	}
	made := s.images[b.definition.GetImageId()]
	text, _ := jsonOf(map[string]any{
		"call": map[bool]string{true: "SandboxCreateV2", false: "SandboxCreate"}[b.newer], "request": rawJSON(request), "variables": b.env,
		"image": map[string]any{"reference": made.reference, "bare": made.bare, "registry_auth": made.login}, "names": names,
	})
	return text
}

// forget is Admin.Delete.
func (s *server) forget(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.sandboxes, func(b *sandbox) bool { return b.id == id })
	if at < 0 {
		return status.Errorf(codes.NotFound, "no sandbox %s", id)
	}
	b := s.sandboxes[at]
	b.life.CancelNever = false
	b.terminate()
	s.sandboxes = slices.Delete(s.sandboxes, at, at+1)
	return nil
}
