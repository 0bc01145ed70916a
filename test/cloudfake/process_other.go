//go:build !unix

package cloudfake

import (
	"os"
	"os/exec"
	"time"
)

// CanChroot tells whether commands can run in an unpacked image.
func CanChroot() bool { return false }

func ownGroup(*exec.Cmd, string) {}

func termGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func startTied(cmd *exec.Cmd) error { return cmd.Start() }

func exitOf(s *os.ProcessState) Exit { return Exit{Code: s.ExitCode(), At: time.Now()} }
