package gcstart

import (
	"os"
	"runtime/debug"
	"time"
)

const (
	// Name is Go's variable for how much its heap may grow between collections, in
	// percent of what is in use.
	Name  = "GOGC"
	value = "400"
	// usual is Go's own value, and settle when a process goes back to it: long after
	// it has answered for the first time.
	usual  = 100
	settle = time.Second
)

// Environ is the variable for a process that is to be started. One that does not call
// Settle grows to five times what it uses instead of twice.
func Environ() string { return Name + "=" + value }

// Settle hides the variable from the children of this process, and goes back to Go's own
// value when the start is over. A value that somebody else has set stays, but for the
// very same one.
func Settle() {
	if os.Getenv(Name) != value {
		return
	}
	_ = os.Unsetenv(Name)
	time.AfterFunc(settle, func() { debug.SetGCPercent(usual) })
}
