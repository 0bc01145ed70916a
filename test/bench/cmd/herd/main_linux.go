package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

type result struct {
	WallMS   float64 `json:"wall_ms"` // until the last of the commands has ended
	UserMS   float64 `json:"user_ms"`
	SystemMS float64 `json:"system_ms"`
	Failed   int     `json:"failed"` // commands with another exit code than 0
}

func main() {
	n := flag.Int("n", 1, "how many at once")
	flag.Parse()
	res, err := run(*n, flag.Args())
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(res)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "herd:", err)
		os.Exit(1)
	}
}

func run(n int, argv []string) (*result, error) {
	if len(argv) == 0 {
		return nil, errors.New("no command")
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	members := map[int]bool{}
	for range n {
		// Not os/exec: its Wait and the loop below would take each other's
		// children.
		p, err := os.StartProcess(path, argv, &os.ProcAttr{Files: []*os.File{null, null, os.Stderr}})
		if err != nil {
			return nil, err
		}
		members[p.Pid] = true
	}
	res := &result{}
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, &status, 0, &usage)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return res, nil
		case err != nil:
			return nil, err
		}
		res.UserMS += float64(usage.Utime.Nano()) / 1e6
		res.SystemMS += float64(usage.Stime.Nano()) / 1e6
		if !members[pid] {
			continue
		}
		res.WallMS = float64(time.Since(began)) / 1e6
		if status.ExitStatus() != 0 {
			res.Failed++
		}
	}
}
