// Package job runs a step as a Kubernetes Job. It is the flavor `kubernetes`, but
// for its manifest, and what another flavor builds on that runs something in a Job
// of its own: the promises about Jobs are kept in one place.
//
// Invariants:
//
//   - the Job is made with one call and its name comes from the key; whoever
//     submits the key again gets that Job;
//   - a Job that needs a Secret or a Service is made suspended and marked
//     incomplete; both are owned by its UID, and go with it;
//   - a secret value stands in the Secret and nowhere else;
//   - Plan and Submit share one function (build), so a plan is what is sent;
//   - native restarts are off, and what Kubernetes starts again nevertheless is
//     counted;
//   - the Job stays until Cleanup of the record, or its TTL, which is never below
//     `keeps`: a Job is ended by its deadline, not by deleting it, because it is
//     the proof of how the run ended;
//   - a missing Job is LOST only when its namespace still answers.
package job
