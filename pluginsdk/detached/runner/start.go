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

	"github.com/stephost/stephost/internal/gcstart"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Argument is the first argument that makes the plugin's binary a runner; the
// second one is the job's directory.
const Argument = "runner"

// name is what process lists show.
const name = "stephost-runner"

// noJobYet stands in the place of the job's directory for a spare runner, which
// reads it from its standard input.
const noJobYet = "-"

// errSilent is what is known about a runner that ended without a word.
var errSilent = errors.New("the runner ended without a word; what it printed is in runner.lock in the job's directory")

// Start starts a runner for the job, apart from this process, and returns what
// it says about itself. spec nil = look after a job that was started before,
// or was cancelled before it started. A runner that ends without a word gives
// an error: then nothing is known, and starting another one is safe.
//
// spare, if any, is the runner, unless it has ended meanwhile.
//
// ended, if any, is called once when the runner has written the verdict of a
// step that it started, or is gone: whoever waits for that need not look by the
// clock. It may come before Start returns.
//
// The context bounds the wait; the runner goes on without it.
func Start(ctx context.Context, j jobdir.Job, spec *Spec, spare *Spare, ended func()) (Report, error) {
	if spare != nil {
		report, err := spare.talk.begin(ctx, j.Dir, spec, ended)
		if !errors.Is(err, errSilent) {
			return report, err
		}
	}
	stderr, err := openStderr(j)
	if err != nil {
		return Report{}, err
	}
	defer stderr.Close()
	t, err := spawn(j.Dir, stderr)
	if err != nil {
		return Report{}, err
	}
	return t.begin(ctx, "", spec, ended)
}

// openStderr is where a runner's own last words go.
func openStderr(j jobdir.Job) (*os.File, error) {
	return os.OpenFile(j.Lock(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// talk is this process's side of a runner: its input and its one answer.
type talk struct {
	stdin  io.WriteCloser
	answer *os.File
}

// spawn starts the process. stderr may be nil.
func spawn(dir string, stderr *os.File) (*talk, error) {
	path := "/proc/self/exe" // this very file, even when it was replaced or removed
	if runtime.GOOS != "linux" {
		var err error
		if path, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	answer, reply, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	cmd := &exec.Cmd{
		Path: path, Args: []string{name, Argument, dir}, Dir: "/",
		// Nothing of the plugin's environment: it may hold credentials, and the
		// runner needs none of it.
		Env:    []string{"LANG=C", gcstart.Environ()},
		Stdout: reply, SysProcAttr: apart(),
	}
	if stderr != nil {
		cmd.Stderr = stderr
	}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		answer.Close()
		return nil, fmt.Errorf("starting the runner: %w", err)
	}
	// It must be waited for, else it stays as a zombie; it outlives this call.
	go func() { _ = cmd.Wait() }()
	return &talk{stdin: stdin, answer: answer}, nil
}

// begin gives the runner its work and reads its answer. dir is "" where the
// arguments have it.
func (t *talk) begin(ctx context.Context, dir string, spec *Spec, ended func()) (Report, error) {
	// A runner that is gone, or needs no spec, reads nothing; that is no error.
	in := json.NewEncoder(t.stdin)
	if dir != "" {
		_ = in.Encode(dir)
	}
	if spec != nil {
		_ = in.Encode(spec)
	}
	_ = t.stdin.Close()
	report, err := readReport(ctx, t.answer)
	go func() {
		defer t.answer.Close()
		if err == nil && report.Outcome == Started && ended != nil {
			_, _ = io.Copy(io.Discard, t.answer)
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
		return Report{}, fmt.Errorf("noJobYet for the runner: %w", context.Cause(ctx))
	case err != nil && !errors.Is(err, io.EOF):
		return Report{}, fmt.Errorf("noJobYet for the runner: %w", err)
	}
	var r Report
	if err := json.Unmarshal(line, &r); err != nil {
		return Report{}, errSilent
	}
	return r, nil
}
