// Command stephost-flavor-kubernetes is the flavor `kubernetes`: it runs a step
// as a Kubernetes Job.
//
// Rooms: internal/kube asks the API server, internal/observe watches all runs of
// a namespace at once, internal/podlog reads the log of a container; this package
// makes Jobs of steps and statuses of Jobs.
//
// The binary has 28.7 MB (linux/amd64, stripped): of client-go only its REST client
// and the loader of kubeconfigs, and of the API groups core, batch and authorization;
// an empty plugin on the SDK has 16.
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
package main
