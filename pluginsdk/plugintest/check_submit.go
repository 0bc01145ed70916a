package plugintest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// racers is how many Submits of one key are made at once.
	racers = 4
	// inFlight is how long a Submit is on its way before the host goes away.
	inFlight = 500 * time.Millisecond
)

// killDelays are the moments at which a plugin is killed in a Submit; 0 = when
// the answer has left it, which the host never sees.
func killDelays() []time.Duration {
	return []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond}
}

func submitChecks() []check {
	return []check{
		{id: "submit.same-key", says: "the same key again returns the same job, existing = true", full: true, key: true, jobs: 1, run: (*suite).checkSameKey},
		{id: "submit.other-body", says: "a key that is in use by another request is REJECTED, class config", full: true, key: true, jobs: 1, run: (*suite).checkOtherBody},
		{id: "submit.race", says: "Submits of one key at the same time make one job", full: true, key: true, counts: true, jobs: 1, run: (*suite).checkRace},
		{id: "submit.reply-lost", says: "a creating call whose answer is lost is not called REJECTED, and the job is found", full: true, fault: ReplyLost, jobs: 1, run: (*suite).checkReplyLost},
		{id: "submit.killed", says: "a plugin that is killed in a Submit leaves at most one job, which the same key leads to", full: true, key: true, counts: true, jobs: len(killDelays()), run: (*suite).checkKilled},
		{id: "submit.host-gone", says: "a Submit in flight is finished when the host goes away", full: true, fault: SlowSubmit, jobs: 1, run: (*suite).checkSubmitHostGone},
		{id: "submit.finished", says: "the key of a job that has ended leads to that job, in another process too: it does not run again", full: true, key: true, counts: true, jobs: 1, run: (*suite).checkFinished},
	}
}

func (s *suite) checkSameKey(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	one := j.handle
	r, err := j.submit(ctx, p)
	if err != nil {
		return err
	}
	if a := r.GetAccepted(); a == nil || !a.GetExisting() {
		return fmt.Errorf("the same request again: %s, expected ACCEPTED with existing = true", outcomeOf(r))
	}
	if string(one.GetData()) != string(j.handle.GetData()) {
		// Handles are opaque, so that only the jobs behind them can be compared.
		j.release()
		if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
			return fmt.Errorf("the second handle: %w", err)
		}
	}
	j.handle = one
	j.release()
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	return j.runs(ctx, 1, 1)
}

func (s *suite) checkOtherBody(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	other, err := j.prepared(ctx, p)
	if err != nil {
		return err
	}
	other.RequestDigest = strings.Repeat("fedcba9876543210", 4)
	other.Step.Argv = append(other.Step.Argv, "another")
	r, err := call(ctx, s, "Submit", p.client.Submit, other)
	if err != nil {
		return err
	}
	if r.GetRejected() == nil {
		return fmt.Errorf("another request with the same key: %s, expected REJECTED", outcomeOf(r))
	}
	for _, d := range r.GetDiagnostics() {
		if d.GetClass() == operatorv1.Class_CLASS_CONFIG {
			return j.runs(ctx, 0, 1)
		}
	}
	return fmt.Errorf("REJECTED, but without a diagnostic of class config: %s", describe(r.GetDiagnostics()))
}

func (s *suite) checkRace(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	r, err := j.prepared(ctx, p)
	if err != nil {
		return err
	}
	callCtx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	var wg sync.WaitGroup
	answers := make([]*operatorv1.SubmitResponse, racers)
	errs := make([]error, racers)
	for i := range racers {
		wg.Go(func() { answers[i], errs[i] = p.client.Submit(callCtx, r) })
	}
	wg.Wait()
	for i, a := range answers {
		switch {
		case errs[i] != nil:
			return s.transport(callCtx, "Submit", errs[i])
		case a.GetRejected() != nil:
			return fmt.Errorf("one of them is %s, but there is a job", outcomeOf(a))
		case a.GetAccepted() != nil:
			j.accept(a.GetAccepted())
		}
	}
	if j.handle == nil {
		return fmt.Errorf("none was accepted: %s", outcomeOf(answers[0]))
	}
	j.release()
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	return j.runs(ctx, 1, 1)
}

// fault makes the backend misbehave until the result is called.
func (s *suite) fault(ctx context.Context, f Fault) (func(), error) {
	err := s.c.Fault(ctx, f)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, absent("needs a backend that can play %s: Config.Fault says it cannot", f)
	}
	if err != nil {
		return nil, fmt.Errorf("Config.Fault: %w", err)
	}
	return func() { _ = s.c.Fault(context.WithoutCancel(ctx), NoFault) }, nil
}

func (s *suite) checkReplyLost(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	restore, err := s.fault(ctx, ReplyLost)
	if err != nil {
		return err
	}
	defer restore()
	r, err := j.submit(ctx, p)
	restore()
	if err != nil {
		return err
	}
	if r.GetUncertain() == nil && r.GetAccepted() == nil {
		return fmt.Errorf("Submit answered %s, but the backend holds the job: expected UNCERTAIN", outcomeOf(r))
	}
	if err := s.lookUp(ctx, p, j); err != nil {
		return err
	}
	j.release()
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	return j.runs(ctx, 1, 1)
}

// lookUp gets the handle of a job whose answer was lost: with the key, else by
// Find.
func (s *suite) lookUp(ctx context.Context, p *process, j *job) error {
	if s.m.idempotency == "key" {
		if err := j.start(ctx, p); err != nil {
			return fmt.Errorf("the same request again: %w", err)
		}
		return nil
	}
	if !s.caps["find"] {
		return absent(`needs the capability find, or idempotency = "key"`)
	}
	found, err := s.findSettled(ctx, p, j.step.Key)
	if err != nil {
		return err
	}
	if len(found.GetJobs()) != 1 {
		return fmt.Errorf("Find answered %s, expected the one job", findOutcome(found))
	}
	j.handle = found.GetJobs()[0].GetHandle()
	return nil
}

func (s *suite) checkKilled(ctx context.Context) error {
	for _, delay := range killDelays() {
		err := s.killedIn(ctx, delay)
		if err != nil && delay == 0 {
			return fmt.Errorf("killed when the answer had left it: %w", err)
		}
		if err != nil {
			return fmt.Errorf("killed %s after Submit was sent: %w", delay, err)
		}
	}
	return nil
}

func (s *suite) killedIn(ctx context.Context, delay time.Duration) error {
	victim, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := call(ctx, s, "GetMetadata", victim.client.GetMetadata, &operatorv1.GetMetadataRequest{}); err != nil {
		return err
	}
	j, err := s.newJob(scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	r, err := j.prepared(ctx, victim)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = victim.client.Submit(ctx, r) // the host never sees the answer
	}()
	if delay == 0 {
		select {
		case <-done:
		case <-ctx.Done():
			return errors.New("Submit was not answered")
		}
	} else if err := pause(ctx, delay); err != nil {
		return err
	}
	victim.kill()
	<-done
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	if err := j.start(ctx, p); err != nil {
		return fmt.Errorf("the same request again: %w", err)
	}
	j.release()
	verdict, err := j.verdict(ctx, p)
	switch {
	case err != nil:
		return err
	case s.c.Kind == Launch && verdict.GetPhase() == operatorv1.Phase_PHASE_LOST:
		return j.runs(ctx, 0, 1)
	case verdict.GetPhase() != operatorv1.Phase_PHASE_SUCCEEDED:
		return fmt.Errorf("the verdict is %s", terminalText(verdict))
	}
	return j.runs(ctx, 1, 1)
}

func (s *suite) checkSubmitHostGone(ctx context.Context) error {
	if !lifelines || s.m.tls == "auto" {
		return absent(`needs a lifeline: not on this platform, or the manifest says tls = "auto"`)
	}
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := call(ctx, s, "GetMetadata", p.client.GetMetadata, &operatorv1.GetMetadataRequest{}); err != nil {
		return err
	}
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	request, err := j.prepared(ctx, p)
	if err != nil {
		return err
	}
	restore, err := s.fault(ctx, SlowSubmit)
	if err != nil {
		return err
	}
	defer restore()
	type result struct {
		r   *operatorv1.SubmitResponse
		err error
	}
	answer := make(chan result, 1)
	go func() {
		r, err := p.client.Submit(ctx, request)
		answer <- result{r, err}
	}()
	select {
	case <-answer:
		return absent("needs a Submit that takes longer than %s: Config.Fault(slow_submit) did not slow it", inFlight)
	case <-time.After(inFlight):
	}
	p.endLifeline()
	p.expected = true
	var got result
	limit := time.NewTimer(lifeline.SubmitGrace + stopLimit)
	defer limit.Stop()
	select {
	case got = <-answer:
	case <-limit.C:
		return errors.New("Submit was not answered")
	}
	p.orderly = within(p.exited, stopLimit)
	switch {
	case got.err != nil:
		return fmt.Errorf("Submit was cut off by the end of the lifeline: %s", printable(got.err.Error(), maxWord))
	case got.r.GetAccepted() == nil:
		return fmt.Errorf("Submit answered %s, expected ACCEPTED", outcomeOf(got.r))
	}
	return nil
}

func (s *suite) checkFinished(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptTrue)
	if err != nil {
		return err
	}
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	other, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, p := range []*process{p, other} {
		r, err := j.submit(ctx, p)
		if err != nil {
			return err
		}
		if r.GetAccepted() == nil {
			return fmt.Errorf("the key of the ended job: %s, expected ACCEPTED with existing = true", outcomeOf(r))
		}
		if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
			return err
		}
	}
	return j.runs(ctx, 1, 1)
}
