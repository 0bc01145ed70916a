package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Ran is what a process took.
type Ran struct {
	// Wall is from before the fork to the collected end.
	Wall time.Duration
	// User and System are CPU time, of the process and of the children that it
	// waited for.
	User, System time.Duration
	// Written is what both sent to disks, in bytes and whole pages; 0 where it is
	// not known.
	Written int64
	// Stderr is the end of what it said.
	Stderr string
}

// CPU is both together.
func (r Ran) CPU() time.Duration { return r.User + r.System }

// Command is a process to be measured.
type Command struct {
	Argv []string
	Env  []string
	Dir  string
	// Read, if set, reads standard output through a pipe while the process runs;
	// else that goes to the null device.
	Read func(io.Reader) error
}

// cancelGrace is what an interrupted launch gets to end its job, which is no
// child of anybody's here and would stay.
const cancelGrace = 20 * time.Second

// stderrKept bounds Stderr; a trace of all packages' initialisation fits.
const stderrKept = 64 << 10

// Run runs a process to its end. Another exit code than 0 is an error that
// shows what the process said.
func (l *Lab) Run(ctx context.Context, c Command) (Ran, error) {
	said, err := os.CreateTemp(l.Dir, "stderr")
	if err != nil {
		return Ran{}, err
	}
	defer func() {
		_ = said.Close()
		_ = os.Remove(said.Name())
	}()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stderr = c.Env, c.Dir, said
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, cancelGrace
	var out, in *os.File
	if c.Read != nil {
		if out, in, err = os.Pipe(); err != nil {
			return Ran{}, err
		}
		defer func() { _ = out.Close() }()
		cmd.Stdout = in
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		if in != nil {
			_ = in.Close()
		}
		return Ran{}, err
	}
	var readErr error
	if c.Read != nil {
		_ = in.Close()
		readErr = c.Read(out)
		_, _ = io.Copy(io.Discard, out) // or it waits for ever
	}
	err = cmd.Wait()
	r := Ran{Wall: time.Since(began), User: cmd.ProcessState.UserTime(), System: cmd.ProcessState.SystemTime(),
		Written: written(cmd.ProcessState), Stderr: tail(said)}
	switch {
	case err != nil:
		return r, fmt.Errorf("%s %q: %w\n%s", filepath.Base(c.Argv[0]), c.Argv[1:], err, r.Stderr)
	case readErr != nil:
		return r, fmt.Errorf("the output of %s %q: %w\n%s", filepath.Base(c.Argv[0]), c.Argv[1:], readErr, r.Stderr)
	}
	return r, nil
}

func tail(f *os.File) string {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	buffer := make([]byte, min(size, stderrKept))
	n, _ := f.ReadAt(buffer, size-int64(len(buffer)))
	return string(buffer[:n])
}

// Milliseconds is d as a figure.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
