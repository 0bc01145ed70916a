package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// Limits of Submit.
const (
	// connectTimeout bounds the making of a connection. What it fails on was never
	// sent.
	connectTimeout = 15 * time.Second
	// createTimeout bounds the creating call, below what is left of the contract's
	// 60 s, so that the answer is this function's own. The newer backend answers
	// when the sandbox has a machine (release notes of the SDK, 0.11.0), and may
	// need longer for that than this: the answer is then open, and Find brings it.
	createTimeout = 35 * time.Second
	// removeTimeout bounds the removal of a secret that nobody will use.
	removeTimeout = 5 * time.Second
)

// Submit looks whether the key has a sandbox, and creates it under the key as
// its name, which is taken while it runs: of several Submits at the same time one
// creates it, and the others are told that the name is taken.
//
// Crash cases: the process dies before the creating call (a secret may be there
// that nobody uses); on the wire (the sandbox may exist: Find looks for it, and
// the host does not send again); behind the answer (the sandbox goes on, and Find
// brings it back).
func (f *flavor) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	var t things
	if err := json.Unmarshal(s.Prepared, &t); err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(fmt.Errorf("the host sent no result of Prepare: %w", err))
	}
	b, err := f.build(c, s, t)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	s.WarnAll(b.warnings)
	q, err := f.open(ctx, c)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if err := q.connected(ctx); err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(q.ask(err))
	}
	// An ended sandbox has given its name away, so the name alone does not tell.
	if h, err := q.existing(ctx, s, t); h.Data != nil || err != nil {
		return h, err
	}
	own, err := q.keep(ctx, b, t.Environment)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	b.finish(own)
	id, begun, err := q.create(ctx, b)
	switch {
	case err == nil:
		return handleData{
			Sandbox: id, App: t.App, AppName: c.App, Environment: t.Environment, Key: s.Key, Attempt: s.Attempt,
			Created: time.Now().UTC(), Outputs: c.OutputVolume,
		}.handle(false), nil
	case !begun:
		return pluginsdk.Handle{}, pluginsdk.Rejected(q.ask(err))
	case api.IsTaken(err):
		if h, err := q.existing(ctx, s, t); h.Data != nil {
			return h, err
		}
		return pluginsdk.Handle{}, fmt.Errorf("the name %s is taken at Modal, which does not say by which sandbox", s.Key)
	}
	if api.Unauthenticated(err) {
		f.clients.Drop(q.key)
	}
	why, certain := api.Refused(err)
	if !certain {
		return pluginsdk.Handle{}, fmt.Errorf("whether Modal has made the sandbox is not known: %w", why)
	}
	q.drop(ctx, why, own)
	return pluginsdk.Handle{}, pluginsdk.Rejected(why)
}

func (q *session) connected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return q.Connected(ctx)
}

// create makes the one creating call. begun = false: it was not sent.
func (q *session) create(ctx context.Context, b *built) (id string, begun bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	if b.newer {
		r, begun, err := api.Once(ctx, q.Stub.SandboxCreateV2, b.newest())
		return r.GetSandboxId(), begun, err
	}
	r, begun, err := api.Once(ctx, q.Stub.SandboxCreate, b.older())
	return r.GetSandboxId(), begun, err
}

// existing is the sandbox that the key has already; no data = none. An error with
// data says that it belongs to another request.
func (q *session) existing(ctx context.Context, s *pluginsdk.Step, t things) (pluginsdk.Handle, error) {
	found, err := q.byKey(ctx, app{t.App, q.c.App}, t.Environment, s.Key)
	if err != nil {
		// Nothing was sent, and nothing may be sent before it is known.
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if len(found) == 0 {
		return pluginsdk.Handle{}, nil
	}
	h := found[0].handleData.handle(true)
	if found[0].digest != s.RequestDigest {
		return h, pluginsdk.Rejected(pluginsdk.Config("", "the key %s belongs to another request: nothing was created", s.Key))
	}
	return h, nil
}

// keep puts the step's secrets (and, for the older backend, its variables) into
// the run's own Modal secret. Its name is made of the key: doing it again changes
// nothing, and whoever cleans up finds it.
func (q *session) keep(ctx context.Context, b *built, environment string) (id string, err error) {
	if len(b.secret) == 0 {
		return "", nil
	}
	r, err := q.Stub.SecretGetOrCreate(ctx, pb.SecretGetOrCreateRequest_builder{
		DeploymentName: b.secretName, EnvironmentName: environment, EnvDict: b.secret,
		ObjectCreationType: pb.ObjectCreationType_OBJECT_CREATION_TYPE_CREATE_OVERWRITE_IF_EXISTS,
	}.Build())
	return r.GetSecretId(), q.ask(err)
}

// drop removes the secret of a request that Modal refuses for what it says. With
// every other refusal the same request may come again, or may have been accepted
// from another process, whose sandbox needs it.
func (q *session) drop(ctx context.Context, why error, own string) {
	if own == "" || !refusedForGood(why) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if _, err := q.Stub.SecretDelete(ctx, pb.SecretDeleteRequest_builder{SecretId: own}.Build()); err != nil {
		pluginsdk.Logger(ctx).Warn("the secret of a refused request is left", "secret", own, "error", err)
	}
}
