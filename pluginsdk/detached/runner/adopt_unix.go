//go:build unix

package runner

import (
	"os"
	"time"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/limit"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
)

// adopt looks after a step whose runner died. It holds the lock; started says
// where that runner lived.
func (r *runner) adopt(started jobdir.Started) error {
	now := here()
	if started.Boot != now.Boot {
		err := r.verdict(jobdir.Exit{Phase: jobdir.Lost, Class: jobdir.ClassLost, Reason: "MachineRestarted", StartedAt: started.At,
			Message: "the machine was restarted while the step ran", LogHole: "the machine was restarted"})
		return err
	}
	if started.Namespace != now.Namespace {
		r.say(Foreign, nil)
		return nil
	}
	child, unknown := r.job.ReadChild()
	w := &watch{runner: r, child: child, begin: started.At,
		target: proc.Target{Key: r.job.Key, PID: child.PID, Ticks: child.Ticks}}

	if err := os.MkdirAll(r.job.Logs(), 0o700); err != nil {
		return err
	}
	// The pipes first: a pipe that was held at every moment has lost nothing.
	// Only when no process is left behind this line it may have been let go of
	// before it, with bytes in it.
	if err := r.openPumps(); err != nil {
		return err
	}
	defer r.closePumps()
	hole := ""
	if !present(w.target, unknown != nil) {
		hole = "the runner died, and what was in the pipe then is gone"
	}
	closeControl, err := r.openControl()
	if err != nil {
		return err
	}
	defer closeControl()
	for _, p := range r.pumps {
		p.start()
	}
	r.say(Adopted, nil)

	stop := make(chan struct{})
	exit := w.until(look(w.target, child, stop))
	close(stop)
	if late := r.drain(); hole == "" {
		hole = late
	}
	exit.LogHole = hole
	if child.Cgroup != "" {
		(&limit.Group{Dir: child.Cgroup}).Remove()
	}
	return r.verdict(exit)
}

// present tells whether a process of the step lives. fresh: the runner died
// before it wrote the process down, maybe between fork and exec, when the
// child does not carry the mark yet: it is given time to appear.
func present(t proc.Target, fresh bool) bool {
	for end := time.Now().Add(freshLimit); ; time.Sleep(time.Millisecond) {
		if len(proc.Members(t)) > 0 {
			return true
		}
		if !fresh || time.Now().After(end) {
			return false
		}
	}
}

// look tells about processes that are not children of this one.
func look(t proc.Target, child jobdir.Child, stop <-chan struct{}) events {
	e := events{main: make(chan ended, 1), gone: make(chan struct{})}
	go func() {
		tick := time.NewTicker(adoptedPoll)
		defer tick.Stop()
		for mainLives := child.PID != 0; ; {
			living := proc.Members(t)
			if len(living) == 0 {
				close(e.gone)
				return
			}
			if mainLives && proc.Ticks(child.PID) != child.Ticks {
				mainLives = false
				e.main <- ended{}
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return e
}
