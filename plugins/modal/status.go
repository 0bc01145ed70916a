package main

import (
	"context"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// singly: so few jobs are read one by one, which is never late.
const singly = 2

// Status reads the sandbox.
func (f *flavor) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	d, err := readHandle(h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	q, err := f.open(ctx, c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	result, err := q.result(ctx, d)
	if api.IsNotFound(err) {
		return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "SandboxUnknown", NativeState: "NOT_FOUND",
			Message: "Modal has no sandbox " + d.Sandbox + " any more"}, nil
	}
	if err != nil {
		return pluginsdk.Status{}, q.ask(err)
	}
	info, err := q.info(ctx, d)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	st := pluginsdk.Status{URL: dashboard(d.Sandbox)}
	if result == nil {
		if info == nil {
			// Not listed yet. A sandbox that has a task has a machine.
			return q.unlisted(ctx, d, st)
		}
		waiting(&st, info)
		return st, nil
	}
	st.StartedAt, st.EndedAt = unix(info.GetTaskInfo().GetStartedAt()), unix(info.GetTaskInfo().GetFinishedAt())
	judge(result, &st)
	if d.Outputs != "" {
		st.Outputs = q.outputs(ctx, d)
	}
	return st, nil
}

// result is how the sandbox ended; nil = it has not.
func (q *session) result(ctx context.Context, d handleData) (*pb.GenericResult, error) {
	call := q.Stub.SandboxWait
	if d.newer() {
		call = q.Stub.SandboxWaitV2
	}
	r, err := call(ctx, pb.SandboxWaitRequest_builder{SandboxId: d.Sandbox}.Build())
	if err != nil {
		return nil, err
	}
	if r.GetResult().GetStatus() == pb.GenericResult_GENERIC_STATUS_UNSPECIFIED {
		return nil, nil
	}
	return r.GetResult(), nil
}

// info is the sandbox in the list of its key; nil = it is not listed. Only lists
// tell times.
func (q *session) info(ctx context.Context, d handleData) (*pb.SandboxInfo, error) {
	call := q.Stub.SandboxList
	if d.newer() {
		call = q.Stub.SandboxListV2
	}
	infos, err := q.list(ctx, call, d.App, map[string]string{tagKey: d.Key}, true)
	for _, info := range infos {
		if info.GetId() == d.Sandbox {
			return info, nil
		}
	}
	return nil, err
}

// task is the ID of the sandbox's task, "" when it has no machine yet.
func (q *session) task(ctx context.Context, d handleData) (string, error) {
	call := q.Stub.SandboxGetTaskId
	if d.newer() {
		call = q.Stub.SandboxGetTaskIdV2
	}
	r, err := call(ctx, pb.SandboxGetTaskIdRequest_builder{SandboxId: d.Sandbox}.Build())
	return r.GetTaskId(), err
}

func (q *session) unlisted(ctx context.Context, d handleData, st pluginsdk.Status) (pluginsdk.Status, error) {
	task, err := q.task(ctx, d)
	if err != nil {
		return pluginsdk.Status{}, q.ask(err)
	}
	st.Phase, st.NativeState = pluginsdk.Queued, "QUEUED"
	if task != "" {
		st.Phase, st.NativeState = pluginsdk.Running, "TASK_ASSIGNED"
	}
	return st, nil
}

// StatusBatch reads all sandboxes of an app that run with one list (of each
// backend that is asked about), and asks singly for those that it does not name:
// they are over, or not listed yet.
func (f *flavor) StatusBatch(ctx context.Context, c Config, hs []pluginsdk.Handle) ([]pluginsdk.StatusResult, error) {
	out := make([]pluginsdk.StatusResult, len(hs))
	index := make(map[string]int, len(hs))
	type place struct {
		app   string
		newer bool
	}
	places := map[place]bool{}
	for i, h := range hs {
		out[i].Err = pluginsdk.ErrAskSingly
		d, err := readHandle(h)
		if err != nil {
			out[i].Err = err
			continue
		}
		index[d.Sandbox] = i
		places[place{d.App, d.newer()}] = true
	}
	if len(hs) <= singly {
		return out, nil
	}
	q, err := f.open(ctx, c)
	if err != nil {
		return nil, err
	}
	for p := range places {
		call := q.Stub.SandboxList
		if p.newer {
			call = q.Stub.SandboxListV2
		}
		infos, err := q.list(ctx, call, p.app, map[string]string{tagOwner: "1"}, false)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			i, ok := index[info.GetId()]
			if !ok || phaseOf(info.GetTaskInfo()).Terminal() {
				continue // the end of a sandbox is asked for alone
			}
			st := pluginsdk.Status{URL: dashboard(info.GetId())}
			waiting(&st, info)
			out[i] = pluginsdk.StatusResult{Status: st}
		}
	}
	return out, nil
}

// phaseOf is the phase of a sandbox by what lists tell of its task.
func phaseOf(t *pb.TaskInfo) pluginsdk.Phase {
	switch s := t.GetResult().GetStatus(); {
	case s == pb.GenericResult_GENERIC_STATUS_SUCCESS:
		return pluginsdk.Succeeded
	case s == pb.GenericResult_GENERIC_STATUS_TERMINATED:
		return pluginsdk.Cancelled
	case s != pb.GenericResult_GENERIC_STATUS_UNSPECIFIED:
		return pluginsdk.Failed
	case t.GetStartedAt() > 0:
		return pluginsdk.Running
	case t.GetId() != "":
		return pluginsdk.Provisioning
	}
	return pluginsdk.Queued
}

// waiting fills in the phase of a sandbox that is not over.
func waiting(st *pluginsdk.Status, info *pb.SandboxInfo) {
	t := info.GetTaskInfo()
	st.Phase = phaseOf(t)
	switch st.Phase {
	case pluginsdk.Queued:
		st.NativeState, st.Reason, st.PhaseSince = "QUEUED", "Queued", unix(info.GetCreatedAt())
		st.Message = "waits for a machine"
	case pluginsdk.Provisioning:
		st.NativeState, st.Reason, st.Message = "TASK_ASSIGNED", "Provisioning", "a machine loads the image"
	case pluginsdk.Running:
		st.NativeState, st.PhaseSince = "RUNNING", unix(t.GetStartedAt())
	default:
		// The list knows of the end before the sandbox itself tells it: no news until
		// then.
		st.Phase, st.NativeState = 0, t.GetResult().GetStatus().String()
	}
}
