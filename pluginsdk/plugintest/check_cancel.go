package plugintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// grace is what a Cancel gives a step.
	grace = 2 * time.Second
	// goneWait is how long a step that is gone is watched for a sign of life; it
	// ticks twenty times a second.
	goneWait = 500 * time.Millisecond
)

func cancelChecks() []check {
	can := []string{"cancel"}
	return []check{
		{id: "cancel.running", says: "a running job is cancelled, and CANCELLED means that no process of the step is left", full: true, can: can, jobs: 1, run: (*suite).checkCancelRunning},
		{id: "cancel.early", says: "a job is cancelled before its step has started", full: true, can: can, jobs: 1, run: (*suite).checkCancelEarly},
		{id: "cancel.twice", says: "a second Cancel is no error", full: true, can: can, jobs: 1, run: (*suite).checkCancelTwice},
		{id: "cancel.ended", says: "Cancel of a job that is over says already_over, and the verdict stays", full: true, can: can, jobs: 1, run: (*suite).checkCancelEnded},
		{id: "cancel.stubborn", says: "a step that does not heed the polite request ends after the grace", full: true, can: can, jobs: 1, run: (*suite).checkCancelStubborn},
	}
}

// cancel asks once; the answer is accepted or already_over.
func (j *job) cancel(ctx context.Context, p *process) (*operatorv1.CancelResponse, error) {
	r, err := call(ctx, j.s, "Cancel", p.client.Cancel, &operatorv1.CancelRequest{
		Target: j.s.target(), Handle: j.handle, Key: j.step.Key, Grace: durationpb.New(grace)})
	if err != nil {
		return nil, err
	}
	if r.GetAccepted() == nil && r.GetAlreadyOver() == nil {
		return r, fmt.Errorf("Cancel answered %s; %s", describeAsk(r.GetCouldNotAsk()), describe(r.GetDiagnostics()))
	}
	return r, nil
}

// cancelled asks once and waits for the confirmation.
func (j *job) cancelled(ctx context.Context, p *process) error {
	if _, err := j.cancel(ctx, p); err != nil {
		return err
	}
	end, err := j.expect(ctx, p, operatorv1.Phase_PHASE_CANCELLED)
	if err != nil {
		return err
	}
	if end.GetClass() != operatorv1.Class_CLASS_CANCELLED {
		return fmt.Errorf("the class is %s, expected CLASS_CANCELLED", end.GetClass())
	}
	return nil
}

func (s *suite) checkCancelRunning(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptLong)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.running(ctx, p); err != nil {
		return err
	}
	if err := j.cancelled(ctx, p); err != nil {
		return err
	}
	if j.witness == "" {
		return nil
	}
	before := len(j.told("tick"))
	if err := pause(ctx, goneWait); err != nil {
		return err
	}
	if after := len(j.told("tick")); after != before {
		return fmt.Errorf("CANCELLED was said, but the step goes on: its witness grew by %d ticks within %s", after-before, goneWait)
	}
	return nil
}

func (s *suite) checkCancelEarly(ctx context.Context) error {
	queued := false
	if s.c.Fault != nil {
		restore, err := s.fault(ctx, Queued)
		var absent *absentError
		if err != nil && !errors.As(err, &absent) {
			return err
		}
		if queued = err == nil; queued {
			defer restore()
		}
	}
	p, j, err := s.begin(ctx, scriptLong)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.cancelled(ctx, p); err != nil {
		return err
	}
	if queued && j.witness != "" && len(j.told("start")) > 0 {
		return errors.New("the job was cancelled before its start, and its step ran")
	}
	return nil
}

func (s *suite) checkCancelTwice(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptStubborn) // still there when the second comes
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.running(ctx, p); err != nil {
		return err
	}
	if _, err := j.cancel(ctx, p); err != nil {
		return err
	}
	if _, err := j.cancel(ctx, p); err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	j.release()
	return nil
}

func (s *suite) checkCancelEnded(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptTrue)
	if err != nil {
		return err
	}
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	r, err := j.cancel(ctx, p)
	if err != nil {
		return err
	}
	if r.GetAlreadyOver() == nil {
		return errors.New("Cancel was accepted, but the job is over")
	}
	_, err = j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED)
	return err
}

func (s *suite) checkCancelStubborn(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptStubborn)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.running(ctx, p); err != nil {
		return err
	}
	return j.cancelled(ctx, p)
}
