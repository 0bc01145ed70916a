package cloudfake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// drainMost is how long the output of a process may stay open behind its end:
	// its group was killed, so only one that left the group can hold it.
	drainMost = time.Second
	// notFound is the exit code of a command that cannot be started, as shells and
	// container runtimes have it.
	notFound = 127
)

// Command is what a job runs.
type Command struct {
	Argv []string
	// Env is all that the process gets, but for a PATH when there is none.
	Env map[string]string
	// Dir is the working directory, inside of Root if there is one; "" = a
	// directory of the process's own.
	Dir string
	// Root is an unpacked image to run in; see CanChroot.
	Root string
	// MaxLine cuts lines that are longer; 0 = 256 KiB.
	MaxLine int
}

// Exit says how a process ended.
type Exit struct {
	// Code is -1 when a signal ended it; 127 when it could not be started.
	Code int
	// Signal is for example "SIGKILL", or "".
	Signal string
	At     time.Time
}

// Runner starts processes. All are ended by Close; they also end with this
// process, where the system can do that.
type Runner struct {
	mu     sync.Mutex
	closed bool
	live   map[*Process]struct{}
}

// Process is one command. Its directory holds work, stdout, stderr, and log:
// both streams in the order in which they were read.
type Process struct {
	Started time.Time

	dir    string
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
	exit   Exit // set before done is closed
	ends   sync.Once
}

// Start starts a command; dir is made. A command that cannot be started gives a
// Process that is over with code 127, as in a container.
func (r *Runner) Start(dir string, c Command) (*Process, error) {
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	out, err := newOutput(dir, c.MaxLine)
	if err != nil {
		return nil, err
	}
	p := &Process{dir: dir, output: out, done: make(chan struct{}), Started: time.Now()}
	p.cmd, err = c.build(work)
	var pipes []*os.File
	if err == nil {
		pipes, err = out.pipes(p.cmd)
	}
	if err == nil {
		err = r.begin(p)
	}
	for _, f := range pipes {
		f.Close() // the child has its own copies
	}
	if err != nil {
		if errors.Is(err, errClosed) {
			out.close()
			return nil, err
		}
		out.write("stderr", fmt.Appendf(nil, "%v\n", err))
		out.close()
		p.exit = Exit{Code: notFound, At: time.Now()}
		close(p.done)
		return p, nil
	}
	go r.attend(p)
	return p, nil
}

// StartTied starts cmd as the leader of a process group of its own; it ends when
// this process is killed, where the system can do that. It is for fakes whose
// processes end in another way than those of a Runner.
func StartTied(cmd *exec.Cmd) error {
	ownGroup(cmd, "")
	return startTied(cmd)
}

var errClosed = errors.New("the runner is closed")

func (r *Runner) begin(p *Process) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	if err := startTied(p.cmd); err != nil {
		return err
	}
	if r.live == nil {
		r.live = map[*Process]struct{}{}
	}
	r.live[p] = struct{}{}
	return nil
}

// attend waits for the end of p.
func (r *Runner) attend(p *Process) {
	// Its own Wait, not the one of the pipes: a grandchild that keeps them open
	// must not hide the end of the step.
	_ = p.cmd.Wait()
	killGroup(p.cmd) // what the step left behind
	p.output.drain(drainMost)
	p.exit = exitOf(p.cmd.ProcessState)
	r.mu.Lock()
	delete(r.live, p)
	r.mu.Unlock()
	close(p.done)
}

// Close ends everything that runs, and waits for it.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.closed = true
	live := slices.Collect(maps.Keys(r.live))
	r.mu.Unlock()
	for _, p := range live {
		p.Kill()
	}
	for _, p := range live {
		<-p.done
	}
	return nil
}

// PID of the process, 0 when it was not started.
func (p *Process) PID() int {
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Done is closed when no process of the command's group is left.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how it ended. Call it behind Done.
func (p *Process) Exit() Exit { return p.exit }

// End asks the process group to end with SIGTERM, and kills it after grace. It
// returns at once.
func (p *Process) End(grace time.Duration) {
	p.ends.Do(func() {
		select {
		case <-p.done:
			return
		default:
		}
		termGroup(p.cmd)
		go func() {
			timer := time.NewTimer(grace)
			defer timer.Stop()
			select {
			case <-p.done:
			case <-timer.C:
				p.Kill()
			}
		}()
	})
}

// Kill kills the process group.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		killGroup(p.cmd)
	}
}

// Wait waits for the end.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

// build makes the command. A name without a slash is looked for in the PATH of
// the command, inside of its root.
func (c Command) build(work string) (*exec.Cmd, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("there is no command")
	}
	env := maps.Clone(c.Env)
	if env == nil {
		env = map[string]string{}
	}
	if _, ok := env["PATH"]; !ok {
		env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	path, err := c.look(env["PATH"])
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: c.Argv, Dir: c.Dir}
	switch {
	case c.Dir != "":
	case c.Root != "":
		cmd.Dir = "/"
	default:
		cmd.Dir = work
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	ownGroup(cmd, c.Root)
	return cmd, nil
}

func (c Command) look(path string) (string, error) {
	name := c.Argv[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		at := filepath.Join(dir, name)
		// Links of an image may be absolute: what they point to is inside of it, so
		// only the name is looked at there.
		info, err := os.Lstat(filepath.Join(c.Root, at))
		if c.Root == "" && err == nil {
			info, err = os.Stat(at)
		}
		if err == nil && !info.IsDir() {
			return at, nil
		}
	}
	return "", fmt.Errorf("exec: %q: executable file not found in $PATH", name)
}

var _ io.Closer = (*Runner)(nil)
