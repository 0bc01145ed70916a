// Package failpoint ends the process at a named boundary, so that tests can
// kill the host or a plugin between any two acts of a run's life.
//
// Invariants:
//
//   - without the build tag "failpoint" every call is empty and inlined;
//   - names are those of the crash walk in docs/architecture.md.
package failpoint

// EnvVar holds "NAME" or "NAME:N": the process is killed (SIGKILL, so that
// nothing is flushed or cleaned up) when NAME is hit for the N-th time.
const EnvVar = "STEPHOST_FAILPOINT"
