package main

import (
	"context"
	"fmt"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// quiet is how long nothing may have been launched in an app that is stopped: a
// launch that looked the app up just now must not lose it.
const quiet = 24 * time.Hour

// Cleanup removes what an ended run left. Leftovers are its secret. There is no
// call that removes the record of a sandbox; Record stops the app, which ends
// what a project leaves in lists, when nothing is going on in it.
func (f *flavor) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	q, err := f.open(ctx, c)
	if err != nil {
		return err
	}
	result, err := q.result(ctx, d)
	switch {
	case err != nil && !api.IsNotFound(err):
		return q.ask(err)
	case err == nil && result == nil:
		// The secret may be read when the sandbox starts.
		return fmt.Errorf("the sandbox is not over: %s", d.Sandbox)
	}
	if err := q.removeSecret(ctx, d); err != nil {
		return err
	}
	if what != pluginsdk.Record || !isOwn(d.AppName) {
		return nil
	}
	return q.stopApp(ctx, d.App)
}

// removeSecret removes the run's own secret, which has the key in its name.
func (q *session) removeSecret(ctx context.Context, d handleData) error {
	id, err := q.secretID(ctx, d.Environment, secretName(d.Key))
	if id == "" || err != nil {
		return err
	}
	if _, err := q.Stub.SecretDelete(ctx, pb.SecretDeleteRequest_builder{SecretId: id}.Build()); err != nil && !api.IsNotFound(err) {
		return q.ask(err)
	}
	return nil
}

// stopApp stops an app in which nothing has happened for a day. The next launch
// makes a new one of that name.
func (q *session) stopApp(ctx context.Context, app string) error {
	for _, call := range []lister{q.Stub.SandboxListV2, q.Stub.SandboxList} {
		infos, err := q.list(ctx, call, app, nil, true)
		if api.IsNotFound(err) {
			return nil // stopped already
		}
		if err != nil {
			return err
		}
		for _, info := range infos {
			if !phaseOf(info.GetTaskInfo()).Terminal() || time.Since(unix(info.GetCreatedAt())) < quiet {
				return nil
			}
		}
		if len(infos) >= mostFound {
			return nil // not all were seen
		}
	}
	if _, err := q.Stub.AppStop(ctx, pb.AppStopRequest_builder{AppId: app, Source: pb.AppStopSource_APP_STOP_SOURCE_CLI}.Build()); err != nil && !api.IsNotFound(err) {
		return q.ask(err)
	}
	return nil
}
