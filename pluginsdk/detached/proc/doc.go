// Package proc finds and ends the processes of a step, also when the runner
// that started them is dead.
//
// Invariants:
//
//   - A pid alone never names a process: it goes with the process's start
//     time, and with the boot and pid namespace that it was seen in.
//   - Nothing is signalled that was not recognised as the step's own in the
//     same call: the recorded process, its session while it lives, its
//     descendants, and what carries the mark of the key in its environment.
//   - Below a living runner that is everything. When the runner is dead, a
//     daemon that left session, parent and environment behind cannot be told
//     from a stranger and is left alone.
//
// Linux tells all of that in /proc. On other systems only the recorded
// process and its group are known.
package proc

// Mark is the environment variable that marks each process of a step with the
// idempotency key of its attempt.
const Mark = "STEPHOST_KEY"

// Target says which processes belong to a step.
type Target struct {
	// Key is the value of Mark.
	Key string
	// PID and Ticks name the step's own process; PID 0 = not known.
	PID   int
	Ticks uint64
	// Root is a process whose descendants all belong to the step, but not
	// itself: the runner that is a subreaper. 0 = none.
	Root int
}
