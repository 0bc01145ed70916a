package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/internal/failpoint"
)

// prepareAndSubmit takes an attempt from nothing to the backend. Until
// `submitting` is stored nothing was sent, so that a crash on the way begins
// again; everything done here may be repeated.
func (d *drive) prepareAndSubmit(ctx context.Context) error {
	r := d.claim.Run()
	if r.Intent != nil && r.State != runs.Created {
		return d.endUnsubmitted(ctx, rejection{class: classOfIntent(r.Intent), phase: "preparing", message: "cancelled before anything was sent"})
	}
	if r.State == runs.Created {
		if err := d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
			r.State = runs.Preparing
			if len(r.Attempts) == 0 {
				r.Attempts = append(r.Attempts, runs.Attempt{Number: 1, Key: Key(r.Token, 1)})
			}
			return []runs.Event{moved("attempt %d is being prepared", len(r.Attempts))}, nil
		}); err != nil {
			return err
		}
	}
	failpoint.Hit("host-preparing")
	d.notify(Notice{Kind: Status, Phase: "preparing", Since: d.s.o.Now()})

	// A person who cancels while a requirement is installed does not wait for it.
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go d.watchIntent(work, stop)
	if at := d.totalAt(); !at.IsZero() {
		var end context.CancelFunc
		work, end = context.WithDeadlineCause(work, at, errTotal)
		defer end()
	}

	req, rejected, err := d.prepare(work)
	switch {
	case err == nil && rejected == nil && req == nil:
		return nil // adopted: the state has moved on, and a cancel follows the job
	case errors.Is(context.Cause(work), errIntent):
		said := "cancelled before anything was sent"
		if d.mayExistElsewhere() {
			said += " from here"
		}
		return d.endUnsubmitted(ctx, rejection{class: problem.Cancelled, phase: "preparing", message: said})
	case errors.Is(context.Cause(work), errTotal):
		return d.endUnsubmitted(ctx, overTotal("preparing"))
	case err != nil:
		return d.notPrepared(ctx, err)
	case rejected != nil:
		return d.endUnsubmitted(ctx, *rejected)
	}
	return d.submit(ctx, req, true)
}

// errIntent ends work for which a cancel intent came, errTotal work that took longer than
// all attempts may.
var (
	errIntent = errors.New("a cancel is wanted")
	errTotal  = errors.New("timeouts.total has passed")
)

// totalAt is when timeouts.total has passed; zero when there is none.
func (d *drive) totalAt() time.Time {
	limit := d.plan.Step.Timeouts.Total
	if limit <= 0 {
		return time.Time{}
	}
	return d.claim.Run().CreatedAt.Add(limit)
}

// untilTotal is closed when timeouts.total has passed.
func (d *drive) untilTotal() (<-chan struct{}, context.CancelFunc) {
	at := d.totalAt()
	if at.IsZero() {
		return nil, func() {}
	}
	ctx, stop := context.WithDeadline(context.Background(), at)
	return ctx.Done(), stop
}

// overTotal ends an attempt of which nothing was sent in time.
func overTotal(phase string) rejection {
	return rejection{class: problem.Timeout, phase: phase, reason: "total timeout", message: "nothing was sent before timeouts.total had passed"}
}

// notPrepared decides what becomes of a run whose preparation failed for a reason that
// is none of the step's: the plugin does not start. A launch that says so has failed for
// its person, who mends it and launches anew, so that the run ends; going on with it
// later would run the step twice. Whoever recovers a run, or is told its name and what to
// do about it, finds it as it is.
func (d *drive) notPrepared(ctx context.Context, err error) error {
	var (
		fenced  *runs.FencedError
		blocked *BlockedError
		told    *problem.Error
	)
	switch {
	case d.owned.flavor == nil, ctx.Err() != nil, errors.As(err, &fenced), errors.As(err, &blocked),
		errors.As(err, &told) && told.Run != "":
		return err
	}
	if ended := d.endUnsubmitted(ctx, rejection{class: problem.System, phase: "preparing", reason: "not prepared", message: err.Error()}); ended != nil {
		return errors.Join(err, ended)
	}
	if d.claim.Run().Verdict != nil { // and is not tried again
		d.failure = err
	}
	return nil
}

// watchIntent ends work when a cancel intent is stored.
func (d *drive) watchIntent(ctx context.Context, stop context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.poked:
		}
		if in, err := d.intent(ctx); err == nil && in != nil {
			stop(errIntent)
			return
		}
	}
}

// prepare makes everything that Submit needs. It returns no request when a job
// of this run was found at the backend and adopted.
func (d *drive) prepare(ctx context.Context) (*operatorv1.SubmitRequest, *rejection, error) {
	if err := d.open(ctx); err != nil {
		return nil, nil, err
	}
	target, rejected, err := d.scope(ctx)
	if rejected != nil || err != nil {
		return nil, rejected, err
	}
	if d.mayExistElsewhere() {
		adopted, err := d.adopt(ctx, target)
		if err != nil || adopted {
			return nil, nil, err
		}
	}
	if d.plan.JoinOnly {
		return nil, &rejection{class: problem.Lost, phase: "preparing", message: "the backend holds no job of this run token any more"}, nil
	}
	env, rejected, err := d.environment(ctx, target)
	if rejected != nil || err != nil {
		return nil, rejected, err
	}
	r, a := d.claim.Run(), d.attempt()
	step := buildStep(r, a, d.plan.Step, env, d.s.runDir(r.ID))

	if rejected, err := d.validate(ctx, target, step, true); rejected != nil || err != nil {
		return nil, rejected, err
	}
	prepared, rejected, err := d.callPrepare(ctx, target, step)
	if rejected != nil || err != nil {
		return nil, rejected, err
	}
	body, err := requestBytes(step)
	if err != nil {
		return nil, nil, fmt.Errorf("run %s: encoding the request: %w", r.ID, err)
	}
	return &operatorv1.SubmitRequest{
		Target: target, Step: step, Prepared: prepared,
		RequestDigest: digest(body, target.GetConfig().GetJson(), prepared),
	}, nil, nil
}

// open finds the flavor that the run is pinned to and makes its process
// reachable.
func (d *drive) open(ctx context.Context) error {
	if d.backend != nil {
		return nil
	}
	f := d.owned.flavor
	if f == nil {
		var err error
		if f, err = d.s.o.Flavor(ctx, d.claim.Run().Pin); err != nil {
			return err
		}
	}
	d.flavor = f
	d.backend = newBackend(d.s.o.Processes, f.Spec)
	return nil
}

// scope asks which place these credentials lead to. It is stored, with the
// request, before anything is sent.
func (d *drive) scope(ctx context.Context) (*operatorv1.Target, *rejection, error) {
	target, err := d.target(ctx)
	if err != nil || target.GetScope() != nil {
		return target, nil, err
	}
	var rejected *rejection
	err = d.untilAnswered(ctx, "resolving the scope", func(ctx context.Context, c operatorv1.StepOperatorClient) (*operatorv1.CouldNotAsk, error) {
		resp, err := c.Scope(ctx, &operatorv1.ScopeRequest{Target: target})
		if err != nil {
			return nil, err
		}
		if bad := firstError(resp.GetDiagnostics()); bad != nil {
			rejected = &rejection{class: classOf(bad.GetClass(), problem.Config), phase: "preparing", reason: "scope", message: diagnosticText(bad)}
			return nil, nil
		}
		target.Scope = resp.GetScope()
		return resp.GetCouldNotAsk(), nil
	})
	if err != nil || rejected != nil {
		return nil, rejected, err
	}
	if target.GetScope().GetId() == "" {
		return nil, &rejection{class: problem.System, phase: "preparing", reason: "scope",
			message: "the plugin named no scope; this is a bug of the flavor"}, nil
	}
	return target, nil, nil
}

// untilAnswered repeats a question while the backend gives no answer. Wrong
// credentials do not mend themselves within a launch: they come back at once.
func (d *drive) untilAnswered(ctx context.Context, what string, ask func(context.Context, operatorv1.StepOperatorClient) (*operatorv1.CouldNotAsk, error)) error {
	again := newBackoff()
	for {
		var none *operatorv1.CouldNotAsk
		err := d.backend.ask(ctx, askBound, func(err error) {
			d.hindered(ctx, Notice{Kind: Status, Phase: "preparing", Reason: "unreachable", Message: what + ": " + err.Error()})
		}, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
			none, err = ask(ctx, c)
			return err
		})
		if err != nil || none == nil {
			return err
		}
		cause := couldNotAsk(none)
		if !cause.passes() {
			return d.couldNotAskProblem(what, cause)
		}
		d.hindered(ctx, Notice{Kind: Status, Phase: "preparing", Reason: "unreachable", Message: what + ": " + cause.Error()})
		wait := max(again.NextBackOff(), none.GetRetryAfter().AsDuration())
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (d *drive) couldNotAskProblem(what string, cause error) *problem.Error {
	r := d.claim.Run()
	return &problem.Error{
		Summary: "could not ask the backend", Detail: what + " failed. Nothing follows for the job from this.",
		Flavor: r.Pin.Flavor, Operator: r.Operator, Run: r.ID, Phase: string(r.State), Class: problem.Auth, Err: cause,
		Next: fmt.Sprintf("renew the credentials, or switch back to the account or cluster of the run, then `stephost run attach %s`", r.ID),
	}
}

// environment makes what the step needs around it.
func (d *drive) environment(ctx context.Context, target *operatorv1.Target) (*operatorv1.Environment, *rejection, error) {
	r, a, step := d.claim.Run(), d.attempt(), d.plan.Step
	switch step.Environment.Kind {
	case project.KindImage:
		img, rejected, err := d.prepareImage(ctx, target)
		if rejected != nil || err != nil {
			return nil, rejected, err
		}
		return environmentMessage(step, nil, img), nil, nil
	case project.KindDirectory:
	default:
		return environmentMessage(step, nil, nil), nil, nil
	}
	dir, err := environment.PrepareDirectory(ctx, environment.DirectoryRequest{
		WorkDir: d.s.workDir(r.ID, a.Number), CacheDir: d.s.o.Home.Cache(), Sources: sourcesOf(step),
		Requirements: step.Environment.Requirements, RequirementsFile: step.Environment.RequirementsFile,
		Python: step.Environment.Python, AllowLarge: step.Environment.AllowLarge,
		NeverCopy: []string{d.s.o.Home.Root()}, Logger: d.s.o.Log.Named("environment"),
		Progress: func(line string) { d.notify(Notice{Kind: Progress, Phase: "preparing", Message: line}) },
	})
	switch {
	case err == nil:
		for _, w := range dir.Warnings {
			d.notify(Notice{Kind: Warning, Phase: "preparing", Message: w})
		}
		return environmentMessage(step, dir, nil), nil, nil
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	default:
		return nil, environmentRejection(err), nil
	}
}

// explain is the text of err for a record, with the way out when it has one.
func explain(err error) string {
	text := err.Error()
	var p *problem.Error
	if errors.As(err, &p) {
		if p.Detail != "" {
			text += ". " + p.Detail
		}
		if p.Next != "" {
			text += "\nNext: " + p.Next
		}
	}
	return problem.Bound(text, 4<<10)
}

// validate runs the flavor's own checks, which create nothing. warn passes on what
// a person should know.
func (d *drive) validate(ctx context.Context, target *operatorv1.Target, step *operatorv1.Step, warn bool) (*rejection, error) {
	var resp *operatorv1.ValidateResponse
	err := d.backend.ask(ctx, askBound, nil, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		resp, err = c.Validate(ctx, &operatorv1.ValidateRequest{Target: target, Step: step})
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, diag := range resp.GetDiagnostics() {
		if warn && diag.GetSeverity() == operatorv1.Severity_SEVERITY_WARNING {
			d.notify(Notice{Kind: Warning, Phase: "preparing", Message: diagnosticText(diag)})
		}
	}
	if bad := firstError(resp.GetDiagnostics()); bad != nil {
		return &rejection{class: classOf(bad.GetClass(), problem.Config), phase: "preparing", reason: "validate", message: d.locate(bad)}, nil
	}
	return nil, nil
}

// locate adds where the attribute of a diagnostic was written.
func (d *drive) locate(diag *operatorv1.Diagnostic) string {
	text := diagnosticText(diag)
	path := diag.GetAttribute()
	for n := len(path); n > 0; n-- {
		if origin := d.plan.Step.Origins[joinPath(path[:n])]; origin != "" {
			return text + " (" + joinPath(path) + ", from " + origin + ")"
		}
	}
	return text
}

func joinPath(path []string) string {
	out := ""
	for i, p := range path {
		if i > 0 {
			out += "."
		}
		out += p
	}
	return out
}

// callPrepare runs the Prepare stream of flavors that have one.
func (d *drive) callPrepare(ctx context.Context, target *operatorv1.Target, step *operatorv1.Step) ([]byte, *rejection, error) {
	if !d.flavor.Manifest.Can("prepare") {
		return nil, nil, nil
	}
	with, missing := d.withSecrets(ctx, step)
	if missing != nil {
		return nil, nil, d.blocked(ctx, missing)
	}
	var prepared []byte
	var rejected *rejection
	again := newBackoff()
	for {
		err := d.backend.ask(ctx, prepareBound, nil, func(ctx context.Context, c operatorv1.StepOperatorClient) error {
			stream, err := c.Prepare(ctx, &operatorv1.PrepareRequest{Target: target, Step: with})
			if err != nil {
				return err
			}
			return d.readPrepare(stream, &prepared, &rejected)
		})
		var none *AskError
		if !errors.As(err, &none) {
			return prepared, rejected, err
		}
		if !none.passes() {
			return nil, nil, d.couldNotAskProblem("preparing", none)
		}
		d.hindered(ctx, Notice{Kind: Status, Phase: "preparing", Reason: "unreachable", Message: none.Error()})
		if err := pause(ctx, again.NextBackOff()); err != nil {
			return nil, nil, err
		}
	}
}

func (d *drive) readPrepare(stream operatorv1.StepOperator_PrepareClient, prepared *[]byte, rejected **rejection) error {
	for {
		msg, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the plugin ended Prepare without a result; this is a bug of the flavor")
		}
		if err != nil {
			return err
		}
		if msg.GetProgress() != "" {
			d.notify(Notice{Kind: Progress, Phase: "preparing", Message: msg.GetProgress()})
		}
		if none := msg.GetCouldNotAsk(); none != nil {
			return couldNotAsk(none)
		}
		if bad := firstError(msg.GetDiagnostics()); bad != nil {
			*rejected = &rejection{class: classOf(bad.GetClass(), problem.Config), phase: "preparing", reason: "prepare", message: d.locate(bad)}
			return nil
		}
		if done := msg.GetDone(); done != nil {
			*prepared = done.GetPrepared()
			return nil
		}
	}
}
