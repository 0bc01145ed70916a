package backend

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/stephost/stephost/test/fault/wire"
)

// job is one job. Job is guarded by Backend.mu.
type job struct {
	wire.Job
	account string
	dir     string
	request wire.JobRequest
	faults  wire.Faults

	stopOnce sync.Once
	stop     chan struct{} // closed when the process is to end
	grace    time.Duration // set before stop is closed
}

// storedJob is what lies on disk: no secrets.
type storedJob struct {
	wire.Job
	Account string `json:"account"`
}

// store writes job.json as a whole; Backend.mu is held.
func (j *job) store() error {
	data, err := json.Marshal(storedJob{Job: j.Job, Account: j.account})
	if err != nil {
		return err
	}
	path := filepath.Join(j.dir, "job.json")
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// end makes the job's process end, after grace the hard way.
func (j *job) end(grace time.Duration) {
	j.stopOnce.Do(func() {
		j.grace = grace
		close(j.stop)
	})
}

// set changes the state of j.
func (b *Backend) set(j *job, state, reason string, more func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if more != nil {
		more()
	}
	// A job that is being stopped stays so until it is over.
	if j.State != wire.Stopping || wire.Over(state) {
		j.State, j.Reason, j.Since = state, reason, time.Now()
	}
	if wire.Over(state) {
		j.Ended, j.PID = j.Since, 0
		if d := j.faults.DeleteAfterMS; d > 0 {
			b.after(ms(d), func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.remove(j)
			})
		}
	}
	_ = j.store()
}

// How one start of a job ended.
type outcome int

const (
	exited outcome = iota
	stopped
	preempted
	restart
	broken
)

// live is the life of a job.
func (b *Backend) live(j *job) {
	if !b.wait(j, ms(j.faults.QueuedMS)) {
		b.set(j, wire.Stopped, "StoppedBeforeStart", nil)
		return
	}
	b.set(j, wire.Provisioning, "Scheduled", nil)
	if !b.wait(j, ms(j.faults.ProvisioningMS)) {
		b.set(j, wire.Stopped, "StoppedBeforeStart", nil)
		return
	}
	for {
		b.set(j, wire.Running, "Started", func() {
			j.Starts++
			if j.Started.IsZero() {
				j.Started = time.Now()
			}
		})
		var how outcome
		var err error
		if j.request.Noop {
			how, err = b.noop(j)
		} else {
			how, err = b.run(j)
		}
		switch how {
		case restart:
			b.set(j, wire.Provisioning, "Restarted", func() { j.Restarts++ })
		case exited:
			b.set(j, wire.Done, "Exited", func() { j.ExitCode, j.Signal = exitOf(err) })
			return
		case stopped:
			b.set(j, wire.Stopped, "Cancelled", nil)
			return
		case preempted:
			b.set(j, wire.Preempted, "MachineReclaimed", nil)
			return
		default:
			b.set(j, wire.Broken, "BackendEnded", nil)
			return
		}
	}
}

// wait pauses; false when the job is to end.
func (b *Backend) wait(j *job, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.stop:
	case <-b.ctx.Done():
	}
	return false
}

// noop plays a job without a process.
func (b *Backend) noop(j *job) (outcome, error) {
	f, err := os.OpenFile(j.log("stdout", j.Restarts), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return broken, err
	}
	w := bufio.NewWriter(f)
	for i := range j.request.Lines + j.faults.FloodLines {
		fmt.Fprintf(w, "line %d of %s\n", i+1, j.ID)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return broken, err
	}
	how := exited
	length := ms(j.request.NoopMS)
	if d := ms(j.faults.PreemptAfterMS); d > 0 && d < length {
		length, how = d, preempted
	}
	if d := ms(j.faults.RestartAfterMS); d > 0 && d < length && j.Restarts < j.faults.Restarts {
		length, how = d, restart
	}
	if !b.wait(j, length) {
		return stopped, nil
	}
	if code := j.faults.ExitCode; code != nil && how == exited {
		return exited, exitCode(*code)
	}
	return how, nil
}

// exitCode is the end of a job without a process.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitOf reads the result of a process.
func exitOf(err error) (code *int, signal string) {
	var exit *exec.ExitError
	var plain exitCode
	n := 0
	switch {
	case err == nil:
	case errors.As(err, &plain):
		n = int(plain)
	case errors.As(err, &exit):
		if s := signalOf(exit.ProcessState); s != "" {
			return nil, s
		}
		n = exit.ExitCode()
	default:
		n = 127 // it could not be started, as a shell says it
	}
	return &n, ""
}

func (j *job) log(stream string, epoch int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%s.%d", stream, epoch))
}
