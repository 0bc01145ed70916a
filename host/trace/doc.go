// Package trace makes an OpenTelemetry trace of a run from its record and its
// events, when somebody asks for it. Nothing is measured while the run lives: a
// run may pass through several processes and outlive each of them, and its
// record is the one thing that saw it all. So no telemetry library is linked,
// and a launch without a receiver pays nothing.
//
// The tree: the run (created to closed); below it each attempt; below an
// attempt preparing, submitting, the phases that the backend reported (queued,
// provisioning, running, cancelling), draining and cleanup. What happened at one
// instant (a take-over, the wish to cancel, a retry, a state that needs a
// person) is an event of the run's or of the attempt's span.
//
// Invariants:
//
//   - the same record gives the same trace: IDs are computed, never drawn, so
//     that exporting twice gives a receiver the same spans again;
//   - the trace ID is the run's ULID, so that it can be told from the run ID,
//     unless a caller's own trace (Under) takes the run in;
//   - children lie within their parents and no span ends before it begins,
//     whatever the backend's clock says;
//   - no secret, value of an environment variable, or argument of the step:
//     attributes are a fixed list of the record's fields, and texts of a backend
//     pass through a filter for what the step was given (hide.go). Where the
//     filter cannot know that, texts are left out;
//   - every list and text is bounded.
//
// All functions are safe for concurrent use; only Export talks to the network.
package trace
