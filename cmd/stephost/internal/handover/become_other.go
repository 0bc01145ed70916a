//go:build !unix

package handover

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// Become runs the host program and ends as it ends: this system has no exec. An
// interrupt reaches both, because they share the console, and only the host program
// obeys it.
func Become() error {
	signal.Ignore(os.Interrupt)
	cmd := exec.Command(Program(), os.Args[1:]...)
	cmd.Env = environ()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &ended):
		os.Exit(ended.ExitCode())
	}
	return err
}
