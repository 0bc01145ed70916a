package main

import (
	"context"
	"sync"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// session is what one call works with.
type session struct {
	*api.Client
	f   *flavor
	c   Config
	key string // of the client in the cache
}

// loginVariables are what the SDK's login depends on besides the config; who
// changes them gets another client.
func loginVariables() []string {
	return []string{"MODAL_PROFILE", "MODAL_CONFIG_PATH", "MODAL_SERVER_URL", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_ENVIRONMENT"}
}

// open returns the client of a config. Clients are shared by operators with the
// same login.
func (f *flavor) open(ctx context.Context, c Config) (*session, error) {
	o := api.Options{TokenID: c.TokenID, Environment: c.Environment}
	if c.TokenSecret != nil {
		o.TokenSecret = c.TokenSecret.Reveal()
	}
	parts := []any{o.TokenID, c.TokenSecret, o.Environment}
	for _, name := range loginVariables() {
		parts = append(parts, f.environ(name))
	}
	key := pluginsdk.Key(parts...)
	client, err := f.clients.Get(ctx, key, func(ctx context.Context) (*api.Client, error) {
		made, err := api.New(ctx, o)
		if err == nil {
			f.made(made)
		}
		return made, err
	})
	if err != nil {
		return nil, api.Ask(err)
	}
	return &session{Client: client, f: f, c: c, key: key}, nil
}

// ask gives an error of a read its meaning, and forgets a login that was
// refused: the person may have just made a new token.
func (q *session) ask(err error) error {
	if err == nil {
		return nil
	}
	if api.Unauthenticated(err) {
		q.f.clients.Drop(q.key)
	}
	return api.Ask(err)
}

// environment looks the environment up: a config without one means the
// workspace's default, whose name Modal knows.
func (q *session) environment(ctx context.Context) (string, error) {
	name := q.c.Environment
	if name == "" {
		name = q.f.environ("MODAL_ENVIRONMENT")
	}
	r, err := q.Stub.EnvironmentGetOrCreate(ctx, pb.EnvironmentGetOrCreateRequest_builder{DeploymentName: name}.Build())
	if api.IsNotFound(err) {
		return "", pluginsdk.Config("config.modal_environment", "there is no environment %q in the workspace", name)
	}
	if err != nil {
		return "", q.ask(err)
	}
	if r.GetMetadata().GetName() != "" {
		name = r.GetMetadata().GetName()
	}
	return name, nil
}

// appID is the ID of the config's app, "" when there is none.
func (q *session) appID(ctx context.Context, environment string, create bool) (string, error) {
	how := pb.ObjectCreationType_OBJECT_CREATION_TYPE_UNSPECIFIED
	if create {
		how = pb.ObjectCreationType_OBJECT_CREATION_TYPE_CREATE_IF_MISSING
	}
	r, err := q.Stub.AppGetOrCreate(ctx, pb.AppGetOrCreateRequest_builder{
		AppName: q.c.App, EnvironmentName: environment, ObjectCreationType: how,
	}.Build())
	if api.IsNotFound(err) && !create {
		return "", nil
	}
	return r.GetAppId(), q.ask(err)
}

// together makes two questions at the same time.
func together(one, two func() error) error {
	var wg sync.WaitGroup
	var first, second error
	wg.Go(func() { first = one() })
	second = two()
	wg.Wait()
	if first != nil {
		return first
	}
	return second
}
