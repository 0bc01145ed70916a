package runner

import "time"

// Spec is what to run. It reaches the runner over its standard input and holds
// secrets in Env: it is never stored.
type Spec struct {
	Argv []string
	// Env is the whole environment of the step but for CUDA_VISIBLE_DEVICES,
	// which is known only when the GPUs are taken.
	Env []string
	Dir string
	// Cores is the number of cores; 0 = all.
	Cores int64
	// Memory is the limit in bytes; 0 = none.
	Memory int64
	GPUs   int
	// Locks is the directory of the GPU locks, Devices that of the devices ("" =
	// /dev).
	Locks, Devices string
	// Limit ends the step, as a backstop of the host's own timer; 0 = none.
	Limit time.Duration
}

// Outcome is what a runner says about itself at its start.
type Outcome string

const (
	// Started: it has made the point of no return and starts the step.
	Started Outcome = "started"
	// Adopted: the step was started before, and it now looks after it.
	Adopted Outcome = "adopted"
	// Busy: another runner holds the job.
	Busy Outcome = "busy"
	// Over: there is a verdict, maybe one that it has just written.
	Over Outcome = "over"
	// Foreign: the job runs in another pid namespace of this machine, where
	// this one can see nothing.
	Foreign Outcome = "foreign"
	// Idle: nothing was started, and it was given nothing to start.
	Idle Outcome = "idle"
	// Broken: it could not begin; nothing was started. Error says why.
	Broken Outcome = "broken"
)

// Report is the one line that a runner writes to its standard output.
type Report struct {
	Outcome Outcome `json:"outcome"`
	Error   string  `json:"error,omitempty"`
}

// Limits of time.
const (
	// leftoverGrace is what processes get that the step left behind when it
	// ended by itself: enough to flush, short because nobody waits for them.
	leftoverGrace = 2 * time.Second
	// timeoutGrace is what the step gets at its run limit: the same as the
	// host's usual grace of a cancel.
	timeoutGrace = 10 * time.Second
	// killAgain is the pause between two rounds of SIGKILL, growing to
	// killAgainMost: a round misses what is forked meanwhile, and a process in
	// an uninterruptible wait dies later.
	killAgain     = 20 * time.Millisecond
	killAgainMost = 5 * time.Second
	// adoptedPoll is how often an adopted step is looked at. It is not a child,
	// so nothing wakes the runner; the case is rare.
	adoptedPoll = 100 * time.Millisecond
	// freshLimit is how long a child may take from fork to exec on a machine
	// under load.
	freshLimit = 2 * time.Second
	// drainLimit bounds the wait for the end of the output once no process of
	// the step is left: only a stranger can still hold the pipe.
	drainLimit = 5 * time.Second
	// verdictPatience bounds how long a verdict is kept in memory when the disk
	// is full.
	verdictPatience = time.Hour
	// timesEvery is the resolution of the times of log bytes.
	timesEvery = 20 * time.Millisecond
)
