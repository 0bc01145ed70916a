package launch

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// PlanOptions of Plan.
type PlanOptions struct {
	Home      home.Home
	Processes *process.Manager
	Flavor    *Flavor
	Operator  string
	Step      *project.Resolved
	Resolver  schema.Resolver
	// Online lets the plugin make read-only calls, to fill what is known only
	// at launch.
	Online bool
}

// Planned is the plugin's answer.
type Planned struct {
	Request, Format string
	Notes, Warnings []string
	Scope           string
}

// planID stands for what a launch would make anew.
const planID = "(known at launch)"

// Plan asks what Submit would send, and runs the flavor's own checks. Nothing is
// stored, prepared or sent.
func Plan(ctx context.Context, o PlanOptions) (*Planned, error) {
	b := newBackend(o.Processes, o.Flavor.Spec)
	defer b.close()
	target, err := planTarget(ctx, o.Flavor, o.Operator, o.Step.Project, o.Step.Config, o.Step.SecretConfig, o.Resolver)
	if err != nil {
		return nil, err
	}
	r := &runs.Run{ID: planID, Token: planID}
	env := environmentMessage(o.Step, nil, nil)
	switch o.Step.Environment.Kind {
	case project.KindDirectory:
		env = environmentMessage(o.Step, &environment.Directory{Path: filepath.Join(o.Home.Work(), planID)}, nil)
	case project.KindImage:
		env = environmentMessage(o.Step, nil, plannedImage(o.Step))
	}
	step := buildStep(r, &runs.Attempt{Number: 1, Key: Key("plan", 1)}, o.Step, env, filepath.Join(o.Home.Work(), planID))
	out := &Planned{}
	if o.Online {
		if out.Scope, err = planScope(ctx, b, target); err != nil {
			return nil, err
		}
	}
	var checked *operatorv1.ValidateResponse
	if err := b.call(ctx, askBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		checked, err = c.Validate(ctx, &operatorv1.ValidateRequest{Target: target, Step: step, Online: o.Online})
		return err
	}); err != nil {
		return nil, err
	}
	diags := checked.GetDiagnostics()
	if o.Flavor.Manifest.Can("plan") {
		var planned *operatorv1.PlanResponse
		if err := b.call(ctx, askBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
			planned, err = c.Plan(ctx, &operatorv1.PlanRequest{Target: target, Step: step, Online: o.Online})
			return err
		}); err != nil {
			return nil, err
		}
		out.Request, out.Format, out.Notes = planned.GetRequest(), planned.GetFormat(), planned.GetNotes()
		diags = append(diags, planned.GetDiagnostics()...)
	} else {
		out.Notes = append(out.Notes, "flavor "+o.Flavor.Manifest.Name+" shows no native request")
	}
	if bad := firstError(diags); bad != nil {
		d := &drive{plan: plan{Step: o.Step}}
		return nil, &problem.Error{Summary: d.locate(bad), Flavor: o.Flavor.Manifest.Name, Operator: o.Operator, Phase: "plan",
			Class: classOf(bad.GetClass(), problem.Config), Next: "change what is named above; nothing was sent"}
	}
	for _, w := range diags {
		if text := diagnosticText(w); !slices.Contains(out.Warnings, text) {
			out.Warnings = append(out.Warnings, text)
		}
	}
	return out, nil
}

func planScope(ctx context.Context, b *backend, target *operatorv1.Target) (string, error) {
	var resp *operatorv1.ScopeResponse
	if err := b.call(ctx, askBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		resp, err = c.Scope(ctx, &operatorv1.ScopeRequest{Target: target})
		return err
	}); err != nil {
		return "", err
	}
	if none := resp.GetCouldNotAsk(); none != nil {
		return "", couldNotAsk(none)
	}
	target.Scope = resp.GetScope()
	return resp.GetScope().GetDisplay(), nil
}

func planTarget(ctx context.Context, f *Flavor, operator, project string, config []byte, refs map[string]string, r schema.Resolver) (*operatorv1.Target, error) {
	secrets, missing := secretValues(ctx, refs, r)
	if missing != nil {
		return nil, &problem.Error{Summary: "the operator needs secret " + missing.name, Operator: operator, Flavor: f.Manifest.Name,
			Err: missing.err, Next: "make it available as the operator's config says, and try again"}
	}
	return &operatorv1.Target{Operator: operator, FlavorVersion: f.Manifest.Version, ManifestDigest: f.Manifest.Digest,
		Config: &operatorv1.Values{Json: config, Secrets: secrets}, Project: project}, nil
}

// PreflightOptions of Preflight.
type PreflightOptions struct {
	Processes *process.Manager
	Flavor    *Flavor
	Operator  string
	// Project is the one that the person is in; "" = none.
	Project      string
	Config       []byte
	SecretConfig map[string]string
	Resolver     schema.Resolver
}

// Answer is one line of a preflight.
type Answer struct {
	Summary, Detail string
	Error, Warning  bool
}

// Preflight asks the flavor what would fail at launch. It may make read-only
// calls and creates nothing. The error is that of a plugin that does not answer.
func Preflight(ctx context.Context, o PreflightOptions) ([]Answer, error) {
	b := newBackend(o.Processes, o.Flavor.Spec)
	defer b.close()
	target, err := planTarget(ctx, o.Flavor, o.Operator, o.Project, o.Config, o.SecretConfig, o.Resolver)
	if err != nil {
		return nil, err
	}
	scope, err := planScope(ctx, b, target)
	var (
		start    *process.StartError
		mismatch *process.MismatchError
	)
	switch {
	case errors.As(err, &start), errors.As(err, &mismatch):
		return nil, err // not the backend, the plugin could not be asked
	case err != nil:
		return []Answer{{Summary: "the backend could not be asked", Detail: err.Error(), Error: true}}, nil
	}
	var resp *operatorv1.ValidateResponse
	if err := b.call(ctx, askBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		resp, err = c.Validate(ctx, &operatorv1.ValidateRequest{Target: target, Online: true})
		return err
	}); err != nil {
		return nil, err
	}
	out := []Answer{{Summary: "would launch in " + scope}}
	for _, d := range resp.GetDiagnostics() {
		out = append(out, Answer{Summary: d.GetSummary(), Detail: d.GetDetail(),
			Error:   d.GetSeverity() == operatorv1.Severity_SEVERITY_ERROR,
			Warning: d.GetSeverity() == operatorv1.Severity_SEVERITY_WARNING})
	}
	return out, nil
}
