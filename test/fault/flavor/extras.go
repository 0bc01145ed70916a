package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/fault/wire"
)

// Plan shows the JSON that Submit sends.
func (b base) Plan(_ context.Context, _ Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	r, err := b.request(s)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	plan := pluginsdk.Plan{Request: string(data), Format: "json"}
	if s.Resources.GPU > 0 {
		plan.Notes = append(plan.Notes, "gpu "+strconv.FormatInt(s.Resources.GPU, 10)+" x "+s.Resources.GPUType+" -> pretended")
	}
	return plan, err
}

// Prepare makes nothing; it shows that progress and its result arrive.
func (base) Prepare(_ context.Context, _ Config, s *pluginsdk.Step, progress func(string)) (pluginsdk.Prepared, error) {
	progress("preparing " + s.Name)
	return pluginsdk.Prepared{Data: []byte("prepared"), Resources: []string{"fault://shared"}}, nil
}

// Validate checks the settings.
func (b base) Validate(_ context.Context, _ Config, s *pluginsdk.Step) error {
	if s == nil {
		return nil
	}
	_, err := b.request(s)
	return err
}

// Preflight asks the backend who it is.
func (b base) Preflight(ctx context.Context, c Config, _ *pluginsdk.Step) error {
	scope, err := b.Scope(ctx, c)
	if err != nil {
		return err
	}
	return pluginsdk.Note("config.socket", "%s answers", scope.Display)
}

// Cleanup removes the job on demand; there are no leftovers.
func (b base) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	if what != pluginsdk.Record {
		return nil
	}
	hd, err := decode(h)
	if err != nil {
		return err
	}
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return err
	}
	if err := client.Delete(ctx, hd.ID); err != nil && !wire.IsCode(err, wire.CodeNotFound) {
		return translate(err)
	}
	return nil
}

// searchable can find jobs by label.
type searchable struct{ base }

// Find lists by label. In the search variant an empty list is no proof, because
// lists may be late.
func (s searchable) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	client, err := s.clients.get(ctx, c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	if s.named && q.Key != "" {
		j, err := client.Get(ctx, q.Key) // a consistent read
		switch {
		case wire.IsCode(err, wire.CodeNotFound):
			return pluginsdk.Found{}, nil
		case err != nil:
			return pluginsdk.Found{}, translate(err)
		}
		return pluginsdk.Found{Jobs: []pluginsdk.Job{jobOf(*j)}}, nil
	}
	label, value := wire.LabelKey, q.Key
	if q.Token != "" {
		label, value = wire.LabelToken, q.Token
	}
	list, err := client.List(ctx, label, value)
	if err != nil {
		return pluginsdk.Found{}, translate(err)
	}
	found := pluginsdk.Found{Undetermined: !s.named}
	for _, j := range list {
		found.Jobs = append(found.Jobs, jobOf(j))
	}
	return found, nil
}

func jobOf(j wire.Job) pluginsdk.Job {
	attempt, _ := strconv.Atoi(j.Labels[wire.LabelAttempt]) // 0 = unknown
	return pluginsdk.Job{
		Handle: handleOf(j, false), Attempt: attempt, RequestDigest: j.Digest, Incomplete: j.Incomplete,
		Phase: statusOf(j).Phase, CreatedAt: j.Created, RunID: j.Labels[wire.LabelRun],
	}
}

// keyed has a list call for many jobs and an image registry.
type keyed struct{ searchable }

// StatusBatch reads all jobs with one call. One that is missing in a list is
// asked for alone: only that answer may say that it is gone.
func (k keyed) StatusBatch(ctx context.Context, c Config, hs []pluginsdk.Handle) ([]pluginsdk.StatusResult, error) {
	client, err := k.clients.get(ctx, c)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(hs))
	results := make([]pluginsdk.StatusResult, len(hs))
	for i, h := range hs {
		hd, err := decode(h)
		ids[i], results[i].Err = hd.ID, err
	}
	jobs, err := client.Batch(ctx, ids)
	if err != nil {
		return nil, translate(err)
	}
	for i := range hs {
		if results[i].Err != nil {
			continue
		}
		j, ok := jobs[ids[i]]
		if !ok || (hs[i].Key != "" && j.Labels[wire.LabelKey] != hs[i].Key) {
			results[i].Err = pluginsdk.ErrAskSingly
			continue
		}
		results[i].Status = statusOf(j)
	}
	return results, nil
}

// RegistryAuth knows registries whose name begins with "fault.".
func (keyed) RegistryAuth(_ context.Context, c Config, r pluginsdk.RegistryRequest) (pluginsdk.RegistryCredentials, error) {
	if !strings.HasPrefix(r.Registry, "fault.") {
		return pluginsdk.RegistryCredentials{}, pluginsdk.ErrNotOurs
	}
	if c.Password.Empty() {
		return pluginsdk.RegistryCredentials{}, pluginsdk.Auth(errors.New("the operator has no password"))
	}
	return pluginsdk.RegistryCredentials{Username: "fault", Password: c.Password, Created: r.Create}, nil
}

var (
	_ pluginsdk.Planner[Config]            = base{}
	_ pluginsdk.Preparer[Config]           = base{}
	_ pluginsdk.Validator[Config]          = base{}
	_ pluginsdk.Preflighter[Config]        = base{}
	_ pluginsdk.Cleaner[Config]            = base{}
	_ pluginsdk.LogReader[Config]          = base{}
	_ pluginsdk.Finder[Config]             = searchable{}
	_ pluginsdk.BatchStatus[Config]        = keyed{}
	_ pluginsdk.RegistryAuthorizer[Config] = keyed{}
)
