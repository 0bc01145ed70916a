//go:build unix

package runner

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
)

// runner is the state of one runner process.
type runner struct {
	state jobdir.State
	job   jobdir.Job
	spec  *Spec
	// stdin brings what is to be run.
	stdin *bufio.Reader
	// control wakes it: a byte says that the wish to cancel was stored.
	control chan struct{}
	// pumps are stdout and stderr.
	pumps []*pump
	// said: the report was written.
	said bool
}

// Main is the whole life of a runner for the job in dir. It returns the exit
// code of the process, which nobody needs: what counts is in the job's files.
func Main(dir string) int {
	detach()
	r := &runner{control: make(chan struct{}, 1), stdin: bufio.NewReader(os.Stdin)}
	spare := dir == noJobYet
	if spare {
		var err error
		if dir, err = readDir(r.stdin); err != nil {
			return 0 // never needed
		}
	}
	job, err := jobdir.JobAt(filepath.Clean(dir))
	if err != nil {
		r.say(Broken, err)
		return 1
	}
	r.job, r.state = job, jobdir.At(filepath.Dir(filepath.Dir(job.Dir)))
	if spare {
		ownStderr(job)
	}
	err = r.work()
	switch {
	case errors.Is(err, jobdir.ErrBusy):
		r.say(Busy, nil)
	case err != nil:
		r.say(Broken, err)
		fmt.Fprintln(os.Stderr, time.Now().UTC().Format(time.RFC3339), err)
		return 1
	}
	return 0
}

// readDir waits for the job of a spare runner. The error: the plugin has ended, or
// has no use for it.
func readDir(from *bufio.Reader) (dir string, err error) {
	line, err := from.ReadBytes('\n')
	if err != nil {
		return "", err
	}
	return dir, json.Unmarshal(line, &dir)
}

// ownStderr puts the last words of a spare runner where those of others are.
func ownStderr(j jobdir.Job) {
	f, err := openStderr(j)
	if err != nil {
		return
	}
	defer f.Close()
	_ = unix.Dup2(int(f.Fd()), 2)
}

// detach makes this process deaf to what is meant for others. A machine that
// shuts down sends SIGTERM to all: the step gets its own, and the runner stays
// to write down how that ended. SIGPIPE: the plugin may be dead when the
// report is written. The signals are caught, not ignored: a step would inherit
// that.
func detach() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGPIPE)
	closeForeign()
}

// say writes the report and lets go of the pipe to the plugin, unless a step was
// started: then the plugin reads its end as the end of the job, or of this
// process. Only the first call does something.
func (r *runner) say(o Outcome, cause error) {
	if r.said {
		return
	}
	r.said = true
	report := Report{Outcome: o}
	if cause != nil {
		report.Error = cause.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(report)
	if o != Started {
		r.letGo()
	}
}

// letGo ends the pipe to the plugin: it looks at the job's files then.
func (r *runner) letGo() {
	if null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.Dup2(null, 1)
		_ = unix.Dup2(null, 0)
		unix.Close(null)
	}
}

// work takes the lock and does what the job needs.
func (r *runner) work() error {
	lock, err := jobdir.TryLock(r.job.Lock())
	if err != nil {
		return err
	}
	defer lock.Close()

	// The order of these questions is the order in which a job lives: each one
	// is final once it was answered yes.
	if _, err := r.job.ReadExit(); err == nil {
		r.say(Over, nil)
		return nil
	}
	started, err := r.job.ReadStarted()
	if err == nil {
		return r.adopt(started)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	closeControl, err := r.openControl()
	if err != nil {
		return err
	}
	defer closeControl()
	if _, err := r.job.ReadCancel(); err == nil {
		// Cancelled before it started: with this verdict it never will.
		err := r.job.WriteExit(jobdir.Exit{Phase: jobdir.Cancelled, Class: jobdir.ClassCancelled,
			Reason: "CancelledBeforeStart", Message: "cancelled before the step was started"}, nil)
		r.say(Over, err)
		return err
	}
	if r.spec, err = readSpec(r.stdin); err != nil {
		return err
	}
	if r.spec == nil {
		r.say(Idle, nil)
		return nil
	}
	return r.run()
}

// readSpec reads the whole spec. A plugin that died while it wrote leaves a
// part of one, which is an error: nothing is started.
func readSpec(from io.Reader) (*Spec, error) {
	data, err := io.ReadAll(from)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	var s Spec
	if err := json.Unmarshal(data, &s); err != nil {
		// Not %w and no excerpt: the data holds secrets.
		return nil, errors.New("the request to the runner was cut short")
	}
	if len(s.Argv) == 0 {
		return nil, errors.New("the request to the runner has no command")
	}
	return &s, nil
}

// openControl makes and opens the pipe that wakes this runner. It is opened
// for writing too, so that it never ends.
func (r *runner) openControl() (closeIt func(), err error) {
	if err := unix.Mkfifo(r.job.Control(), 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &os.PathError{Op: "mkfifo", Path: r.job.Control(), Err: err}
	}
	fd, err := unix.Open(r.job.Control(), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: r.job.Control(), Err: err}
	}
	pipe := os.NewFile(uintptr(fd), r.job.Control())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var buf [64]byte
		for {
			if _, err := pipe.Read(buf[:]); err != nil {
				return
			}
			select {
			case r.control <- struct{}{}:
			default:
			}
		}
	}()
	return func() {
		pipe.Close()
		<-ended
	}, nil
}

// Wake tells the runner of the job that the wish to cancel was stored. false =
// no runner listens.
func Wake(j jobdir.Job) bool {
	fd, err := unix.Open(j.Control(), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte{1})
	return err == nil || errors.Is(err, unix.EAGAIN) // a full pipe wakes it too
}

// here is where this process lives.
func here() jobdir.Place { return jobdir.Place{Boot: proc.Boot(), Namespace: proc.Namespace()} }
