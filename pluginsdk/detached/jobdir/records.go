package jobdir

import "time"

// Format is the version of the files of a job. A reader refuses a newer one.
const Format = 1

// Meta says who a job is. It holds no secrets and never changes.
type Meta struct {
	Format        int       `json:"format"`
	Key           string    `json:"key"`
	RunToken      string    `json:"run_token"`
	RunID         string    `json:"run_id"`
	Attempt       int32     `json:"attempt"`
	RequestDigest string    `json:"request_digest"`
	Name          string    `json:"name"`
	CreatedAt     time.Time `json:"created_at"`
}

// Place says where a process lives: its number means something only within
// one boot and one pid namespace.
type Place struct {
	Boot      string `json:"boot"`
	Namespace string `json:"pid_namespace"`
}

// Started is the point of no return: a process of the step may exist.
type Started struct {
	Place
	At time.Time `json:"at"`
}

// Child is the step's own process, which leads its own session and group.
type Child struct {
	PID int `json:"pid"`
	// Ticks is the start time of the process since boot, in the kernel's own
	// units: with it a pid names one process and no later one.
	Ticks     uint64    `json:"start_ticks"`
	StartedAt time.Time `json:"started_at"`
	// Deadline is when the run limit ends; zero = no limit.
	Deadline time.Time `json:"deadline,omitzero"`
	// Cgroup is the leaf that holds the step, or "".
	Cgroup string `json:"cgroup,omitempty"`
}

// Cancel says that someone wants the job to end.
type Cancel struct {
	At    time.Time     `json:"at"`
	Grace time.Duration `json:"grace_ns"`
	// Force: no polite request first.
	Force bool `json:"force"`
}

// Phases of a verdict, in the contract's words.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	Cancelled = "cancelled"
	Lost      = "lost"
)

// Classes of a verdict, in the contract's words; "" with Succeeded.
const (
	ClassUser      = "user"
	ClassConfig    = "config"
	ClassCapacity  = "capacity"
	ClassSystem    = "system"
	ClassTimeout   = "timeout"
	ClassCancelled = "cancelled"
	ClassLost      = "lost"
)

// Exit is the verdict about a job. It is written once and never changes.
type Exit struct {
	Phase string `json:"phase"`
	Class string `json:"class,omitempty"`
	// Code is the exit code, 128 + n for a process that signal n ended; nil
	// where it is not known.
	Code      *int      `json:"exit_code,omitempty"`
	Signal    string    `json:"signal,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Message   string    `json:"message,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at"`
	// LogHole says why log bytes may be missing at the end, or "".
	LogHole string `json:"log_hole,omitempty"`
	// Left counts processes of the step that could not be ended.
	Left int `json:"left,omitempty"`
}
