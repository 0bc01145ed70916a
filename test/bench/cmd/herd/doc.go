// Command herd runs a command many times at once and prints what that took, as
// JSON: {"wall_ms", "user_ms", "system_ms", "failed"}. It is the reaper of
// everything that its children leave behind, so that the CPU time of processes
// which detach themselves is counted too. Linux only.
package main
