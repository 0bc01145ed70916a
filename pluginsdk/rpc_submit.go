package pluginsdk

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Limits of submitting.
const (
	// submitTimeout is the contract's bound for Submit.
	submitTimeout = 60 * time.Second
	// submitSlack is how long Submit waits for author code that does not look at
	// its context, before it answers UNCERTAIN.
	submitSlack = time.Second
	// maxHandle and maxPrepared are the contract's limits.
	maxHandle   = 16 << 10
	maxPrepared = 1 << 20
)

// Prepare asks the Preparer.
func (s *Server) Prepare(r *operatorv1.PrepareRequest, stream grpc.ServerStreamingServer[operatorv1.PrepareResponse]) error {
	ctx, c, err := s.begin(stream.Context(), r.GetTarget(), "Prepare", "run", r.GetStep().GetRunId())
	if err != nil {
		return stream.Send(&operatorv1.PrepareResponse{Diagnostics: diagnosticsOf(err)})
	}
	if c.session.prepare == nil {
		return absent(capPrepare)
	}
	step := stepOf(r.GetStep(), r.GetTarget())
	var mu sync.Mutex
	over := false
	progress := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if !over && ctx.Err() == nil {
			_ = stream.Send(&operatorv1.PrepareResponse{Progress: bound(line, maxMessage)})
		}
	}
	err = s.scopes.check(ctx, c, scopeAge)
	var done Prepared
	if err == nil {
		err = guard(ctx, "Prepare", func() (err error) { done, err = c.session.prepare(ctx, step, progress); return err })
	}
	if err == nil && len(done.Data) > maxPrepared {
		err = System(fmt.Errorf("Prepare returned %d bytes, more than %d", len(done.Data), maxPrepared))
	}
	last := &operatorv1.PrepareResponse{Diagnostics: warningsOf(step)}
	switch {
	case err == nil:
		last.Done = &operatorv1.PrepareResponse_Done{Prepared: done.Data, Resources: done.Resources}
	case askOf(err) != nil || isContext(err):
		last.CouldNotAsk = couldNotAsk(err)
	default:
		last.Diagnostics = append(last.Diagnostics, diagnosticsOf(err)...)
	}
	mu.Lock()
	defer mu.Unlock()
	over = true // progress may come late, from a goroutine of the author
	return stream.Send(last)
}

// Submit makes the one creating call. Crash cases: the host dies while the call
// is on the wire (the context stays alive, the backend's answer is lost with the
// host, and Find brings it back); the author's code hangs or panics (UNCERTAIN,
// because the backend may have accepted).
func (s *Server) Submit(ctx context.Context, r *operatorv1.SubmitRequest) (*operatorv1.SubmitResponse, error) {
	step := stepOf(r.GetStep(), r.GetTarget())
	if step == nil || step.Key == "" || len(step.Argv) == 0 {
		return nothingSent(System(fmt.Errorf("the host sent a Submit without step, key or argv"))), nil
	}
	// A host that goes away must not end a creating call half way.
	ctx, cancel := serve.Bounded(context.WithoutCancel(ctx), submitTimeout)
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Submit", "run", step.RunID, "key", step.Key)
	if err != nil {
		cancel()
		return nothingSent(err), nil
	}
	step.Prepared, step.RequestDigest = r.GetPrepared(), r.GetRequestDigest()
	answer := make(chan *operatorv1.SubmitResponse, 1)
	go func() {
		defer cancel()
		answer <- s.submit(ctx, c, step)
	}()
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
	}
	slack := time.NewTimer(submitSlack)
	defer slack.Stop()
	select {
	case a := <-answer:
		return a, nil
	case <-slack.C:
		return uncertain(Unreachable(fmt.Errorf("Submit did not return within %s", submitTimeout))), nil
	}
}

func (s *Server) submit(ctx context.Context, c *call, step *Step) *operatorv1.SubmitResponse {
	if err := s.scopes.check(ctx, c, scopeAge); err != nil {
		return nothingSent(err)
	}
	var h Handle
	err := guard(ctx, "Submit", func() (err error) { h, err = c.session.submit(ctx, step); return err })
	if err == nil && len(h.Data) > maxHandle {
		err = System(fmt.Errorf("the handle has %d bytes, more than %d", len(h.Data), maxHandle))
	}
	if err != nil {
		a := uncertain(err)
		if isRejected(err) {
			a = nothingSent(err)
		}
		a.Diagnostics = append(a.Diagnostics, warningsOf(step)...)
		return a
	}
	return &operatorv1.SubmitResponse{
		Outcome: &operatorv1.SubmitResponse_Accepted_{Accepted: &operatorv1.SubmitResponse_Accepted{
			Handle: h.proto(), Existing: h.Existing, Url: h.URL, NativeName: h.NativeName,
		}},
		Diagnostics: warningsOf(step),
	}
}

// nothingSent is the answer where the backend certainly holds nothing: it is
// asked again when only the asking failed, and the attempt is over otherwise.
func nothingSent(err error) *operatorv1.SubmitResponse {
	a := &operatorv1.SubmitResponse{Diagnostics: diagnosticsOf(err)}
	if askOf(err) != nil {
		a.Outcome = &operatorv1.SubmitResponse_NotSent_{NotSent: &operatorv1.SubmitResponse_NotSent{CouldNotAsk: couldNotAsk(err)}}
		return a
	}
	a.Outcome = &operatorv1.SubmitResponse_Rejected_{Rejected: &operatorv1.SubmitResponse_Rejected{}}
	return a
}

func uncertain(err error) *operatorv1.SubmitResponse {
	return &operatorv1.SubmitResponse{
		Outcome:     &operatorv1.SubmitResponse_Uncertain_{Uncertain: &operatorv1.SubmitResponse_Uncertain{}},
		Diagnostics: diagnosticsOf(err),
	}
}

func (h Handle) proto() *operatorv1.Handle {
	return &operatorv1.Handle{Version: max(h.Version, 1), Data: h.Data}
}

// Find asks the Finder, in the live scope only: another cluster's ABSENT would
// let the host submit twice.
func (s *Server) Find(ctx context.Context, r *operatorv1.FindRequest) (*operatorv1.FindResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Find", "key", r.GetKey(), "token", r.GetRunToken())
	if err != nil {
		return &operatorv1.FindResponse{CouldNotAsk: couldNotAsk(err)}, nil
	}
	if c.session.find == nil {
		return nil, absent(capFind)
	}
	ctx, cancel := serve.Bounded(ctx, checkTimeout)
	defer cancel()
	var found Found
	err = s.scopes.check(ctx, c, 0)
	if err == nil {
		err = guard(ctx, "Find", func() (err error) {
			found, err = c.session.find(ctx, Query{Key: r.GetKey(), Token: r.GetRunToken()})
			return err
		})
	}
	if err != nil {
		return &operatorv1.FindResponse{CouldNotAsk: couldNotAsk(err)}, nil
	}
	answer := &operatorv1.FindResponse{Outcome: operatorv1.FindResponse_OUTCOME_ABSENT}
	switch {
	case len(found.Jobs) > 0:
		answer.Outcome = operatorv1.FindResponse_OUTCOME_FOUND
	case found.Undetermined:
		answer.Outcome = operatorv1.FindResponse_OUTCOME_UNDETERMINED
	}
	if found.AskAgainAfter > 0 {
		answer.AskAgainAfter = durationpb.New(found.AskAgainAfter)
	}
	for _, j := range found.Jobs {
		key := j.Handle.Key
		if key == "" {
			key = r.GetKey()
		}
		answer.Jobs = append(answer.Jobs, &operatorv1.FindResponse_Job{
			Key: key, Attempt: int32(j.Attempt), Handle: j.Handle.proto(), RequestDigest: j.RequestDigest,
			Incomplete: j.Incomplete, Phase: operatorv1.Phase(j.Phase), CreatedAt: timestampOf(j.CreatedAt),
			NativeName: j.Handle.NativeName, Url: j.Handle.URL, RunId: j.RunID,
		})
	}
	return answer, nil
}
