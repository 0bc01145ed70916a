package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/label"
)

// mostFound bounds what is read for one run token, and mostPages the pages of one
// list: a server that gives the same page for ever must not hold a call.
const (
	mostFound = 1000
	mostPages = 1000
)

// Find looks for sandboxes by their tags, ended ones included, on both backends;
// and by name, which a list that is late does not hide (assumption: a name is
// looked up in the index that keeps it unique).
func (f *flavor) Find(ctx context.Context, c Config, query pluginsdk.Query) (pluginsdk.Found, error) {
	q, err := f.open(ctx, c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	environment, err := q.environment(ctx)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	var found []record
	if query.Key != "" {
		// An app that does not exist has never had a sandbox.
		id, err := q.appID(ctx, environment, false)
		if id == "" || err != nil {
			return pluginsdk.Found{}, err
		}
		found, err = q.byKey(ctx, app{id, c.App}, environment, query.Key)
		if err != nil {
			return pluginsdk.Found{}, err
		}
	} else if found, err = q.byToken(ctx, environment, query.Token); err != nil {
		return pluginsdk.Found{}, err
	}
	out := pluginsdk.Found{}
	for _, r := range found {
		out.Jobs = append(out.Jobs, pluginsdk.Job{
			Handle: r.handleData.handle(false), Attempt: r.Attempt, RequestDigest: r.digest, Phase: r.phase, CreatedAt: r.Created, RunID: r.run,
		})
	}
	return out, nil
}

// record is a sandbox that was found.
type record struct {
	handleData
	digest, run string
	phase       pluginsdk.Phase
}

// byKey finds the sandboxes of a key: more than one only if somebody made a
// second one behind stephost's back.
func (q *session) byKey(ctx context.Context, in app, environment, key string) ([]record, error) {
	var listed, named []record
	err := together(
		func() (err error) { listed, err = q.byTag(ctx, in, environment, tagKey, key); return err },
		func() (err error) { named, err = q.byName(ctx, in, environment, key); return err },
	)
	if err != nil {
		return nil, err
	}
	return merge(listed, named), nil
}

// merge puts lists together; a sandbox is in the result once.
func merge(lists ...[]record) []record {
	var out []record
	seen := map[string]bool{}
	for _, list := range lists {
		for _, r := range list {
			if !seen[r.Sandbox] {
				seen[r.Sandbox] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// lister is one of the two backends' list calls.
type lister func(ctx context.Context, in *pb.SandboxListRequest, opts ...grpc.CallOption) (*pb.SandboxListResponse, error)

// byTag lists sandboxes by a tag on both backends. (The newer one is said to list
// the older one's, too: the SDK's ExperimentalList.)
func (q *session) byTag(ctx context.Context, in app, environment, tag, value string) ([]record, error) {
	var newest, older []record
	read := func(list lister, into *[]record) func() error {
		return func() error {
			infos, err := q.list(ctx, list, in.id, map[string]string{tag: value}, true)
			for _, info := range infos {
				*into = append(*into, q.record(info, in, environment))
			}
			return err
		}
	}
	err := together(read(q.Stub.SandboxListV2, &newest), read(q.Stub.SandboxList, &older))
	return merge(newest, older), err
}

// list reads all pages of a list. A page ends at the time of creation of its last
// sandbox (the SDK's List).
func (q *session) list(ctx context.Context, list lister, app string, tags map[string]string, finished bool) ([]*pb.SandboxInfo, error) {
	var out []*pb.SandboxInfo
	before := 0.0
	for range mostPages {
		r, err := list(ctx, pb.SandboxListRequest_builder{AppId: app, BeforeTimestamp: before, IncludeFinished: finished, Tags: tagList(tags)}.Build())
		if err != nil {
			return nil, q.ask(err)
		}
		page := r.GetSandboxes()
		if len(page) == 0 {
			break
		}
		out = append(out, page...)
		last := page[len(page)-1].GetCreatedAt()
		if len(out) >= mostFound && finished || last == before {
			break
		}
		before = last
	}
	return out, nil
}

// byName looks a sandbox up by its name, on both backends. The older one knows
// the name of a running sandbox only.
func (q *session) byName(ctx context.Context, in app, environment, key string) ([]record, error) {
	var mu sync.Mutex
	var ids []string
	look := func(call func(context.Context, *pb.SandboxGetFromNameRequest, ...grpc.CallOption) (*pb.SandboxGetFromNameResponse, error), ended bool) func() error {
		return func() error {
			r, err := call(ctx, pb.SandboxGetFromNameRequest_builder{
				SandboxName: key, AppName: in.name, EnvironmentName: environment, IncludeTerminated: ended,
			}.Build())
			if api.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return q.ask(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, r.GetSandboxId())
			return nil
		}
	}
	if err := together(look(q.Stub.SandboxGetFromNameV2, true), look(q.Stub.SandboxGetFromName, false)); err != nil {
		return nil, err
	}
	var out []record
	for _, id := range ids {
		r, err := q.byID(ctx, id, in, environment)
		if err != nil {
			return nil, err
		}
		if r.Key == key {
			out = append(out, r)
		}
	}
	return out, nil
}

// byID reads the tags of a sandbox that only its ID is known of.
func (q *session) byID(ctx context.Context, id string, in app, environment string) (record, error) {
	call := q.Stub.SandboxTagsGet
	if newer(id) {
		call = q.Stub.SandboxTagsGetV2
	}
	r, err := call(ctx, pb.SandboxTagsGetRequest_builder{SandboxId: id}.Build())
	if err != nil {
		return record{}, q.ask(err)
	}
	// The time of creation is not told; nothing earlier than this is missed by
	// reading stored logs from a day before.
	info := pb.SandboxInfo_builder{Id: id, AppId: in.id, Tags: r.GetTags(), CreatedAt: float64(time.Now().Add(-longest).Unix())}.Build()
	return q.record(info, in, environment), nil
}

// record makes a record of what a list tells.
func (q *session) record(info *pb.SandboxInfo, in app, environment string) record {
	tags := tagMap(info.GetTags())
	attempt, _ := strconv.Atoi(tags[tagAttempt])
	if info.GetAppId() != "" {
		in.id = info.GetAppId()
	}
	return record{
		handleData: handleData{
			Sandbox: info.GetId(), App: in.id, AppName: in.name, Environment: environment, Key: tags[tagKey], Attempt: attempt,
			Created: unix(info.GetCreatedAt()), Outputs: tags[tagOutputs],
		},
		digest: label.FromDigest(tags[tagDigest]), run: fromTextTag(tags[tagRun]), phase: phaseOf(info.GetTaskInfo()),
	}
}

// unix is a time as the API has it: seconds, 0 = none.
func unix(seconds float64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6)).UTC()
}

// refusedForGood tells whether the same request would be refused again.
func refusedForGood(err error) bool {
	var e *pluginsdk.Error
	return errors.As(err, &e) && e.Class == pluginsdk.ClassConfig
}
