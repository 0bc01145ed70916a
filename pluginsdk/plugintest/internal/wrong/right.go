package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/fault/wire"
)

// Config of an operator.
type Config struct {
	Socket   string           `stephost:"socket"`
	Password pluginsdk.Secret `stephost:"password"`
}

// Settings of a step.
type Settings struct {
	Count int               `stephost:"count"`
	Flag  bool              `stephost:"flag"`
	Tags  map[string]string `stephost:"tags"`
	Nodes []struct {
		Name string `stephost:"name"`
		Size int    `stephost:"size"`
	} `stephost:"nodes"`
}

// right is a flavor that keeps the contract: jobs on the fault backend, named by
// key.
type right struct {
	clients pluginsdk.Cache[*wire.Client]
	// version of the handles that it makes.
	version uint32
}

func (r *right) client(ctx context.Context, c Config) (*wire.Client, error) {
	return r.clients.Get(ctx, c.Socket, func(context.Context) (*wire.Client, error) { return wire.NewClient(c.Socket), nil })
}

func request(s *pluginsdk.Step) (wire.JobRequest, error) {
	var set Settings
	err := s.DecodeSettings(&set)
	q := wire.JobRequest{Name: s.Key, Digest: s.RequestDigest, Argv: s.Argv, Env: s.Env, Labels: map[string]string{
		wire.LabelKey: s.Key, wire.LabelToken: s.Token, wire.LabelRun: s.RunID, wire.LabelAttempt: strconv.Itoa(s.Attempt),
	}}
	if s.Environment.Directory != nil {
		q.Dir = s.Environment.Directory.Path
	}
	return q, err
}

func (r *right) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	q, err := request(s)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	q.Secrets = map[string]string{}
	for name, v := range s.Secrets {
		q.Secrets[name] = v.Reveal()
	}
	client, err := r.client(ctx, c)
	if err != nil {
		return pluginsdk.Handle{}, err
	}
	job, err := client.Create(ctx, q)
	var api *wire.APIError
	switch {
	case err == nil:
		return r.handle(*job, false), nil
	case !errors.As(err, &api):
		return pluginsdk.Handle{}, pluginsdk.Unreachable(err)
	case api.Code == wire.CodeExists && api.Job != nil && api.Job.Digest != s.RequestDigest:
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("", "the key is in use by another request"))
	case api.Code == wire.CodeExists && api.Job != nil:
		return r.handle(*api.Job, true), nil
	}
	return pluginsdk.Handle{}, translate(err)
}

func (r *right) handle(j wire.Job, existing bool) pluginsdk.Handle {
	return pluginsdk.Handle{Version: r.version, Data: []byte(j.ID), Existing: existing, NativeName: j.ID, Key: j.Labels[wire.LabelKey]}
}

func translate(err error) error {
	var api *wire.APIError
	var known *pluginsdk.Error
	if errors.As(err, &known) {
		return err
	}
	if !errors.As(err, &api) || api.Status >= http.StatusInternalServerError {
		return pluginsdk.Unreachable(err)
	}
	return err
}

func (r *right) Status(ctx context.Context, c Config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	client, err := r.client(ctx, c)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	j, err := client.Get(ctx, string(h.Data))
	if wire.IsCode(err, wire.CodeNotFound) {
		return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "NotFound"}, nil
	}
	if err != nil {
		return pluginsdk.Status{}, translate(err)
	}
	return statusOf(*j), nil
}

func statusOf(j wire.Job) pluginsdk.Status {
	st := pluginsdk.Status{NativeState: j.State, Reason: j.Reason, ExitCode: j.ExitCode, StartedAt: j.Started, EndedAt: j.Ended}
	switch j.State {
	case wire.Queued:
		st.Phase = pluginsdk.Queued
	case wire.Provisioning:
		st.Phase = pluginsdk.Provisioning
	case wire.Running:
		st.Phase = pluginsdk.Running
	case wire.Stopping:
		st.Phase = pluginsdk.Cancelling
	case wire.Stopped:
		st.Phase = pluginsdk.Cancelled
	case wire.Done:
		st.Phase = pluginsdk.Failed
		if j.ExitCode != nil && *j.ExitCode == 0 {
			st.Phase = pluginsdk.Succeeded
		}
	default:
		st.Phase = pluginsdk.Failed
	}
	if st.Phase.Terminal() {
		st.Outputs = []pluginsdk.Output{{Name: ".", Location: j.Output, Bytes: -1}}
	}
	return st
}

func (r *right) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	client, err := r.client(ctx, c)
	if err != nil {
		return err
	}
	err = client.Cancel(ctx, string(h.Data), o.Grace, o.Force)
	if wire.IsCode(err, wire.CodeNotFound) || wire.IsCode(err, wire.CodeInvalid) {
		return pluginsdk.ErrAlreadyOver
	}
	if err != nil {
		return translate(err)
	}
	return nil
}

func (r *right) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	client, err := r.client(ctx, c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	account, err := client.Account(ctx)
	if err != nil {
		return pluginsdk.Scope{}, translate(err)
	}
	return pluginsdk.Scope{ID: "fault:" + account}, nil
}

func (r *right) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	client, err := r.client(ctx, c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	label, value := wire.LabelKey, q.Key
	if q.Token != "" {
		label, value = wire.LabelToken, q.Token
	}
	list, err := client.List(ctx, label, value)
	if err != nil {
		return pluginsdk.Found{}, translate(err)
	}
	var found pluginsdk.Found
	for _, j := range list {
		attempt, _ := strconv.Atoi(j.Labels[wire.LabelAttempt]) // 0 = unknown
		found.Jobs = append(found.Jobs, pluginsdk.Job{Handle: r.handle(j, false), Attempt: attempt, RequestDigest: j.Digest,
			Incomplete: j.Incomplete, Phase: statusOf(j).Phase, RunID: j.Labels[wire.LabelRun]})
	}
	return found, nil
}

func (r *right) Plan(_ context.Context, _ Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	q, err := request(s)
	data, _ := json.MarshalIndent(q, "", "  ") // plain fields cannot fail
	return pluginsdk.Plan{Request: string(data), Format: "json"}, err
}

func (*right) Prepare(context.Context, Config, *pluginsdk.Step, func(string)) (pluginsdk.Prepared, error) {
	return pluginsdk.Prepared{Data: []byte("prepared")}, nil
}

func (*right) Validate(_ context.Context, _ Config, s *pluginsdk.Step) error {
	if s == nil {
		return nil
	}
	_, err := request(s)
	return err
}

func (r *right) Preflight(ctx context.Context, c Config, _ *pluginsdk.Step) error {
	_, err := r.Scope(ctx, c)
	return err
}

func (r *right) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	client, err := r.client(ctx, c)
	if err != nil || what != pluginsdk.Record {
		return err
	}
	if err := client.Delete(ctx, string(h.Data)); err != nil && !wire.IsCode(err, wire.CodeNotFound) {
		return translate(err)
	}
	return nil
}

func (*right) RegistryAuth(context.Context, Config, pluginsdk.RegistryRequest) (pluginsdk.RegistryCredentials, error) {
	return pluginsdk.RegistryCredentials{}, pluginsdk.ErrNotOurs
}

func (r *right) outputs(ctx context.Context, c Config, h pluginsdk.Handle, location string) (*wire.Client, error) {
	client, err := r.client(ctx, c)
	if err != nil {
		return nil, err
	}
	j, err := client.Get(ctx, string(h.Data))
	if err == nil && location != j.Output {
		err = pluginsdk.Config("", "that is no output of this job")
	}
	return client, err
}

func (r *right) OutputFiles(ctx context.Context, c Config, h pluginsdk.Handle, location string) ([]pluginsdk.OutputFile, error) {
	client, err := r.outputs(ctx, c, h, location)
	if err != nil {
		return nil, translate(err)
	}
	list, err := client.Outputs(ctx, string(h.Data))
	var files []pluginsdk.OutputFile
	for _, f := range list {
		files = append(files, pluginsdk.OutputFile{Name: f.Name, Bytes: f.Bytes, Version: f.Version})
	}
	return files, err
}

func (r *right) OpenOutput(ctx context.Context, c Config, h pluginsdk.Handle, q pluginsdk.OutputRead) (pluginsdk.OutputFile, io.ReadCloser, error) {
	client, err := r.outputs(ctx, c, h, q.Location)
	if err != nil {
		return pluginsdk.OutputFile{}, nil, translate(err)
	}
	f, body, err := client.Output(ctx, string(h.Data), q.Name, q.Offset)
	if wire.IsCode(err, wire.CodeNotFound) {
		return pluginsdk.OutputFile{}, nil, pluginsdk.ErrNoOutput
	}
	if err != nil {
		return pluginsdk.OutputFile{}, nil, translate(err)
	}
	return pluginsdk.OutputFile{Bytes: f.Bytes, Version: f.Version}, body, nil
}

// logWait is how long one read waits at the backend for more.
const logWait = time.Second

func (r *right) Logs(ctx context.Context, c Config, h pluginsdk.Handle, q pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	client, err := r.client(ctx, c)
	if err != nil {
		return err
	}
	streams := []string{"stdout", "stderr"}
	errs := make(chan error, len(streams))
	for _, name := range streams {
		go func() {
			errs <- r.stream(ctx, client, string(h.Data), pluginsdk.LogSource{Attempt: 1, Stream: name}, q, w)
		}()
	}
	return errors.Join(<-errs, <-errs)
}

func (*right) stream(ctx context.Context, client *wire.Client, id string, src pluginsdk.LogSource, q pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	wait := time.Duration(0)
	if q.Follow {
		wait = logWait
	}
	for offset := q.Offset(src); ; {
		ch, err := client.Logs(ctx, id, 0, src.Stream, offset, wait)
		if err != nil {
			return translate(err)
		}
		if len(ch.Data) > 0 {
			if err := w.Bytes(src, time.Now(), ch.Data, ch.Next); err != nil {
				return err
			}
		}
		offset = ch.Next
		if ch.End || (!q.Follow && len(ch.Data) == 0) {
			return nil
		}
	}
}

var (
	_ pluginsdk.Remote[Config]             = (*right)(nil)
	_ pluginsdk.Scoper[Config]             = (*right)(nil)
	_ pluginsdk.Finder[Config]             = (*right)(nil)
	_ pluginsdk.Planner[Config]            = (*right)(nil)
	_ pluginsdk.Preparer[Config]           = (*right)(nil)
	_ pluginsdk.Validator[Config]          = (*right)(nil)
	_ pluginsdk.Preflighter[Config]        = (*right)(nil)
	_ pluginsdk.Cleaner[Config]            = (*right)(nil)
	_ pluginsdk.LogReader[Config]          = (*right)(nil)
	_ pluginsdk.RegistryAuthorizer[Config] = (*right)(nil)
	_ pluginsdk.OutputReader[Config]       = (*right)(nil)
)
