// Package jobdir is the state of detached jobs on disk: one directory per key
// below the state directory, and nothing in memory. Whoever opens it next
// sees the same job, in this process or in another one.
//
//	<state>/jobs/<key>/meta.json    who the job is; written once, never changed
//	<state>/jobs/<key>/runner.lock  held by the runner for as long as it lives;
//	                                holds what the runner itself prints (panics)
//	<state>/jobs/<key>/started      the point of no return, made before exec; its
//	                                second line is the process of the step
//	<state>/jobs/<key>/cancel.json  someone wants it to end
//	<state>/jobs/<key>/control      pipe that wakes the runner
//	<state>/jobs/<key>/exit.json    the verdict; written once, never changed
//	<state>/jobs/<key>/flavor-*.json  what the flavor notes besides
//	<state>/jobs/<key>/log/         what the step printed
//	<state>/jobs/<key>/output/      STEPHOST_OUTPUT_DIR
//	<state>/jobs/<key>/work/        working directory, where the host gave none
//	<state>/tokens/<hash>-<key>     finds the attempts of a run token
//
// Invariants:
//
//   - A record is complete or absent: each one appears by link, rename or
//     O_EXCL, or is a line with its newline. A reader never takes half a record
//     for a whole one.
//   - A process of the step exists only if `started` exists, on disk and not
//     in the page cache alone. So a power cut cannot make a job start twice.
//   - Only the holder of the lock writes started, exit.json and the logs.
//   - A key is checked before it becomes a part of a path.
//   - Few files: making one is the dearest act of a short launch on some file
//     systems.
package jobdir
