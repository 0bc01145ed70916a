package fake

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	longrunningpb "cloud.google.com/go/longrunning/autogen/longrunningpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stephost/stephost/test/cloudfake"
)

// Times of a job that no rule says something about: short, and long enough that
// each state is seen.
const (
	provisioning = 30 * time.Millisecond
	// cancelGrace is between SIGTERM and SIGKILL.
	cancelGrace = time.Second
	maxPage     = 100
)

// job is one custom job.
type job struct {
	msg     *aiplatformpb.CustomJob // guarded by jobs.mu
	life    cloudfake.Life
	listed  time.Time
	starts  int
	nodes   []*node
	cancel  chan struct{}
	once    sync.Once
	request *aiplatformpb.CreateCustomJobRequest
	log     *jobLog
	objects *objects
}

// jobs are all of them.
type jobs struct {
	s     *server
	mu    sync.Mutex
	next  int64
	order []*job
	by    map[string]*job
}

func newJobs(s *server) *jobs {
	return &jobs{s: s, next: 4_000_000_000_000_000_000, by: map[string]*job{}}
}

// jobService is aiplatform.v1 JobService.
type jobService struct {
	aiplatformpb.UnimplementedJobServiceServer
	s *server
}

// region checks a parent and returns its region.
func (s *server) region(parent string) (string, error) {
	parts := strings.Split(parent, "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[2] != "locations" {
		return "", status.Errorf(codes.InvalidArgument, "%q is no location", parent)
	}
	if parts[1] != s.project() && parts[1] != Number {
		return "", status.Errorf(codes.PermissionDenied, "Permission 'aiplatform.customJobs.list' denied on resource '//aiplatform.googleapis.com/%s' (or it may not exist).", parent)
	}
	return parts[3], nil
}

// CreateCustomJob makes a job, each time another one.
func (j *jobService) CreateCustomJob(_ context.Context, r *aiplatformpb.CreateCustomJobRequest) (*aiplatformpb.CustomJob, error) {
	region, err := j.s.region(r.GetParent())
	if err != nil {
		return nil, err
	}
	if err := checkJob(r); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return j.s.jobs.create(r, region), nil
}

// checkJob is what the service refuses.
func checkJob(r *aiplatformpb.CreateCustomJobRequest) error {
	if err := CheckBehavior(r); err != nil {
		return err
	}
	if n := len([]rune(r.GetCustomJob().GetDisplayName())); n > 128 {
		return fmt.Errorf("display_name has %d characters", n)
	}
	for k, v := range r.GetCustomJob().GetLabels() {
		if len(k) > 63 || len(v) > 63 || strings.ToLower(k+v) != k+v || strings.ContainsAny(k+v, " .:/$()") {
			return fmt.Errorf("label %q=%q", k, v)
		}
	}
	pools := r.GetCustomJob().GetJobSpec().GetWorkerPoolSpecs()
	if len(pools) == 0 || pools[0].GetReplicaCount() != 1 {
		return fmt.Errorf("the first worker pool has one replica")
	}
	for i, p := range pools {
		if len(p.GetContainerSpec().GetEnv()) > 100 {
			return fmt.Errorf("pool %d has more than 100 variables", i)
		}
		if p.GetMachineSpec().GetMachineType() == "" {
			return fmt.Errorf("pool %d has no machine_type", i)
		}
		if (p.GetMachineSpec().GetAcceleratorCount() > 0) != (p.GetMachineSpec().GetAcceleratorType() != 0) {
			return fmt.Errorf("pool %d: accelerator_type and accelerator_count go together", i)
		}
	}
	return nil
}

func (js *jobs) create(r *aiplatformpb.CreateCustomJobRequest, region string) *aiplatformpb.CustomJob {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.next++
	now := time.Now()
	msg := proto.Clone(r.GetCustomJob()).(*aiplatformpb.CustomJob)
	msg.Name = fmt.Sprintf("projects/%s/locations/%s/customJobs/%d", Number, region, js.next)
	msg.CreateTime, msg.UpdateTime = timestamppb.New(now), timestamppb.New(now)
	labels := msg.GetLabels()
	j := &job{msg: msg, cancel: make(chan struct{}), request: r, log: &jobLog{}, objects: js.s.objects}
	j.life = js.s.plan.LifeOf(msg.GetName(), labels["stephost-key"], labels["stephost-token"], labels["stephost-step"])
	j.listed = now.Add(ms(j.life.ListedAfterMS))
	msg.State = aiplatformpb.JobState_JOB_STATE_PENDING
	if j.life.QueuedMS > 0 {
		msg.State = aiplatformpb.JobState_JOB_STATE_QUEUED
	}
	js.order = append(js.order, j)
	js.by[msg.GetName()] = j
	go js.live(j)
	return proto.Clone(msg).(*aiplatformpb.CustomJob)
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// get finds a job by its name; project ID and number are the same.
func (js *jobs) get(name string) (*job, error) {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) == 3 && parts[1] == js.s.project() {
		name = parts[0] + "/" + Number + "/" + parts[2]
	}
	j, ok := js.by[name]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "CustomJob does not exist: %s", name)
	}
	return j, nil
}

// GetCustomJob reads a job.
func (j *jobService) GetCustomJob(_ context.Context, r *aiplatformpb.GetCustomJobRequest) (*aiplatformpb.CustomJob, error) {
	js := j.s.jobs
	js.mu.Lock()
	defer js.mu.Unlock()
	one, err := js.get(r.GetName())
	if err != nil {
		return nil, err
	}
	return proto.Clone(one.msg).(*aiplatformpb.CustomJob), nil
}

// ListCustomJobs lists jobs, the newest first.
func (j *jobService) ListCustomJobs(_ context.Context, r *aiplatformpb.ListCustomJobsRequest) (*aiplatformpb.ListCustomJobsResponse, error) {
	region, err := j.s.region(r.GetParent())
	if err != nil {
		return nil, err
	}
	match, err := compile(r.GetFilter(), false)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	js := j.s.jobs
	js.mu.Lock()
	defer js.mu.Unlock()
	skip, _ := strconv.Atoi(r.GetPageToken())
	size := min(int(r.GetPageSize()), maxPage)
	if size <= 0 {
		size = maxPage
	}
	now := time.Now()
	out, seen := &aiplatformpb.ListCustomJobsResponse{}, 0
	for i := len(js.order) - 1; i >= 0; i-- {
		one := js.order[i]
		if now.Before(one.listed) || !strings.Contains(one.msg.GetName(), "/locations/"+region+"/") || !match(one.field) {
			continue
		}
		if seen++; seen <= skip {
			continue
		}
		if len(out.CustomJobs) == size {
			out.NextPageToken = strconv.Itoa(skip + size)
			break
		}
		out.CustomJobs = append(out.CustomJobs, masked(one.msg, r.GetReadMask().GetPaths()))
	}
	return out, nil
}

// field of a job, for filters.
func (j *job) field(name string) (string, bool) {
	switch {
	case name == "display_name":
		return j.msg.GetDisplayName(), true
	case name == "state":
		return j.msg.GetState().String(), true
	case name == "create_time":
		return strconv.FormatInt(j.msg.GetCreateTime().AsTime().UnixNano(), 10), true
	case strings.HasPrefix(name, "labels."):
		v, ok := j.msg.GetLabels()[strings.TrimPrefix(name, "labels.")]
		return v, ok
	}
	return "", false
}

// masked is a copy with the fields of a mask.
func masked(m *aiplatformpb.CustomJob, paths []string) *aiplatformpb.CustomJob {
	c := proto.Clone(m).(*aiplatformpb.CustomJob)
	if len(paths) == 0 {
		return c
	}
	r := c.ProtoReflect()
	r.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(paths, string(f.Name())) {
			r.Clear(f)
		}
		return true
	})
	return c
}

// CancelCustomJob starts the cancelling of a job.
func (j *jobService) CancelCustomJob(_ context.Context, r *aiplatformpb.CancelCustomJobRequest) (*emptypb.Empty, error) {
	js := j.s.jobs
	js.mu.Lock()
	defer js.mu.Unlock()
	one, err := js.get(r.GetName())
	if err != nil {
		return nil, err
	}
	if over(one.msg.GetState()) {
		return nil, status.Errorf(codes.FailedPrecondition, "CustomJob %s is in state %s and cannot be cancelled", r.GetName(), one.msg.GetState())
	}
	js.state(one, aiplatformpb.JobState_JOB_STATE_CANCELLING)
	if !one.life.CancelNever {
		one.once.Do(func() { close(one.cancel) })
	}
	return &emptypb.Empty{}, nil
}

// DeleteCustomJob removes a job that is over.
func (j *jobService) DeleteCustomJob(_ context.Context, r *aiplatformpb.DeleteCustomJobRequest) (*longrunningpb.Operation, error) {
	js := j.s.jobs
	js.mu.Lock()
	defer js.mu.Unlock()
	one, err := js.get(r.GetName())
	if err != nil {
		return nil, err
	}
	if !over(one.msg.GetState()) {
		return nil, status.Errorf(codes.FailedPrecondition, "CustomJob %s is in state %s and cannot be deleted", r.GetName(), one.msg.GetState())
	}
	js.forget(one)
	return &longrunningpb.Operation{Name: r.GetName() + "/operations/1", Done: true}, nil
}

func (js *jobs) forget(one *job) {
	delete(js.by, one.msg.GetName())
	js.order = slices.DeleteFunc(js.order, func(j *job) bool { return j == one })
}

// remove is Admin.Delete: also of a job that runs.
func (js *jobs) remove(name string) error {
	js.mu.Lock()
	one, ok := js.by[name]
	if ok {
		js.forget(one)
	}
	js.mu.Unlock()
	if !ok {
		return fmt.Errorf("there is no job %s", name)
	}
	one.once.Do(func() { close(one.cancel) })
	return nil
}

// admin lists all jobs.
func (js *jobs) admin() []cloudfake.Job {
	js.mu.Lock()
	defer js.mu.Unlock()
	var out []cloudfake.Job
	for _, j := range js.order {
		labels := j.msg.GetLabels()
		request, _ := protojson.Marshal(j.request)
		one := cloudfake.Job{Name: j.msg.GetName(), Key: labels["stephost-key"], Token: labels["stephost-token"], Step: labels["stephost-step"],
			State: j.msg.GetState().String(), Over: over(j.msg.GetState()), Starts: j.starts, Request: request}
		for _, n := range j.nodes {
			if n.process != nil && !one.Over {
				one.PIDs = append(one.PIDs, n.process.PID())
			}
		}
		out = append(out, one)
	}
	return out
}

func over(state aiplatformpb.JobState) bool {
	switch state {
	case aiplatformpb.JobState_JOB_STATE_SUCCEEDED, aiplatformpb.JobState_JOB_STATE_FAILED, aiplatformpb.JobState_JOB_STATE_CANCELLED, aiplatformpb.JobState_JOB_STATE_EXPIRED:
		return true
	}
	return false
}

// state moves a job; js.mu is held.
func (js *jobs) state(j *job, to aiplatformpb.JobState) {
	now := timestamppb.Now()
	j.msg.State, j.msg.UpdateTime = to, now
	if to == aiplatformpb.JobState_JOB_STATE_RUNNING && j.msg.StartTime == nil {
		j.msg.StartTime = now
	}
	if over(to) {
		j.msg.EndTime = now
	}
}

// end ends a job.
func (js *jobs) end(j *job, to aiplatformpb.JobState, code codes.Code, text string) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if text != "" {
		j.msg.Error = &rpcstatus.Status{Code: int32(code), Message: text}
	}
	js.state(j, to)
	if j.life.DeleteAfterMS > 0 {
		time.AfterFunc(ms(j.life.DeleteAfterMS), func() {
			js.mu.Lock()
			defer js.mu.Unlock()
			js.forget(j)
		})
	}
}

// resourceService is aiplatform.v1 PersistentResourceService.
type resourceService struct {
	aiplatformpb.UnimplementedPersistentResourceServiceServer
	s *server
}

// GetPersistentResource knows one that is called "pool".
func (r *resourceService) GetPersistentResource(_ context.Context, q *aiplatformpb.GetPersistentResourceRequest) (*aiplatformpb.PersistentResource, error) {
	if !strings.HasSuffix(q.GetName(), "/persistentResources/pool") {
		return nil, status.Errorf(codes.NotFound, "PersistentResource does not exist: %s", q.GetName())
	}
	return &aiplatformpb.PersistentResource{Name: q.GetName(), State: aiplatformpb.PersistentResource_RUNNING}, nil
}
