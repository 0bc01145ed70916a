//go:build unix

package runner

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
)

// ended says how the step's own process ended, and whether anything of the
// step is left. status is nil where nobody could wait for it.
type ended struct {
	status *unix.WaitStatus
	alone  bool
}

// events tell about the step's processes: main once, gone closed at the end.
type events struct {
	main chan ended
	gone chan struct{}
}

// reap waits for every child of this process, the orphans of the step
// included, until there is none left.
func reap(main int) events {
	e := events{main: make(chan ended, 1), gone: make(chan struct{})}
	go func() {
		defer close(e.gone)
		for {
			var status unix.WaitStatus
			pid, err := unix.Wait4(-1, &status, 0, nil)
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil: // ECHILD: nothing is left
				return
			case pid == main:
				// Asked at once, so that a step without leftovers, which is nearly
				// every one, is not searched for them.
				next, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
				for next > 0 || errors.Is(err, unix.EINTR) {
					next, err = unix.Wait4(-1, nil, unix.WNOHANG, nil)
				}
				e.main <- ended{status: &status, alone: err != nil}
			}
		}
	}()
	return e
}

// watch looks after the processes of a started step.
type watch struct {
	*runner
	child  jobdir.Child
	target proc.Target
	begin  time.Time

	end *ended
	at  time.Time
	// cause is why the step was asked to end while its own process lived.
	cause string
	// hard fires when politeness ends; pause is the time to the next round.
	hard  <-chan time.Time
	pause time.Duration
}

// until waits until no process of the step is left, ending them where that is
// due, and returns the verdict.
func (w *watch) until(e events) jobdir.Exit {
	var deadline <-chan time.Time
	if !w.child.Deadline.IsZero() {
		t := time.NewTimer(time.Until(w.child.Deadline))
		defer t.Stop()
		deadline = t.C
	}
	w.obey() // a wish that was stored before this runner listened
	for {
		select {
		case end := <-e.main:
			w.mainEnded(end)
		case <-e.gone:
			select {
			case end := <-e.main:
				w.mainEnded(end)
			default:
			}
			return w.verdictOf()
		case <-w.control:
			w.obey()
		case <-deadline:
			deadline = nil
			if w.end == nil && w.cause == "" {
				w.cause = jobdir.ClassTimeout
				w.ask(timeoutGrace)
			}
		case <-w.hard:
			w.kill()
		}
	}
}

// mainEnded: the step's own exit decides, and what it left behind is ended.
func (w *watch) mainEnded(end ended) {
	w.end, w.at = &end, time.Now().UTC()
	if !end.alone && w.hard == nil {
		w.ask(leftoverGrace)
	}
}

// obey acts on the stored wish to cancel, if there is one.
func (w *watch) obey() {
	c, err := w.job.ReadCancel()
	if err != nil {
		return
	}
	if w.end == nil && w.cause == "" {
		w.cause = jobdir.ClassCancelled
	}
	if c.Force {
		w.kill()
		return
	}
	if w.hard == nil {
		w.ask(c.Grace)
	}
}

// ask is the polite request: SIGTERM now, SIGKILL after grace.
func (w *watch) ask(grace time.Duration) {
	if grace <= 0 {
		w.kill()
		return
	}
	proc.Signal(w.target, unix.SIGTERM)
	w.hard = time.After(grace)
}

// kill is one round of SIGKILL; rounds go on until nothing is left.
func (w *watch) kill() {
	proc.Signal(w.target, unix.SIGKILL)
	w.pause = min(max(2*w.pause, killAgain), killAgainMost)
	w.hard = time.After(w.pause)
}

// verdictOf is the last word about the job.
func (w *watch) verdictOf() jobdir.Exit {
	e := jobdir.Exit{StartedAt: w.begin, EndedAt: w.at}
	if w.end != nil && w.end.status != nil {
		s := *w.end.status
		code := s.ExitStatus()
		if s.Signaled() {
			e.Signal = unix.SignalName(s.Signal())
			code = 128 + int(s.Signal())
		}
		e.Code = &code
	}
	switch {
	// A step that was asked to end did not do its work, whatever code it chose.
	case w.cause == jobdir.ClassCancelled:
		e.Phase, e.Class, e.Reason = jobdir.Cancelled, jobdir.ClassCancelled, "Cancelled"
	case w.cause == jobdir.ClassTimeout:
		e.Phase, e.Class, e.Reason = jobdir.Failed, jobdir.ClassTimeout, "DeadlineExceeded"
		e.Message = fmt.Sprintf("ended at its run limit (%s)", w.child.Deadline.Sub(w.child.StartedAt).Round(time.Millisecond))
	case e.Code == nil:
		e.Phase, e.Class, e.Reason = jobdir.Lost, jobdir.ClassLost, "RunnerDied"
		e.Message = "the runner died before the step ended; how it ended is not known"
	case *e.Code == 0:
		e.Phase = jobdir.Succeeded
	default:
		e.Phase, e.Class, e.Reason = jobdir.Failed, jobdir.ClassUser, "ExitCode"
		if e.Signal != "" {
			e.Reason = "Signal"
			e.Message = "the step was ended by " + e.Signal
		}
	}
	return e
}
