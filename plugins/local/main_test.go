//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stephost/stephost/pluginsdk/detached"
)

// stepMode makes the test binary a step.
const stepMode = "LOCAL_TEST_STEP"

// TestMain: the test binary is the plugin, its runner, and the steps.
func TestMain(m *testing.M) {
	if code, is := detached.RunnerMain(os.Args); is {
		os.Exit(code)
	}
	if mode := os.Getenv(stepMode); mode != "" {
		os.Exit(step(mode, os.Args[1:]))
	}
	code := m.Run()
	// A goroutine waits for each runner; one that was built with the race
	// detector takes a second to end.
	var leaks error
	for end := time.Now().Add(hang); code == 0 && time.Now().Before(end); {
		if leaks = goleak.Find(); leaks == nil {
			break
		}
	}
	if leaks != nil {
		fmt.Fprintln(os.Stderr, leaks)
		code = 1
	}
	os.Exit(code)
}

// told is what the step `tell` prints about itself.
type told struct {
	Argv []string
	Env  []string
	Dir  string
	CPUs string
}

func step(mode string, args []string) int {
	switch mode {
	case "tell":
		dir, _ := os.Getwd()
		_ = json.NewEncoder(os.Stdout).Encode(told{Argv: os.Args, Env: os.Environ(), Dir: dir})
	case "witness":
		// One line per process that was ever started for the key.
		f, err := os.OpenFile(os.Getenv("WITNESS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 1
		}
		fmt.Fprintf(f, "%s %d\n", os.Getenv("STEPHOST_KEY"), os.Getpid())
		f.Close()
	case "lines":
		n, _ := strconv.Atoi(args[0])
		out := bufio.NewWriterSize(os.Stdout, 64<<10)
		for i := range n {
			fmt.Fprintf(out, "%0199d\n", i)
		}
		out.Flush()
	case "slow":
		// Whole lines at a slow pace until a file says stop.
		for i := 0; ; i++ {
			fmt.Printf("%08d\n", i)
			fmt.Fprintf(os.Stderr, "%08d\n", i)
			if _, err := os.Stat(args[0]); err == nil {
				return 7
			}
			time.Sleep(time.Millisecond)
		}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "polite", "obedient":
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, syscall.SIGTERM)
		fmt.Println("ready")
		<-caught
		fmt.Println("saved")
		if mode == "obedient" {
			return 0
		}
		return 3
	case "daemon":
		// A process in a session of its own, with an environment of its own, whose
		// parent goes away: what a daemon does.
		cmd := exec.Command(os.Args[0], "grandchild", args[0])
		cmd.Env = []string{stepMode + "=fork"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Run(); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("ready")
		if len(args) > 1 {
			time.Sleep(time.Hour)
		}
	case "fork":
		cmd := exec.Command(os.Args[0], os.Args[2])
		cmd.Env = []string{stepMode + "=linger"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return 1
		}
		// The file appears before this one ends, so the test knows the daemon.
		_ = os.WriteFile(os.Args[2]+".new", []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
		_ = os.Rename(os.Args[2]+".new", os.Args[2])
	case "submitter":
		return submitter()
	case "linger":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	}
	return 0
}
