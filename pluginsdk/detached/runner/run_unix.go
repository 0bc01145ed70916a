//go:build unix

package runner

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/limit"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
)

// run starts the step and stays until nothing of it is left.
func (r *runner) run() error {
	if err := proc.Subreaper(); err != nil {
		return fmt.Errorf("becoming the parent of orphans: %w", err)
	}
	dirs := []string{r.job.Logs(), r.job.Output()}
	if r.spec.Dir == r.job.Work() {
		dirs = append(dirs, r.spec.Dir) // else it is the host's, with the source in it
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := r.openPumps(); err != nil {
		return err
	}
	defer r.closePumps()

	// What has no room is a verdict: the key is used up, and the host's next
	// attempt has another one.
	gpus, err := r.takeGPUs()
	if err != nil {
		return r.verdict(notStarted(err))
	}
	defer gpus.Close()
	group, err := r.makeGroup()
	if err != nil {
		return r.verdict(notStarted(err))
	}
	if group != nil {
		defer group.Remove()
	}

	begin := time.Now().UTC()
	// The crash case of the whole flavor: dying before this line means that
	// nothing has run, dying behind it that something may have.
	if err := r.state.MarkStarted(r.job, jobdir.Started{Place: here(), At: begin}); err != nil {
		return err
	}
	r.say(Started, nil)

	pid, err := r.startStep(gpus, group)
	if err != nil {
		return r.verdict(notStarted(err))
	}
	child := jobdir.Child{PID: pid, Ticks: proc.Ticks(pid), StartedAt: begin}
	if group != nil {
		child.Cgroup = group.Dir
	}
	if r.spec.Limit > 0 {
		child.Deadline = begin.Add(r.spec.Limit)
	}
	events := reap(pid)
	// A step without this record is still found by its mark.
	_ = r.job.WriteChild(child)
	// The secrets have done their work here.
	r.spec.Env = nil

	w := &watch{runner: r, child: child, target: proc.Target{Key: r.job.Key, Root: os.Getpid()}, begin: begin}
	exit := w.until(events)
	if group != nil && exit.Signal == "SIGKILL" && group.OutOfMemory() {
		exit.Reason = "OutOfMemory"
		exit.Message = fmt.Sprintf("ended by the kernel: the step used more than its %d bytes of memory", r.spec.Memory)
	}
	exit.LogHole = r.drain()
	return r.verdict(exit)
}

// startStep starts the step's process and returns its pid.
func (r *runner) startStep(gpus *limit.Held, group *limit.Group) (pid int, err error) {
	env := r.spec.Env
	if gpus != nil && len(gpus.Numbers) > 0 {
		env = append(env[:len(env):len(env)], "CUDA_VISIBLE_DEVICES="+gpus.Visible())
	}
	if info, err := os.Stat(r.spec.Dir); err != nil || !info.IsDir() {
		return 0, fmt.Errorf("the work directory %s is not there", r.spec.Dir)
	}
	path, err := lookPath(r.spec.Argv[0], r.spec.Dir, env)
	if err != nil {
		return 0, err
	}
	files, closeFiles, err := r.stepFiles(gpus)
	if err != nil {
		return 0, err
	}
	defer closeFiles()
	attr := &syscall.ProcAttr{Dir: r.spec.Dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}}
	if group != nil {
		dir, err := group.Open()
		if err != nil {
			return 0, err
		}
		defer dir.Close()
		intoGroup(attr.Sys, int(dir.Fd()))
	}
	err = limit.Pin(r.spec.Cores, r.job.Key, func() (err error) {
		pid, err = syscall.ForkExec(path, r.spec.Argv, attr)
		return err
	})
	switch {
	case err == nil:
		return pid, nil
	case errors.Is(err, unix.ENOEXEC):
		return 0, cannotStart(codeNotExecutable, "CommandNotExecutable",
			"%s is no program for this machine, or a script without a #! line", path)
	case errors.Is(err, unix.ENOENT):
		return 0, cannotStart(codeNotFound, "CommandNotFound", "%s: its interpreter (the #! line) does not exist", path)
	case errors.Is(err, unix.EACCES):
		return 0, cannotStart(codeNotExecutable, "CommandNotExecutable", "%s: %w", path, err)
	case errors.Is(err, unix.E2BIG):
		return 0, tooLong(r.spec.Argv, env)
	}
	return 0, fmt.Errorf("starting %s: %w", path, err)
}

// stepFiles are the step's descriptors: no input, its two pipes, and the locks
// of its GPUs.
func (r *runner) stepFiles(gpus *limit.Held) (files []uintptr, closeAll func(), err error) {
	var opened []int
	closeAll = func() {
		for _, fd := range opened {
			unix.Close(fd)
		}
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, closeAll, err
	}
	opened = append(opened, null)
	for _, stream := range streams() {
		fd, err := writeEnd(r.job, stream)
		if err != nil {
			closeAll()
			return nil, func() {}, err
		}
		opened = append(opened, fd)
	}
	for _, fd := range opened {
		files = append(files, uintptr(fd))
	}
	if gpus != nil {
		for _, f := range gpus.Locks {
			files = append(files, f.Fd())
		}
	}
	for _, p := range r.pumps {
		p.start()
	}
	return files, closeAll, nil
}

func (r *runner) takeGPUs() (*limit.Held, error) {
	if r.spec.GPUs == 0 {
		return &limit.Held{}, nil
	}
	return limit.Machine{Devices: r.spec.Devices}.TakeGPUs(r.spec.GPUs, r.spec.Locks)
}

func (r *runner) makeGroup() (*limit.Group, error) {
	if r.spec.Memory == 0 {
		return nil, nil
	}
	return limit.MakeGroup(r.job.Key, r.spec.Memory)
}

// notStarted is the verdict about a step that has no process.
func notStarted(err error) jobdir.Exit {
	e := jobdir.Exit{Phase: jobdir.Failed, Class: jobdir.ClassSystem, Reason: "StartFailed", Message: err.Error()}
	var (
		start *startError
		much  *limit.TooMuchError
		free  *limit.NoFreeGPUError
		long  *tooLongError
	)
	switch {
	case errors.As(err, &start):
		e.Class, e.Code, e.Reason = jobdir.ClassUser, &start.code, start.reason
	case errors.As(err, &much), errors.Is(err, limit.ErrNoMemoryLimit):
		e.Class, e.Reason = jobdir.ClassConfig, "ResourcesRefused"
	case errors.As(err, &long):
		e.Class, e.Reason = jobdir.ClassConfig, "ArgumentsTooLong"
	case errors.As(err, &free):
		e.Class, e.Reason = jobdir.ClassCapacity, "NoFreeGPU"
	}
	return e
}

// verdict writes how the job ended. The disk may be full: then it tries for a
// while, because without a verdict the job counts as lost.
func (r *runner) verdict(e jobdir.Exit) error {
	if e.EndedAt.IsZero() {
		e.EndedAt = time.Now().UTC()
	}
	for deadline := time.Now().Add(verdictPatience); ; time.Sleep(time.Second) {
		err := r.job.WriteExit(e, func() {
			if r.said { // else the report is still to be written
				r.letGo()
			}
		})
		if err == nil || errors.Is(err, jobdir.ErrExists) || time.Now().After(deadline) {
			r.say(Over, err)
			r.sweep()
			return err
		}
	}
}

// sweep removes what only a living job needs.
func (r *runner) sweep() {
	for _, stream := range streams() {
		_ = os.Remove(r.job.Pipe(stream))
	}
	_ = os.Remove(r.job.Control())
}

func (r *runner) openPumps() error {
	for _, stream := range streams() {
		p, err := openPump(r.job, stream)
		if err != nil {
			r.closePumps()
			return err
		}
		r.pumps = append(r.pumps, p)
	}
	return nil
}

func (r *runner) closePumps() {
	for _, p := range r.pumps {
		p.close()
	}
	r.pumps = nil
}

// drain waits for the end of the output and says why some may be missing.
func (r *runner) drain() string {
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for _, p := range r.pumps {
		if !p.wait(limit.C) {
			return "a process outside the step still holds its output open"
		}
	}
	return ""
}

func streams() []string { return []string{"stdout", "stderr"} }
