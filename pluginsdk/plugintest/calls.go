package plugintest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// maxWord bounds one word of a plugin in a message.
const maxWord = 300

// call makes one call that is no stream, bounded by Config.CallTimeout.
func call[Q, R any](ctx context.Context, s *suite, name string, f func(context.Context, Q, ...grpc.CallOption) (R, error), q Q) (R, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	r, err := f(ctx, q)
	if err != nil {
		return r, s.transport(ctx, name, err)
	}
	s.spoken = append(s.spoken, fmt.Sprint(r))
	return r, nil
}

// transport explains a gRPC status, which is for transport only.
func (s *suite) transport(ctx context.Context, name string, err error) error {
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s was not answered in time", name)
	case status.Code(err) == codes.Unimplemented:
		return fmt.Errorf("%s answered UNIMPLEMENTED: %w", name, err)
	}
	return fmt.Errorf("%s ended with a gRPC status instead of an answer: %s", name, printable(err.Error(), maxWord))
}

func (s *suite) validate(ctx context.Context, p *process, t *operatorv1.Target, step *operatorv1.Step) ([]*operatorv1.Diagnostic, error) {
	r, err := call(ctx, s, "Validate", p.client.Validate, &operatorv1.ValidateRequest{Target: t, Step: step})
	return r.GetDiagnostics(), err
}

// onlyErrors drops warnings.
func onlyErrors(ds []*operatorv1.Diagnostic) []*operatorv1.Diagnostic {
	var out []*operatorv1.Diagnostic
	for _, d := range ds {
		if d.GetSeverity() == operatorv1.Severity_SEVERITY_ERROR {
			out = append(out, d)
		}
	}
	return out
}

// describe writes diagnostics for an error.
func describe(ds []*operatorv1.Diagnostic) string {
	if len(ds) == 0 {
		return "no diagnostics"
	}
	var words []string
	for _, d := range ds {
		text := d.GetSummary()
		if d.GetDetail() != "" {
			text += " (" + d.GetDetail() + ")"
		}
		if len(d.GetAttribute()) > 0 {
			text += " at " + strings.Join(d.GetAttribute(), ".")
		}
		words = append(words, printable(text, maxWord)+" ["+d.GetClass().String()+"]")
	}
	return strings.Join(words, "; ")
}

// describeAsk writes a CouldNotAsk for an error.
func describeAsk(c *operatorv1.CouldNotAsk) string {
	if c == nil {
		return "nothing"
	}
	return "could not ask, " + c.GetReason().String() + ": " + describe([]*operatorv1.Diagnostic{c.GetDiagnostic()})
}

// outcomeOf names the outcome of a Submit with its reasons.
func outcomeOf(r *operatorv1.SubmitResponse) string {
	name := "no outcome"
	switch {
	case r.GetAccepted() != nil:
		return fmt.Sprintf("ACCEPTED (existing = %t)", r.GetAccepted().GetExisting())
	case r.GetRejected() != nil:
		name = "REJECTED"
	case r.GetUncertain() != nil:
		name = "UNCERTAIN"
	case r.GetNotSent() != nil:
		name = "NOT_SENT (" + describeAsk(r.GetNotSent().GetCouldNotAsk()) + ")"
	}
	return name + ": " + describe(r.GetDiagnostics())
}

// findOutcome names the answer of a Find.
func findOutcome(r *operatorv1.FindResponse) string {
	if c := r.GetCouldNotAsk(); c != nil {
		return describeAsk(c)
	}
	return fmt.Sprintf("%s with %d jobs", strings.TrimPrefix(r.GetOutcome().String(), "OUTCOME_"), len(r.GetJobs()))
}

// terminalText names a verdict.
func terminalText(t *operatorv1.Terminal) string {
	text := strings.TrimPrefix(t.GetPhase().String(), "PHASE_") + ", " + t.GetClass().String()
	if t.ExitCode != nil {
		text += fmt.Sprintf(", exit code %d", t.GetExitCode())
	}
	for _, word := range []string{t.GetSignal(), t.GetReason(), t.GetMessage()} {
		if word != "" {
			text += ", " + printable(word, maxWord)
		}
	}
	return text
}
