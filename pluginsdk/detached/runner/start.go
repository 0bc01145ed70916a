package runner

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Argument is the first argument that makes the plugin's binary a runner; the
// second one is the job's directory.
const Argument = "runner"

// name is what process lists show.
const name = "stephost-runner"

// Start starts a runner for the job, apart from this process, and returns what
// it says about itself. spec nil = look after a job that was started before,
// or was cancelled before it started. A runner that ends without a word gives
// an error: then nothing is known, and starting another one is safe.
//
// ended, if any, is called once when the runner has written the verdict of a
// step that it started, or is gone: whoever waits for that need not look by the
// clock. It may come before Start returns.
//
// The context bounds the wait; the runner goes on without it.
func Start(ctx context.Context, j jobdir.Job, spec *Spec, ended func()) (Report, error) {
	path := "/proc/self/exe" // this very file, even when it was replaced or removed
	if runtime.GOOS != "linux" {
		var err error
		if path, err = os.Executable(); err != nil {
			return Report{}, err
		}
	}
	stderr, err := os.OpenFile(j.Lock(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Report{}, err
	}
	defer stderr.Close()
	answer, reply, err := os.Pipe()
	if err != nil {
		return Report{}, err
	}
	cmd := &exec.Cmd{
		Path: path, Args: []string{name, Argument, j.Dir}, Dir: "/",
		// Nothing of the plugin's environment: it may hold credentials, and the
		// runner needs none of it.
		Env:    []string{"LANG=C"},
		Stdout: reply, Stderr: stderr, SysProcAttr: apart(),
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		answer.Close()
		reply.Close()
		return Report{}, err
	}
	err = cmd.Start()
	reply.Close()
	if err != nil {
		answer.Close()
		return Report{}, fmt.Errorf("starting the runner: %w", err)
	}
	// It must be waited for, else it stays as a zombie; it outlives this call.
	go func() { _ = cmd.Wait() }()

	if spec != nil {
		// A runner that needs no spec is gone by now; that is no error.
		_ = json.NewEncoder(stdin).Encode(spec)
	}
	_ = stdin.Close()
	report, err := readReport(ctx, answer)
	go func() {
		defer answer.Close()
		if err == nil && report.Outcome == Started && ended != nil {
			_, _ = io.Copy(io.Discard, answer)
			ended()
		}
	}()
	return report, err
}

// readReport reads the one line that a runner says; the pipe stays open.
func readReport(ctx context.Context, answer *os.File) (Report, error) {
	stop := context.AfterFunc(ctx, func() { _ = answer.SetReadDeadline(time.Now()) })
	defer stop()
	const most = 64 << 10
	line, err := bufio.NewReader(io.LimitReader(answer, most)).ReadBytes('\n')
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Report{}, fmt.Errorf("waiting for the runner: %w", context.Cause(ctx))
	case err != nil && !errors.Is(err, io.EOF):
		return Report{}, fmt.Errorf("waiting for the runner: %w", err)
	}
	var r Report
	if err := json.Unmarshal(line, &r); err != nil {
		return Report{}, errors.New("the runner ended without a word; what it printed is in runner.lock in the job's directory")
	}
	return r, nil
}
