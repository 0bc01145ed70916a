// Package failpoint ends the process at a named boundary, so that tests can
// kill the host or a plugin between any two acts of a run's life.
//
// Invariants:
//
//   - without the build tag "failpoint" every call is empty and inlined;
//   - names are those of the crash walk in docs/architecture.md: "host-..." in
//     the host, "plugin-<call>" and "plugin-<call>-done" around each call in the
//     plugin; a plugin names its own where a call of it is more than one act.
package failpoint

const (
	// EnvVar holds "NAME" or "NAME:N": the process is killed (SIGKILL, so that
	// nothing is flushed or cleaned up) when NAME is hit for the N-th time.
	EnvVar = "STEPHOST_FAILPOINT"
	// OnceVar, if set, names a file that is made by who dies: later processes
	// with the same environment live on.
	OnceVar = "STEPHOST_FAILPOINT_ONCE"
)
