package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Prepare is wrong in "prepare-once".
func (w *wrong) Prepare(q *operatorv1.PrepareRequest, stream grpc.ServerStreamingServer[operatorv1.PrepareResponse]) error {
	id := q.GetStep().GetKey()
	w.mu.Lock()
	again := w.prepared[id]
	w.prepared[id] = true
	w.mu.Unlock()
	if w.is("prepare-once") && again && w.submits(q.GetStep().GetKey()) == 0 {
		return stream.Send(&operatorv1.PrepareResponse{Diagnostics: []*operatorv1.Diagnostic{{
			Severity: operatorv1.Severity_SEVERITY_ERROR, Summary: "the bucket exists", Class: operatorv1.Class_CLASS_SYSTEM}}})
	}
	return w.Server.Prepare(&operatorv1.PrepareRequest{Target: w.target(q.GetTarget()), Step: w.step(q.GetStep())}, stream)
}

func (w *wrong) submits(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.submitted[key]
}

// enter counts a Submit and tells how many of its key are running.
func (w *wrong) enter(key string) (running int, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.submitted[key]++
	w.inFlight[key]++
	return w.inFlight[key], func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.inFlight[key]--
	}
}

// Submit is wrong in many modes.
func (w *wrong) Submit(ctx context.Context, q *operatorv1.SubmitRequest) (*operatorv1.SubmitResponse, error) {
	if q.GetStep() == nil {
		return w.Server.Submit(ctx, q)
	}
	key := q.GetStep().GetKey()
	running, leave := w.enter(key)
	defer leave()
	q = proto.Clone(q).(*operatorv1.SubmitRequest)
	q.Target, q.Step = w.target(q.Target), w.step(q.Step)
	if w.is("race") {
		// Time for the others to come in.
		time.Sleep(50 * time.Millisecond)
	}
	switch {
	case w.is("argv") && len(q.Step.Argv) > 0:
		for i, a := range q.Step.Argv {
			q.Step.Argv[i] = strings.ReplaceAll(a, "$$", "$") // as Kubernetes does
		}
	case w.is("env"):
		for name, value := range q.Step.Env {
			if strings.Contains(value, "\n") {
				q.Step.Env[name] = strings.ReplaceAll(value, "\n", " ")
			}
		}
	case w.is("secret-log"):
		for _, v := range q.Step.Secrets {
			fmt.Fprintln(os.Stderr, "submitting with", v.GetValue())
		}
	case w.is("any-body"):
		q.RequestDigest = strings.Repeat("0", 64)
	case w.is("race") && running > 1:
		w.anotherJob(ctx, q)
	case w.is("again-after-end") && w.over(ctx, q):
		w.anotherJob(ctx, q)
	case w.is("twice-after-kill") && w.exists(ctx, q) && !w.over(ctx, q) && w.submits(key) == 1:
		// Still the only one in this process: another process has made the job.
		w.anotherJob(ctx, q)
	}
	r, err := w.Server.Submit(ctx, q)
	switch {
	case w.is("never-existing") && r.GetAccepted() != nil:
		r.GetAccepted().Existing = false
	case w.is("rejects-lost") && r.GetUncertain() != nil:
		r.Outcome = &operatorv1.SubmitResponse_Rejected_{Rejected: &operatorv1.SubmitResponse_Rejected{}}
	case w.is("handle-version") && r.GetAccepted() != nil:
		r.GetAccepted().Handle.Version = wrongVersion
	}
	return r, err
}

// anotherJob makes a second job for the same key.
func (w *wrong) anotherJob(ctx context.Context, q *operatorv1.SubmitRequest) {
	other := proto.Clone(q).(*operatorv1.SubmitRequest)
	other.Step.Key = q.Step.Key[:20] + "again2"
	_, _ = w.Server.Submit(ctx, other) // the mode is no business of the caller
}

func (w *wrong) found(ctx context.Context, q *operatorv1.SubmitRequest) []*operatorv1.FindResponse_Job {
	r, err := w.Server.Find(ctx, &operatorv1.FindRequest{Target: q.Target, By: &operatorv1.FindRequest_Key{Key: q.Step.Key}})
	if err != nil {
		return nil
	}
	return r.GetJobs()
}

func (w *wrong) exists(ctx context.Context, q *operatorv1.SubmitRequest) bool {
	return len(w.found(ctx, q)) > 0
}

func (w *wrong) over(ctx context.Context, q *operatorv1.SubmitRequest) bool {
	for _, j := range w.found(ctx, q) {
		if j.GetPhase() >= operatorv1.Phase_PHASE_SUCCEEDED {
			return true
		}
	}
	return false
}

// Find is wrong in "forgetful", "finds-anything", "attempt", "token-first-only" and
// "token-per-project".
func (w *wrong) Find(ctx context.Context, q *operatorv1.FindRequest) (*operatorv1.FindResponse, error) {
	r, err := w.Server.Find(ctx, &operatorv1.FindRequest{Target: w.target(q.GetTarget()), By: q.GetBy()})
	if err != nil || r.GetCouldNotAsk() != nil {
		return r, err
	}
	absent := &operatorv1.FindResponse{Outcome: operatorv1.FindResponse_OUTCOME_ABSENT}
	switch {
	case w.is("forgetful") && q.GetKey() != "" && w.submits(q.GetKey()) == 0:
		return absent, nil // knows what it holds in memory
	case w.is("finds-anything") && len(r.GetJobs()) == 0 && q.GetKey() != "" && w.submits(q.GetKey()) == 0:
		return &operatorv1.FindResponse{Outcome: operatorv1.FindResponse_OUTCOME_FOUND, Jobs: []*operatorv1.FindResponse_Job{{Key: q.GetKey(), Handle: &operatorv1.Handle{Version: 1, Data: []byte("?")}}}}, nil
	case w.is("attempt") && q.GetKey() != "":
		for _, j := range r.GetJobs() {
			j.Attempt = 0
		}
	case w.is("token-first-only") && q.GetRunToken() != "" && len(r.GetJobs()) > 1:
		r.Jobs = r.Jobs[:1]
	case w.is("token-per-project") && q.GetRunToken() != "" && strings.Contains(q.GetTarget().GetProject(), "elsewhere"):
		return absent, nil
	case w.is("any-body"):
		for _, j := range r.GetJobs() {
			j.RequestDigest = ""
		}
	}
	return r, nil
}
