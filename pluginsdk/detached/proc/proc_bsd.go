//go:build unix && !linux

package proc

import "golang.org/x/sys/unix"

// Boot is not known here.
func Boot() string { return "" }

// Namespace is not known here.
func Namespace() string { return "" }

// Ticks is 1 for a process that exists and 0 else: start times are not known.
func Ticks(pid int) uint64 {
	if err := unix.Kill(pid, 0); err == nil || err == unix.EPERM {
		return 1
	}
	return 0
}

// Members is the step's own process while its group lives.
func Members(t Target) []int {
	if t.PID > 1 && unix.Kill(-t.PID, 0) == nil {
		return []int{t.PID}
	}
	return nil
}

// Signal sends sig to the step's process group.
func Signal(t Target, sig unix.Signal) int {
	members := Members(t)
	if len(members) > 0 {
		_ = unix.Kill(-t.PID, sig)
	}
	return len(members)
}

// Subreaper does nothing here: a process that leaves the step's group is not
// found again.
func Subreaper() error { return nil }

// Reaps tells whether Subreaper works here.
const Reaps = false
