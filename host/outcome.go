package host

import (
	"encoding/json"
	"errors"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

// Exit codes of the CLI. A step may use these numbers too: the class of the
// result decides.
const (
	ExitFailed    = 1            // the step failed and its code is not known
	ExitTempFail  = 75           // infrastructure, after all retries (EX_TEMPFAIL of sysexits.h)
	ExitTimeout   = 124          // as timeout(1)
	ExitStephost  = problem.Exit // stephost, its input, or unknown
	ExitInterrupt = 130          // cancelled
	ExitTerm      = 143          // cancelled by SIGTERM
)

// Result is how a run ended, as the last line of JSON output and in the file of
// --result-file.
type Result struct {
	Version  int    `json:"v"`
	Type     string `json:"type"` // "result"
	Run      string `json:"run,omitempty"`
	Token    string `json:"token,omitempty"`
	Operator string `json:"operator,omitempty"`
	Flavor   string `json:"flavor,omitempty"`
	Step     string `json:"step,omitempty"`
	Attempt  int    `json:"attempt,omitempty"`
	State    string `json:"state,omitempty"`
	// Class is "succeeded", a problem.Class, or "detached".
	Class             string                     `json:"class"`
	ExitCode          *int                       `json:"exit_code,omitempty"`
	Signal            string                     `json:"signal,omitempty"`
	Phase             string                     `json:"phase,omitempty"`
	Reason            string                     `json:"reason,omitempty"`
	Message           string                     `json:"message,omitempty"`
	CancelUnconfirmed bool                       `json:"cancel_unconfirmed,omitempty"`
	Values            map[string]json.RawMessage `json:"values,omitempty"`
	Outputs           []runs.Output              `json:"outputs,omitempty"`
	URL               string                     `json:"url,omitempty"`
	Error             string                     `json:"error,omitempty"`
	Next              string                     `json:"next,omitempty"`
	// Exit is the exit code of the command that prints this.
	Exit int `json:"exit"`
}

// ResultOf is the result of a run that Wait returned with err. signal is the
// exit code of a signal that this process obeyed, 0 without one.
func ResultOf(r *runs.Run, err error, signal int) Result {
	out := Result{Version: 1, Type: "result", Class: string(problem.Unknown), Exit: ExitStephost}
	if r != nil {
		out.describe(r)
		if r.Verdict != nil {
			out.verdict(r.Verdict, signal)
		}
	}
	if err == nil {
		return out
	}
	var (
		unconfirmed *launch.UnconfirmedError
		leftovers   *launch.LeftoversError
	)
	p := problem.Of(err)
	out.Error, out.Next = p.Error(), p.Next
	switch {
	case errors.As(err, &leftovers): // the verdict stands
	case errors.As(err, &unconfirmed):
		out.Class, out.CancelUnconfirmed, out.Exit = string(problem.Cancelled), true, max(signal, ExitInterrupt)
	case r != nil && r.Verdict != nil:
	default:
		out.Exit = ExitStephost
		if p.Class != "" {
			out.Class = string(p.Class)
		}
	}
	return out
}

func (out *Result) describe(r *runs.Run) {
	out.Run, out.Token, out.Operator, out.Flavor, out.Step = r.ID, r.Token, r.Operator, r.Pin.Flavor, r.Step
	out.State, out.Attempt, out.Values = string(r.State), len(r.Attempts), r.Values
	if a := r.Current(); a != nil {
		out.URL = a.URL
	}
}

func (out *Result) verdict(v *runs.Verdict, signal int) {
	out.Class, out.ExitCode, out.Signal, out.Phase = v.Class, v.ExitCode, v.Signal, v.Phase
	out.Reason, out.Message, out.Outputs, out.CancelUnconfirmed = v.Reason, v.Message, v.Outputs, v.CancelUnconfirmed
	switch problem.Class(v.Class) {
	case runs.ClassSucceeded:
		out.Exit = 0
	case problem.User:
		out.Exit = ExitFailed
		if v.ExitCode != nil && *v.ExitCode > 0 {
			out.Exit = *v.ExitCode & 0xff
		}
		if out.Exit == 0 {
			out.Exit = ExitFailed
		}
	case problem.Capacity, problem.Preempted, problem.System, problem.Lost, problem.Auth:
		out.Exit = ExitTempFail
	case problem.Timeout:
		out.Exit = ExitTimeout
	case problem.Cancelled:
		out.Exit = max(signal, ExitInterrupt)
	default: // config, unknown
		out.Exit = ExitStephost
	}
}
