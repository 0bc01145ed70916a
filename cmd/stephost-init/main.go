//go:build linux

// Command stephost-init is the shim: the first element of argv in every image
// that stephost builds, and process 1 of its containers.
//
//	/.stephost/init COMMAND [ARG...]
//
// Invariants:
//
//   - the command gets its arguments as they are: no shell, no expansion;
//   - every signal that can be caught is passed on, and every process that is
//     left to process 1 is reaped;
//   - it ends when the command ends, with its exit code, or 128 + n for signal
//     n; its own failures are 125, 126 and 127 as in a shell, and say why;
//   - it writes nothing but its own errors, and no value of a variable.
//
// Package shim says by which variables it is told what to do.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/internal/shim"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(argv []string) int {
	control := os.Getenv
	env, err := stepEnvironment(os.Environ())
	if err == nil {
		// Parts may hold control variables too: read them from there first.
		control = env.control
		argv, err = argvOf(argv, control)
	}
	if err == nil {
		err = env.complete(os.ReadFile)
	}
	if err != nil {
		return ended(control, shim.ExitShim, "", "stephost: the step was not started: "+err.Error())
	}
	path, code, err := find(argv[0], env.get("PATH"))
	if err != nil {
		return ended(control, code, "", "stephost: the step was not started: "+err.Error())
	}
	status, err := supervise(path, argv, env.list())
	if err != nil {
		code := shim.ExitShim
		if errors.Is(err, syscall.ENOEXEC) || errors.Is(err, syscall.EACCES) {
			code = shim.ExitNotExecutable
		}
		return ended(control, code, "", fmt.Sprintf("stephost: the step was not started: %s: %v", argv[0], err))
	}
	if status.Signaled() {
		return ended(control, shim.ExitSignal+int(status.Signal()), unix.SignalName(status.Signal()), "")
	}
	return ended(control, status.ExitStatus(), "", "")
}

// argvOf is the command: the arguments, or what the environment carries.
func argvOf(argv []string, control func(string) string) ([]string, error) {
	if text := control(shim.Argv); len(argv) == 0 && text != "" {
		if err := json.Unmarshal([]byte(text), &argv); err != nil {
			return nil, fmt.Errorf("%s holds no list of arguments", shim.Argv)
		}
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("no command was given")
	}
	return argv, nil
}

// supervise runs the command until it ends.
func supervise(path string, argv, env []string) (syscall.WaitStatus, error) {
	// Where a backend puts a process of its own in front, orphans come here
	// only if asked for.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // before the start: none is lost
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		return 0, err
	}
	go forward(signals, pid)
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, err // cannot be: the command is a child that was not reaped
		case got == pid && (status.Exited() || status.Signaled()):
			return status, nil
		}
	}
}

// forward passes signals on to the command alone: it may have children of its
// own that it wants to end in its own way.
func forward(signals <-chan os.Signal, pid int) {
	for s := range signals {
		switch s {
		case syscall.SIGCHLD, syscall.SIGURG: // SIGURG is the Go runtime's own
		default:
			_ = syscall.Kill(pid, s.(syscall.Signal))
		}
	}
}

// ended leaves the verdict where the backend reads it. A file that cannot be
// written changes nothing about the exit code.
func ended(control func(string) string, code int, sig, why string) int {
	if why != "" {
		fmt.Fprintln(os.Stderr, why)
	}
	text := []byte(shim.ExitText(code, sig, why))
	for name, write := range map[string]bool{shim.ExitFile: true, shim.FailureFile: code != 0} {
		if file := control(name); file != "" && write {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				fmt.Fprintln(os.Stderr, "stephost: the exit code could not be left:", err)
			}
		}
	}
	return code
}
