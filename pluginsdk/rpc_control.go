package pluginsdk

import (
	"context"
	"errors"
	"time"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// cleanupTimeout bounds Cleanup: deleting staged objects takes many calls on
// some backends, and nobody waits for it.
const cleanupTimeout = 5 * time.Minute

// Cancel asks the implementation and makes every watch of the job look at once,
// so that the confirmation is seen soon.
func (s *Server) Cancel(ctx context.Context, r *operatorv1.CancelRequest) (*operatorv1.CancelResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Cancel", "key", r.GetKey())
	if err != nil {
		return &operatorv1.CancelResponse{Result: &operatorv1.CancelResponse_CouldNotAsk{CouldNotAsk: couldNotAsk(err)}}, nil
	}
	ctx, cancel := serve.Bounded(ctx, checkTimeout)
	defer cancel()
	err = s.scopes.check(ctx, c, 0)
	var h Handle
	if err == nil {
		h, err = s.handle(r.GetHandle(), r.GetKey(), r.GetTarget())
	}
	if err == nil {
		err = guard(ctx, "Cancel", func() error {
			return c.session.cancel(ctx, h, CancelOptions{Grace: r.GetGrace().AsDuration(), Force: r.GetForce()})
		})
		s.nudges.nudge(r.GetKey())
	}
	switch {
	case err == nil:
		return &operatorv1.CancelResponse{Result: &operatorv1.CancelResponse_Accepted_{Accepted: &operatorv1.CancelResponse_Accepted{}}}, nil
	case errors.Is(err, ErrAlreadyOver):
		return &operatorv1.CancelResponse{Result: &operatorv1.CancelResponse_AlreadyOver_{AlreadyOver: &operatorv1.CancelResponse_AlreadyOver{}}}, nil
	}
	return &operatorv1.CancelResponse{Result: &operatorv1.CancelResponse_CouldNotAsk{CouldNotAsk: couldNotAsk(err)}}, nil
}

// Cleanup asks the Cleaner.
func (s *Server) Cleanup(ctx context.Context, r *operatorv1.CleanupRequest) (*operatorv1.CleanupResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Cleanup", "key", r.GetKey())
	if err != nil {
		return &operatorv1.CleanupResponse{CouldNotAsk: couldNotAsk(err)}, nil
	}
	if c.session.cleanup == nil {
		return nil, absent(capCleanup)
	}
	var what What
	switch r.GetWhat() {
	case operatorv1.CleanupRequest_WHAT_LEFTOVERS:
		what = Leftovers
	case operatorv1.CleanupRequest_WHAT_RECORD:
		what = Record
	default:
		// Guessing could remove the record, which is the proof that a run existed.
		return &operatorv1.CleanupResponse{Diagnostics: diagnosticsOf(System(errors.New("the host did not say what to clean up")))}, nil
	}
	ctx, cancel := serve.Bounded(ctx, cleanupTimeout)
	defer cancel()
	err = s.scopes.check(ctx, c, 0)
	var h Handle
	if err == nil {
		h, err = s.handle(r.GetHandle(), r.GetKey(), r.GetTarget())
	}
	if err == nil {
		err = guard(ctx, "Cleanup", func() error { return c.session.cleanup(ctx, h, what) })
	}
	switch {
	case err == nil:
		return &operatorv1.CleanupResponse{}, nil
	case askOf(err) != nil || isContext(err):
		return &operatorv1.CleanupResponse{CouldNotAsk: couldNotAsk(err)}, nil
	}
	return &operatorv1.CleanupResponse{Diagnostics: diagnosticsOf(err)}, nil
}
