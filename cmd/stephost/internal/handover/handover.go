package handover

import (
	"os"
	"runtime"

	"github.com/stephost/stephost/internal/installed"
	"github.com/stephost/stephost/internal/version"
)

// name is the file name of the host program.
const name = "stephost-host"

// Program is where the host program lies: beside the front, or where a package manager
// puts it.
func Program() string {
	if runtime.GOOS == "windows" {
		return installed.Path(name + ".exe")
	}
	return installed.Path(name)
}

// envFront tells the host program the version of the front that it goes on for.
const envFront = "STEPHOST_FRONT"

// environ is the environment of the host program.
func environ() []string { return append(os.Environ(), envFront+"="+version.Version) }

// From is the version of the front that handed over; "" when this program was started
// itself. Nothing that it starts is told.
func From() string {
	v := os.Getenv(envFront)
	_ = os.Unsetenv(envFront)
	return v
}

// Wholly tells whether a command, by its first word, belongs to the host program with
// everything below it.
func Wholly(word string) bool {
	switch word {
	case "launch", "run", "plan", "build", "doctor":
		return true
	}
	return false
}
