// Command stephost-flavor-local is the flavor `local`: it runs a step as a
// process on this machine.
//
// The step belongs to a runner, which is this binary in a session of its own
// (package pluginsdk/detached/runner). So it outlives plugin and host, and both find it
// again by its key or its run token in the state directory (package
// pluginsdk/detached/jobdir), also from an empty STEPHOST_HOME. It does not outlive the
// machine or the container, nor a CI system that ends every process of a job.
//
// Invariants:
//
//   - Submit is idempotent on the key: any number of calls give one process.
//   - Plan and Submit share one function (build), so a plan is what runs.
//   - Nothing is held in this process that another one would need.
//   - A resource that cannot be given is refused by Validate, before a launch.
package main
