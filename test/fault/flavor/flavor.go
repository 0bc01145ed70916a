package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/fault/wire"
)

// Config of an operator.
type Config struct {
	Socket   string           `stephost:"socket"`
	Account  *string          `stephost:"account"`
	Password pluginsdk.Secret `stephost:"password"`

	project string
}

// SetProject is told to the backend, which counts calls by it.
func (c *Config) SetProject(name string) { c.project = name }

// Settings of a step.
type Settings struct {
	Noop   bool    `stephost:"noop"`
	Lines  int     `stephost:"lines"`
	NoopMS int     `stephost:"noop_ms"`
	Faults *string `stephost:"faults"`
}

// clients keeps one client per backend.
type clients struct{ cache pluginsdk.Cache[*wire.Client] }

func (c *clients) get(ctx context.Context, cfg Config) (*wire.Client, error) {
	return c.cache.Get(ctx, pluginsdk.Key(cfg.Socket, cfg.Password, cfg.project), func(context.Context) (*wire.Client, error) {
		return wire.NewClient(cfg.Socket).In(cfg.project), nil
	})
}

// base has what all three variants have. named: the key is the job's name.
type base struct {
	clients *clients
	named   bool
}

// handle is what the handle holds.
type handle struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt"` // part of the names of log sources
}

func encode(h handle) []byte {
	data, err := json.Marshal(h)
	if err != nil {
		panic(err) // a string and a number always encode
	}
	return data
}

func decode(h pluginsdk.Handle) (handle, error) {
	var out handle
	if err := json.Unmarshal(h.Data, &out); err != nil || out.ID == "" {
		return out, fmt.Errorf("the handle cannot be read: %w", err)
	}
	return out, nil
}

// request makes the job from a step; Plan shows the same.
func (b base) request(s *pluginsdk.Step) (wire.JobRequest, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return wire.JobRequest{}, err
	}
	r := wire.JobRequest{
		Labels: map[string]string{}, Digest: s.RequestDigest, Argv: s.Argv, Env: s.Env,
		Noop: set.Noop, Lines: set.Lines, NoopMS: set.NoopMS,
	}
	for k, v := range s.Labels {
		r.Labels[k] = v
	}
	for k, v := range map[string]string{
		wire.LabelKey: s.Key, wire.LabelToken: s.Token, wire.LabelRun: s.RunID, wire.LabelStep: s.Name,
		wire.LabelAttempt: strconv.Itoa(s.Attempt), wire.LabelPipeline: s.Pipeline,
	} {
		r.Labels[k] = v
	}
	if b.named {
		r.Name = s.Key
	}
	if s.Environment.Directory != nil {
		r.Dir = s.Environment.Directory.Path
	}
	r.Env["STEPHOST_RUN"], r.Env["STEPHOST_ATTEMPT"] = s.RunID, strconv.Itoa(s.Attempt)
	if set.Faults != nil {
		r.Faults = &wire.Faults{}
		if err := json.Unmarshal([]byte(*set.Faults), r.Faults); err != nil {
			return r, pluginsdk.Config("settings.faults", "not the JSON of wire.Faults: %w", err)
		}
	}
	return r, nil
}

// Submit makes one POST. net/http never repeats a POST by itself.
func (b base) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	r, err := b.request(s)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err) // nothing was sent, and never is
	}
	r.Secrets = map[string]string{}
	for name, v := range s.Secrets {
		r.Secrets[name] = v.Reveal()
	}
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return pluginsdk.Handle{}, err
	}
	job, err := client.Create(ctx, r)
	var api *wire.APIError
	switch {
	case err == nil:
		return handleOf(*job, false), nil
	case !errors.As(err, &api):
		return pluginsdk.Handle{}, pluginsdk.Unreachable(err) // the reply may be what is lost
	case api.Code == wire.CodeExists && api.Job != nil:
		if api.Job.Digest != s.RequestDigest {
			return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("", "the key %s is in use by another request", s.Key))
		}
		return handleOf(*api.Job, true), nil
	case api.Code == wire.CodeCapacity:
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Capacity(err))
	case api.Code == wire.CodeThrottled:
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Throttled(err, api.RetryAfter)) // refused before anything was made
	case api.Code == wire.CodeInvalid:
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("", "the backend refuses the job: %w", err))
	}
	return pluginsdk.Handle{}, translate(err)
}

func handleOf(j wire.Job, existing bool) pluginsdk.Handle {
	attempt, _ := strconv.Atoi(j.Labels[wire.LabelAttempt]) // 0 = unknown
	return pluginsdk.Handle{
		Version: 1, Data: encode(handle{ID: j.ID, Attempt: attempt}), Existing: existing, NativeName: j.ID,
		URL: "fault://jobs/" + j.ID, Key: j.Labels[wire.LabelKey],
	}
}

// translate gives an error of a read its meaning.
func translate(err error) error {
	var api *wire.APIError
	if !errors.As(err, &api) {
		return pluginsdk.Unreachable(err)
	}
	switch {
	case api.Code == wire.CodeThrottled:
		return pluginsdk.Throttled(err, api.RetryAfter)
	case api.Code == wire.CodeUnauthorized:
		return pluginsdk.Auth(err)
	case api.Status >= http.StatusInternalServerError:
		return pluginsdk.Unreachable(err)
	}
	return err
}

// Status reads the job. A missing one is lost: the SDK has compared the scope.
func (b base) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	hd, err := decode(h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	j, err := client.Get(ctx, hd.ID)
	switch {
	case wire.IsCode(err, wire.CodeNotFound):
		return gone(), nil
	case err != nil:
		return pluginsdk.Status{}, translate(err)
	case j.Labels[wire.LabelKey] != h.Key && h.Key != "":
		return gone(), nil // another job has taken the name
	}
	return statusOf(*j), nil
}

func gone() pluginsdk.Status {
	return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "NotFound", Message: "the job is gone from the backend"}
}

func statusOf(j wire.Job) pluginsdk.Status {
	st := pluginsdk.Status{
		NativeState: j.State, Reason: j.Reason, Restarts: j.Restarts, PhaseSince: j.Since,
		URL: "fault://jobs/" + j.ID, StartedAt: j.Started, EndedAt: j.Ended, ExitCode: j.ExitCode, Signal: j.Signal,
	}
	switch j.State {
	case wire.Queued:
		st.Phase = pluginsdk.Queued
	case wire.Provisioning:
		st.Phase = pluginsdk.Provisioning
	case wire.Running:
		st.Phase = pluginsdk.Running
	case wire.Stopping:
		st.Phase = pluginsdk.Cancelling
	case wire.Done:
		st.Phase = pluginsdk.Failed
		st.Class = pluginsdk.ClassUser
		if j.ExitCode != nil && *j.ExitCode == 0 {
			st.Phase, st.Class = pluginsdk.Succeeded, 0
		}
	case wire.Stopped:
		st.Phase = pluginsdk.Cancelled
	case wire.Preempted:
		st.Phase, st.Class = pluginsdk.Failed, pluginsdk.ClassPreempted
		st.Message = "the backend took the machine away"
	case wire.Broken:
		st.Phase, st.Class = pluginsdk.Failed, pluginsdk.ClassSystem
	}
	if st.Phase.Terminal() && j.Output != "" {
		st.Outputs = []pluginsdk.Output{{Name: "output", Location: j.Output, Bytes: -1}}
	}
	return st
}

// Cancel asks the backend.
func (b base) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	hd, err := decode(h)
	if err != nil {
		return err
	}
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return err
	}
	err = client.Cancel(ctx, hd.ID, o.Grace, o.Force)
	switch {
	case err == nil:
		return nil
	case wire.IsCode(err, wire.CodeNotFound), wire.IsCode(err, wire.CodeInvalid):
		return pluginsdk.ErrAlreadyOver
	}
	return translate(err)
}

// Scope is the account that answers.
func (b base) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	account, err := client.Account(ctx)
	if err != nil {
		return pluginsdk.Scope{}, translate(err)
	}
	scope := pluginsdk.Scope{ID: "fault:" + account, Display: "fault account " + account}
	if c.Account != nil && *c.Account != account {
		return scope, pluginsdk.WrongScope(pluginsdk.Scope{Display: "fault account " + *c.Account}, scope)
	}
	return scope, nil
}

var (
	_ pluginsdk.Remote[Config] = base{}
	_ pluginsdk.ProjectSetter  = (*Config)(nil)
	_ pluginsdk.Scoper[Config] = base{}
)
