package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// busyLimit is how long a "text file busy" is retried. It comes from a fork
	// elsewhere in this process that holds the file's writing descriptor until
	// its exec, a matter of milliseconds.
	busyLimit = time.Second
	busyPause = 2 * time.Millisecond
)

// child is an operating system process: the plugin, leading its group.
type child struct {
	proc           *os.Process
	pid            int
	started        time.Time
	stdout, stderr *os.File // our reading ends
	life           *os.File // our writing end; nil where there is no lifeline
	lifeOnce       sync.Once

	mu     sync.Mutex
	ending bool // the number may be given to another process from now on

	exited chan struct{} // closed when the process is gone and reaped
	exit   Exit          // valid then
}

// childSpec is what spawn needs.
type childSpec struct {
	exe *Executable
	env []string
	// leash makes the kernel end the plugin when this process dies, for plugins
	// that do not read the lifeline (Linux).
	leash bool
}

// spawn starts the process. What it returned is to be awaited on exited.
func spawn(ctx context.Context, s childSpec) (*child, error) {
	c := &child{exited: make(chan struct{})}
	result := make(chan error, 1)
	go c.live(ctx, s, result)
	if err := <-result; err != nil {
		return nil, err
	}
	return c, nil
}

// live is the process from start to end, in one goroutine: a leash is tied to
// the thread that forks and pulls when that thread ends.
func (c *child) live(ctx context.Context, s childSpec, result chan<- error) {
	if s.leash {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	wait, err := c.start(ctx, s)
	result <- err
	if err != nil {
		return
	}
	c.exit = wait()
	close(c.exited)
}

// start forks and executes, and returns the function that waits for the end.
func (c *child) start(ctx context.Context, s childSpec) (wait func() Exit, err error) {
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			c.closePipes()
		}
	}()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	theirs = append(theirs, null)
	// Pipes are made by hand because os/exec ties waiting for the process to
	// reading its pipes to the end, which a grandchild can put off for ever.
	pipe := func(child *os.File, ours **os.File, err error, mine *os.File) error {
		if err == nil {
			theirs, *ours = append(theirs, child), mine
		}
		return err
	}
	r, w, err := os.Pipe()
	if err = pipe(w, &c.stdout, err, r); err != nil {
		return nil, err
	}
	r, w, err = os.Pipe()
	if err = pipe(w, &c.stderr, err, r); err != nil {
		return nil, err
	}
	env := append(s.env[:len(s.env):len(s.env)], s.exe.Env...)
	if lifelines {
		r, w, err = os.Pipe()
		if err = pipe(r, &c.life, err, w); err != nil {
			return nil, err
		}
		env = append(env, lifelineVar(len(theirs)-1))
	}
	name := s.exe.Argv[0]
	if s.exe.File != nil {
		// The descriptor's number in the child: the kernel resolves the path
		// after the descriptors were put in place.
		name = fmt.Sprintf("/proc/self/fd/%d", len(theirs))
	}
	files := theirs
	if s.exe.File != nil {
		files = append(files[:len(files):len(files)], s.exe.File)
	}
	attr := &os.ProcAttr{Env: env, Files: files}
	attr.Sys, wait = c.platform(s.leash)
	if c.proc, err = startNotBusy(ctx, name, s.exe.Argv, attr); err != nil {
		return nil, execError(s.exe, err)
	}
	c.pid, c.started = c.proc.Pid, time.Now()
	return wait, nil
}

// startNotBusy is os.StartProcess with ETXTBSY retried.
func startNotBusy(ctx context.Context, name string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	until := time.Now().Add(busyLimit)
	for {
		p, err := os.StartProcess(name, argv, attr)
		if !isBusy(err) || time.Now().After(until) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(busyPause):
		}
	}
}

// execError adds what the kernel's few words mean here.
func execError(exe *Executable, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	hint := ""
	switch {
	case errors.Is(err, errExecFormat):
		hint = " (the file is built for another machine architecture or operating system, or is no program at all)"
	case isBusy(err):
		hint = " (another process has the file open for writing)"
	case errors.Is(err, fs.ErrNotExist):
		hint = " (the file, or the interpreter that it names, is missing)"
	case errors.Is(err, fs.ErrPermission):
		hint = " (the file is not executable, or lies on a file system mounted with noexec)"
	}
	return fmt.Errorf("%s: %w%s", exe.Argv[0], err, hint)
}

// endLifeline tells the plugin to stop. It may be called any number of times.
func (c *child) endLifeline() {
	c.lifeOnce.Do(func() {
		if c.life != nil {
			c.life.Close()
		}
	})
}

// hasExited tells whether the process is gone.
func (c *child) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

func (c *child) closePipes() {
	for _, f := range []*os.File{c.stdout, c.stderr} {
		if f != nil {
			f.Close()
		}
	}
	c.endLifeline()
}

func exitOf(st *os.ProcessState) Exit {
	if st == nil {
		return Exit{Code: -1}
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok {
		if name := signalName(ws); name != "" {
			return Exit{Code: -1, Signal: name}
		}
	}
	return Exit{Code: st.ExitCode()}
}
