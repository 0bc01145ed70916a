package main

import (
	"context"
	"fmt"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/pluginsdk"
)

// Scope is workspace, environment and app, which an operator may leave to the
// project: a sandbox's name is unique in its app. The backend is no part of it:
// every question about a key goes to both.
func (f *flavor) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	q, err := f.open(ctx, c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	var id, name, environment string
	err = together(
		func() (err error) { id, name, err = q.workspace(ctx); return err },
		func() (err error) { environment, err = q.environment(ctx); return err },
	)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	if c.Workspace != "" && c.Workspace != name {
		return pluginsdk.Scope{}, pluginsdk.Config("config.workspace", "the token belongs to the workspace %s, not to %s", name, c.Workspace)
	}
	return pluginsdk.Scope{
		ID:      "modal:" + id + ":" + environment + ":" + c.App,
		Display: fmt.Sprintf("Modal workspace %s, environment %s, app %s", name, environment, c.App),
	}, nil
}

// workspace that the login belongs to.
func (q *session) workspace(ctx context.Context) (id, name string, err error) {
	r, err := q.Stub.TokenInfoGet(ctx, &pb.TokenInfoGetRequest{})
	if err != nil {
		return "", "", q.ask(err)
	}
	id, name = r.GetWorkspaceId(), r.GetWorkspaceName()
	if id == "" {
		id = name
	}
	return id, name, nil
}
