package plugintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func findChecks() []check {
	return []check{
		{id: "find.absent", says: "a key that was never used is not FOUND", full: true, can: []string{"find"}, run: (*suite).checkFindAbsent},
		{id: "find.key", says: "Find by key tells the job, its run, attempt and request digest", full: true, can: []string{"find"}, jobs: 1, run: (*suite).checkFindKey},
		{id: "find.token", says: "Find by run token tells all attempts, from another project too", full: true, can: []string{"find"}, jobs: 2, run: (*suite).checkFindToken},
		{id: "find.after-kill", says: "what a killed process has submitted is found by the next one, and goes on", full: true, can: []string{"find"}, kind: Remote, jobs: 1, run: (*suite).checkFindAfterKill},
		{id: "launch.lost", says: "a step of the kind launch is LOST with its process, and nothing else", full: true, kind: Launch, jobs: 1, run: (*suite).checkLaunchLost},
		{id: "scope.wrong", says: "another stored scope is WRONG_SCOPE in every call: could not ask, never a verdict", full: true, jobs: 1, run: (*suite).checkWrongScope},
		{id: "backend.unreachable", says: "an unreachable backend is could not ask, never a verdict, and the run goes on behind it", full: true, fault: Unreachable, jobs: 1, run: (*suite).checkUnreachable},
	}
}

func (s *suite) find(ctx context.Context, p *process, key string) (*operatorv1.FindResponse, error) {
	return call(ctx, s, "Find", p.client.Find, &operatorv1.FindRequest{Target: s.target(), By: &operatorv1.FindRequest_Key{Key: key}})
}

// findSettled asks until FOUND, or until the manifest's settle is over.
func (s *suite) findSettled(ctx context.Context, p *process, key string) (*operatorv1.FindResponse, error) {
	until := time.Now().Add(s.m.settle + settleSlack)
	for {
		r, err := s.find(ctx, p, key)
		if err != nil || r.GetOutcome() == operatorv1.FindResponse_OUTCOME_FOUND || time.Now().After(until) {
			return r, err
		}
		// ABSENT is final where a key leads to a job; elsewhere lists may be late.
		if r.GetOutcome() == operatorv1.FindResponse_OUTCOME_ABSENT && s.m.idempotency == "key" {
			return r, nil
		}
		if err := pause(ctx, askAgain); err != nil {
			return r, err
		}
	}
}

func (s *suite) checkFindAbsent(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	r, err := s.find(ctx, p, randomName())
	if err != nil {
		return err
	}
	switch r.GetOutcome() {
	case operatorv1.FindResponse_OUTCOME_ABSENT, operatorv1.FindResponse_OUTCOME_UNDETERMINED:
		if len(r.GetJobs()) == 0 {
			return nil
		}
	}
	return fmt.Errorf("Find answered %s for a key that was never used", findOutcome(r))
}

func (s *suite) checkFindKey(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	r, err := s.findSettled(ctx, p, j.step.Key)
	if err != nil {
		return err
	}
	if r.GetOutcome() != operatorv1.FindResponse_OUTCOME_FOUND || len(r.GetJobs()) != 1 {
		return fmt.Errorf("Find answered %s, expected the one job", findOutcome(r))
	}
	x := r.GetJobs()[0]
	var wrong []error
	if x.GetKey() != j.step.Key {
		wrong = append(wrong, fmt.Errorf("the key is %q", printable(x.GetKey(), maxWord)))
	}
	if x.GetAttempt() != j.step.Attempt {
		wrong = append(wrong, fmt.Errorf("the attempt is %d, it was submitted as %d", x.GetAttempt(), j.step.Attempt))
	}
	if x.GetRequestDigest() != "" && x.GetRequestDigest() != j.digest {
		wrong = append(wrong, fmt.Errorf("the request digest is %q, not the one that Submit was given", printable(x.GetRequestDigest(), maxWord)))
	}
	if x.GetRunId() != "" && x.GetRunId() != j.step.RunId {
		wrong = append(wrong, fmt.Errorf("the run id is %q, expected %q", printable(x.GetRunId(), maxWord), j.step.RunId))
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	j.handle = x.GetHandle()
	j.release()
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return fmt.Errorf("with the handle from Find: %w", err)
	}
	return nil
}

func (s *suite) checkFindToken(ctx context.Context) error {
	p, one, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer one.release()
	two, err := s.newJob(scriptHold)
	if err != nil {
		return err
	}
	defer two.release()
	two.step.RunToken, two.step.RunId, two.step.Attempt = one.step.RunToken, one.step.RunId, 2
	if err := two.start(ctx, p); err != nil {
		return err
	}
	want := map[string]int32{one.step.Key: 1, two.step.Key: 2}
	elsewhere, err := s.otherProject(ctx, p, "plugintest, elsewhere")
	if err != nil {
		return err
	}
	for _, t := range []*operatorv1.Target{s.target(), elsewhere} {
		if err := s.findAttempts(ctx, p, t, one.step.RunToken, want); err != nil {
			return fmt.Errorf("project %q: %w", t.GetProject(), err)
		}
	}
	return nil
}

// findAttempts waits until Find by token tells the attempts that are wanted, by key.
func (s *suite) findAttempts(ctx context.Context, p *process, t *operatorv1.Target, token string, want map[string]int32) error {
	until := time.Now().Add(s.m.settle + settleSlack)
	for {
		r, err := call(ctx, s, "Find", p.client.Find, &operatorv1.FindRequest{Target: t, By: &operatorv1.FindRequest_RunToken{RunToken: token}})
		if err != nil {
			return err
		}
		got := map[string]int32{}
		for _, x := range r.GetJobs() {
			got[x.GetKey()] = x.GetAttempt()
		}
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("Find by run token answered %s: attempts by key %v, expected %v", findOutcome(r), got, want)
		}
		if err := pause(ctx, askAgain); err != nil {
			return err
		}
	}
}

func (s *suite) checkFindAfterKill(ctx context.Context) error {
	victim, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	j, err := s.newJob(scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.start(ctx, victim); err != nil {
		return err
	}
	victim.kill()
	j.handle = nil // the answer went down with the process
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	r, err := s.findSettled(ctx, p, j.step.Key)
	if err != nil {
		return err
	}
	if r.GetOutcome() != operatorv1.FindResponse_OUTCOME_FOUND || len(r.GetJobs()) != 1 {
		return fmt.Errorf("Find answered %s, but a job was accepted under the key", findOutcome(r))
	}
	j.handle = r.GetJobs()[0].GetHandle()
	j.release()
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	return j.runs(ctx, 1, 1)
}

func (s *suite) checkLaunchLost(ctx context.Context) error {
	victim, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	j, err := s.newJob(scriptLong)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.start(ctx, victim); err != nil {
		return err
	}
	if err := j.running(ctx, victim); err != nil {
		return err
	}
	victim.kill()
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	verdict, err := j.expect(ctx, p, operatorv1.Phase_PHASE_LOST)
	if err != nil {
		return err
	}
	if verdict.GetClass() != operatorv1.Class_CLASS_LOST {
		return fmt.Errorf("the class is %s, expected CLASS_LOST", verdict.GetClass())
	}
	return nil
}

func (s *suite) checkWrongScope(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	t := s.target()
	t.Scope = &operatorv1.Scope{Id: "plugintest:another-place", Display: "another place"}
	var wrong []error
	ask := func(what string, c *operatorv1.CouldNotAsk, err error) {
		switch {
		case err != nil:
			wrong = append(wrong, err)
		case c.GetReason() != operatorv1.CouldNotAsk_REASON_WRONG_SCOPE:
			wrong = append(wrong, fmt.Errorf("%s: %s, expected could not ask, REASON_WRONG_SCOPE", what, describeAsk(c)))
		}
	}
	other, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	q := other.request()
	q.Target = t
	sub, err := call(ctx, s, "Submit", p.client.Submit, q)
	ask("Submit", sub.GetNotSent().GetCouldNotAsk(), err)
	if sub.GetAccepted() != nil {
		other.sent = true
		other.accept(sub.GetAccepted())
		s.jobs = append(s.jobs, other)
	}
	if s.caps["find"] {
		r, err := call(ctx, s, "Find", p.client.Find, &operatorv1.FindRequest{Target: t, By: &operatorv1.FindRequest_Key{Key: j.step.Key}})
		ask("Find", r.GetCouldNotAsk(), err)
	}
	if s.caps["cancel"] {
		r, err := call(ctx, s, "Cancel", p.client.Cancel, &operatorv1.CancelRequest{Target: t, Handle: j.handle, Key: j.step.Key})
		ask("Cancel", r.GetCouldNotAsk(), err)
	}
	if s.caps["cleanup"] {
		r, err := call(ctx, s, "Cleanup", p.client.Cleanup, &operatorv1.CleanupRequest{Target: t, Handle: j.handle, Key: j.step.Key, What: operatorv1.CleanupRequest_WHAT_LEFTOVERS})
		ask("Cleanup", r.GetCouldNotAsk(), err)
	}
	c, err := s.firstAnswer(ctx, p, &operatorv1.WatchRequest{Target: t, Handle: j.handle, Key: j.step.Key})
	ask("Watch", c, err)
	return errors.Join(wrong...)
}

// firstAnswer reads a Watch until it says something that is no heartbeat, and
// demands Reachability.
func (s *suite) firstAnswer(ctx context.Context, p *process, r *operatorv1.WatchRequest) (*operatorv1.CouldNotAsk, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	stream, err := p.client.Watch(ctx, r)
	if err != nil {
		return nil, s.transport(ctx, "Watch", err)
	}
	for {
		m, err := stream.Recv()
		switch {
		case err != nil:
			return nil, s.transport(ctx, "Watch", err)
		case m.GetTerminal() != nil:
			return nil, fmt.Errorf("Watch gave the verdict %s", terminalText(m.GetTerminal()))
		case m.GetStatus() != nil:
			return nil, fmt.Errorf("Watch gave the status %s", m.GetStatus().GetPhase())
		case m.GetReachability() != nil:
			return m.GetReachability().GetCouldNotAsk(), nil
		}
	}
}

func (s *suite) checkUnreachable(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	restore, err := s.fault(ctx, Unreachable)
	if err != nil {
		return err
	}
	defer restore()
	if s.caps["find"] {
		r, err := s.find(ctx, p, j.step.Key)
		if err != nil {
			return err
		}
		if r.GetCouldNotAsk() == nil {
			return fmt.Errorf("Find answered %s, but the backend cannot be reached", findOutcome(r))
		}
	}
	if s.caps["cancel"] {
		r, err := call(ctx, s, "Cancel", p.client.Cancel, &operatorv1.CancelRequest{Target: s.target(), Handle: j.handle, Key: j.step.Key})
		if err != nil {
			return err
		}
		if r.GetCouldNotAsk() == nil {
			return errors.New("Cancel did not answer could not ask, but the backend cannot be reached")
		}
	}
	told := false
	var end *operatorv1.Terminal
	err = j.watch(ctx, p, func(m *operatorv1.WatchResponse) (bool, error) {
		if r := m.GetReachability(); r != nil && !r.GetReachable() && !told {
			told = true
			restore()
			j.release()
		}
		if end = m.GetTerminal(); end != nil && !told {
			return true, fmt.Errorf("Watch gave the verdict %s, but the backend cannot be reached", terminalText(end))
		}
		return end != nil, nil
	})
	switch {
	case err != nil:
		return err
	case end.GetPhase() != operatorv1.Phase_PHASE_SUCCEEDED:
		return fmt.Errorf("when the backend was back, the verdict was %s, expected SUCCEEDED", terminalText(end))
	}
	return nil
}
