package launch

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/internal/failpoint"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// withSecrets is step with its secret values, for the two calls that carry
// them.
func (d *drive) withSecrets(ctx context.Context, step *operatorv1.Step) (*operatorv1.Step, *missingSecret) {
	env, missing := secretValues(ctx, d.plan.Step.Secrets, d.resolver())
	if missing != nil {
		return nil, missing
	}
	settings, missing := secretValues(ctx, d.plan.Step.SecretSettings, d.resolver())
	if missing != nil {
		return nil, missing
	}
	if env == nil && settings == nil {
		return step, nil
	}
	with := proto.CloneOf(step)
	with.Secrets = env
	with.Settings.Secrets = settings
	return with, nil
}

// submit stores that the job is being sent, sends it, and stores the answer.
// fresh says that this is the attempt's first submission: then the request is
// stored with the state, in one transaction, because nothing lies between the
// two arrows.
func (d *drive) submit(ctx context.Context, req *operatorv1.SubmitRequest, fresh bool) error {
	with, missing := d.withSecrets(ctx, req.GetStep())
	if missing != nil {
		return d.blocked(ctx, missing)
	}
	body, err := requestBytes(req.GetStep())
	if err != nil {
		return fmt.Errorf("run %s: encoding the request: %w", d.id, err)
	}
	if size := proto.Size(with) + len(req.GetPrepared()); size > maxMessage-(64<<10) {
		return d.endUnsubmitted(ctx, rejection{class: problem.Config, phase: "submitting", reason: "too large",
			message: fmt.Sprintf("the request has %d bytes; 16 MiB is the limit: pass large values by file", size)})
	}
	wanted := false
	err = d.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		// A cancel that came before this commit wins: nothing is sent. One that
		// comes later finds `submitting` and waits for the answer.
		if wanted = r.Intent != nil; wanted {
			return nil, nil
		}
		a := current(r)
		r.State, r.StateReason = runs.Submitting, ""
		if fresh {
			a.SubmittingAt = d.s.o.Now()
			a.Request, a.Prepared, a.RequestDigest = body, req.GetPrepared(), req.GetRequestDigest()
			r.Pin.ScopeID, r.Pin.ScopeDisplay = req.GetTarget().GetScope().GetId(), req.GetTarget().GetScope().GetDisplay()
		}
		return []runs.Event{moved("attempt %d goes to %s with key %s", a.Number, r.Pin.ScopeDisplay, a.Key)}, nil
	})
	if err != nil {
		return err
	}
	if wanted && !fresh {
		return d.settleAfter(ctx, "a cancel came before the request was sent again")
	}
	if wanted {
		return d.endUnsubmitted(ctx, rejection{class: problem.Cancelled, phase: "submitting", message: "cancelled before anything was sent"})
	}
	failpoint.Hit("host-submitting")
	d.notify(Notice{Kind: Status, Phase: "submitting", Since: d.s.o.Now()})

	// A Submit in flight is never cancelled: whoever cancels its context no
	// longer knows whether there is a job (some SDKs even end it).
	sent := &operatorv1.SubmitRequest{Target: req.GetTarget(), Step: with, Prepared: req.GetPrepared(), RequestDigest: req.GetRequestDigest()}
	var resp *operatorv1.SubmitResponse
	callErr := d.backend.call(context.WithoutCancel(ctx), submitBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
		resp, err = c.Submit(ctx, sent)
		return err
	})
	failpoint.Hit("host-answered")
	// The answer is stored even when the launch is being ended.
	return d.answered(context.WithoutCancel(ctx), req.GetTarget(), resp, callErr)
}

// answered stores Submit's answer.
func (d *drive) answered(ctx context.Context, target *operatorv1.Target, resp *operatorv1.SubmitResponse, callErr error) error {
	if callErr != nil {
		if certainlyNotSent(callErr) {
			return callErr
		}
		return d.uncertain(ctx, callErr.Error())
	}
	bad := firstError(resp.GetDiagnostics())
	switch out := resp.GetOutcome().(type) {
	case *operatorv1.SubmitResponse_Accepted_:
		return d.accepted(ctx, out.Accepted.GetHandle(), found{
			existing: out.Accepted.GetExisting(), url: out.Accepted.GetUrl(), name: out.Accepted.GetNativeName()})
	case *operatorv1.SubmitResponse_Rejected_:
		rejected := rejection{class: problem.Config, phase: "submitting", reason: "rejected", message: "the backend refused the job"}
		if bad != nil {
			rejected.class, rejected.message = classOf(bad.GetClass(), problem.Config), d.locate(bad)
		}
		// Two machines with one token at the same time have the same key and
		// different requests: the slower one is refused, and joins the other.
		if d.claim.Run().TokenGiven && d.flavor.Manifest.Can("find") {
			before := d.attempt().Number
			adopted, err := d.adopt(ctx, target)
			if d.attempt().Number != before {
				d.doubt = time.Time{}
				return err
			}
			if err != nil || adopted {
				return err
			}
		}
		if !d.doubt.IsZero() {
			// An earlier request of this key may still arrive.
			d.refused = &rejected
			return d.settleAfter(ctx, "a request got no answer, and a later one was refused ("+rejected.message+")")
		}
		return d.endUnsubmitted(ctx, rejected)
	case *operatorv1.SubmitResponse_NotSent_:
		return d.notSent(ctx, target, out.NotSent.GetCouldNotAsk())
	default:
		reason := "the plugin does not know whether the backend took the job"
		if bad != nil {
			reason = diagnosticText(bad)
		}
		return d.uncertain(ctx, reason)
	}
}

// certainlyNotSent tells whether no handler of the plugin ran. Every other
// failure of the transport may have happened behind the creating call.
func certainlyNotSent(err error) bool { return status.Code(err) == codes.Unimplemented }

// notSent waits and sends the request again: nothing was created, and nothing
// follows for the job. It is no submission that may have been lost, so it counts
// for no limit; a person who cancels ends it.
func (d *drive) notSent(ctx context.Context, target *operatorv1.Target, none *operatorv1.CouldNotAsk) error {
	cause := couldNotAsk(none)
	if !cause.passes() {
		if !d.doubt.IsZero() {
			// The state must keep saying that a job may exist.
			return d.couldNotAskProblem("submitting", cause)
		}
		if err := d.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
			r.State, r.StateReason = runs.Blocked, problem.Bound(cause.Error(), 1<<10)
			return []runs.Event{moved("nothing was sent: %s", cause)}, nil
		}); err != nil {
			return err
		}
		return d.couldNotAskProblem("submitting", cause)
	}
	d.unsent++
	wait := max(min(askAgainFirst<<min(d.unsent, 10), askAgainMost), none.GetRetryAfter().AsDuration())
	d.hindered(ctx, Notice{Kind: Status, Phase: "submitting", Reason: "unreachable", Message: cause.Error(), Since: d.s.o.Now()})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	total, stop := d.untilTotal()
	defer stop()
	select {
	case <-d.ending:
		return context.Canceled
	case <-d.poked:
	case <-timer.C:
	case <-total:
	}
	if !d.doubt.IsZero() {
		// An earlier request of this key may have arrived, or still arrive.
		return d.settleAfter(ctx, "a request got no answer, and a later one could not be sent")
	}
	select {
	case <-total:
		return d.endUnsubmitted(ctx, overTotal("submitting"))
	default:
	}
	in, err := d.intent(ctx)
	if err != nil {
		return err
	}
	if in != nil {
		return d.endUnsubmitted(ctx, rejection{class: classOfIntent(in), phase: "submitting", message: "cancelled before the backend had the job"})
	}
	return d.resend(ctx, target)
}

// maxMessage is the contract's limit of one message.
const maxMessage = 16 << 20

// found is what is known about an accepted job besides its handle.
type found struct {
	existing bool
	url      string
	name     string
}

// accepted stores the handle. From here on the job can always be found.
func (d *drive) accepted(ctx context.Context, h *operatorv1.Handle, f found) error {
	const mostHandle = 16 << 10
	if len(h.GetData()) == 0 || len(h.GetData()) > mostHandle {
		return d.uncertain(ctx, fmt.Sprintf("the plugin returned a handle of %d bytes; 1 to %d are allowed", len(h.GetData()), mostHandle))
	}
	err := d.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		a := current(r)
		r.State, r.StateReason = runs.Submitted, ""
		a.SubmittedAt = d.s.o.Now()
		a.Handle, a.HandleVersion, a.Existing = h.GetData(), h.GetVersion(), f.existing
		a.NativeName, a.URL = f.name, f.url
		what := "accepted"
		if f.existing {
			what = "found again"
		}
		return []runs.Event{moved("attempt %d %s as %s", a.Number, what, orElse(f.name, a.Key))}, nil
	})
	if err != nil {
		return err
	}
	d.doubt, d.refused = time.Time{}, nil
	failpoint.Hit("host-submitted")
	return nil
}

// uncertain leaves the run in `submitting`, for settle.
func (d *drive) uncertain(ctx context.Context, reason string) error {
	d.doubt = d.s.o.Now()
	d.notify(Notice{Kind: Status, Phase: "submitting", Reason: "uncertain", Message: reason, Since: d.doubt})
	return d.settleAfter(ctx, reason)
}

// blocked stores that a secret is missing and ends this drive.
func (d *drive) blocked(ctx context.Context, m *missingSecret) error {
	err := d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		switch r.State {
		case runs.Created, runs.Preparing, runs.Prepared, runs.Blocked:
			r.State, r.StateReason = runs.Blocked, "needs secret "+m.name
		default:
			// Something may have been sent: the state must keep saying so.
			r.StateReason = "needs secret " + m.name
		}
		return []runs.Event{moved("needs secret %s", m.name)}, nil
	})
	if err != nil {
		return err
	}
	return &BlockedError{Run: d.claim.Run(), Secret: m.name, Err: m.err}
}

// unblock tries again: the secret, or the right to ask, may be there now.
func (d *drive) unblock(ctx context.Context) error {
	if d.claim.Run().Intent != nil {
		return d.endUnsubmitted(ctx, rejection{class: classOfIntent(d.claim.Run().Intent), phase: "blocked", message: "cancelled before the backend had the job"})
	}
	if !d.attempt().SubmittingAt.IsZero() {
		if err := d.open(ctx); err != nil {
			return err
		}
		target, err := d.target(ctx)
		if err != nil {
			return err
		}
		return d.resend(ctx, target)
	}
	return d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		r.State, r.StateReason = runs.Preparing, ""
		return []runs.Event{moved("trying again after it was blocked")}, nil
	})
}

func current(r *runs.Run) *runs.Attempt { return &r.Attempts[len(r.Attempts)-1] }

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// settleFirst is the first pause before Find after an uncertain Submit: a
// backend that lists late needs a moment, a person waits.
const settleFirst = 250 * time.Millisecond
