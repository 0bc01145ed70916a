package launch

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// LookupOptions of Lookup and Join.
type LookupOptions struct {
	Processes *process.Manager
	Flavor    *Flavor
	Operator  string
	// Project is the one that the person is in, which need not be that of the run;
	// "" = none.
	Project      string
	Config       []byte
	SecretConfig map[string]string
	Resolver     schema.Resolver
	Token        string
}

// Lookup asks the backend whether it holds a job of a run token. Nothing is
// stored.
func Lookup(ctx context.Context, o LookupOptions) (bool, error) {
	if !o.Flavor.Manifest.Can("find") {
		return false, &problem.Error{Summary: "this flavor cannot search for jobs", Flavor: o.Flavor.Manifest.Name, Operator: o.Operator,
			Next: "look for the run on the machine that launched it"}
	}
	b := newBackend(o.Processes, o.Flavor.Spec)
	defer b.close()
	target, err := planTarget(ctx, o.Flavor, o.Operator, o.Project, o.Config, o.SecretConfig, o.Resolver)
	if err != nil {
		return false, err
	}
	if _, err := planScope(ctx, b, target); err != nil {
		return false, err
	}
	var resp *operatorv1.FindResponse
	if err := b.call(ctx, askBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		resp, err = c.Find(ctx, &operatorv1.FindRequest{Target: target, By: &operatorv1.FindRequest_RunToken{RunToken: o.Token}})
		return err
	}); err != nil {
		return false, err
	}
	if none := resp.GetCouldNotAsk(); none != nil {
		return false, &problem.Error{Summary: "the backend could not be asked", Operator: o.Operator, Flavor: o.Flavor.Manifest.Name,
			Err: couldNotAsk(none), Next: "try again; nothing follows for the job from this"}
	}
	return resp.GetOutcome() == operatorv1.FindResponse_OUTCOME_FOUND, nil
}

// Join makes a record of a run that another machine launched, so that it can be
// shown, read, awaited and cancelled from here. Nothing is known of its step
// but what the backend holds; it is never submitted.
func (s *Supervisor) Join(ctx context.Context, o LookupOptions) (*runs.Run, error) {
	m := o.Flavor.Manifest
	p, err := json.Marshal(plan{JoinOnly: true, Step: &project.Resolved{
		Name: "(of another machine)", Project: o.Project, Operator: o.Operator, Argv: []string{"(unknown)"}, Config: o.Config, SecretConfig: o.SecretConfig,
		Environment: project.Environment{Kind: project.KindNone},
	}})
	if err != nil {
		return nil, fmt.Errorf("encoding the step: %w", err)
	}
	r, _, err := s.o.Store.Create(ctx, runs.NewRun{
		Token: o.Token, Operator: o.Operator,
		Pin:  runs.Pin{Flavor: m.Name, Version: m.Version, ArtifactSHA256: o.Flavor.ArtifactSHA256, ManifestDigest: m.Digest},
		Plan: p,
	})
	if err != nil {
		return nil, err
	}
	return s.Drive(ctx, r.ID, DriveOptions{UntilSubmitted: true})
}
