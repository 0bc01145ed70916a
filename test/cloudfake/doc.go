// Package cloudfake is what the fakes of cloud services have in common: jobs
// that really run, faults that are set while the fake lives, and counters. The
// services themselves, on the wire protocol of their vendor, are in the modules
// of the plugins.
//
// A fake is a process of its own on loopback, because it must outlive the
// plugin and the host as a cloud does (Main, and Start for tests).
//
//	Runner, Process   run argv as a process group, with timed lines of its output
//	Plan, Rule        what befalls calls: throttled, 5xx, reply lost, lands late, ...
//	Life              what befalls jobs: queued, no capacity, preempted, cancel never ends, ...
//	Admin, Client     the same over HTTP, for tests, conformance hooks and torture
//
// Invariants:
//
//   - argv reaches the process unchanged, without a shell;
//   - a fault happens where the real one would: in the service or on the wire;
//   - calls are counted when they arrive, also those that a fault befalls;
//   - when a fake ends, however it ends, no process that it started goes on;
//   - nothing here is shipped.
package cloudfake
