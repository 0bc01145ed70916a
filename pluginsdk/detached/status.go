package detached

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/proc"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// Limits of Watch.
const (
	// watchPoll is the pace of looking where no signal came: the kernel does not
	// signal changes on some file systems.
	watchPoll = time.Second
	// freshStart is longer than a start takes.
	freshStart = 5 * time.Second
	// adoptPause keeps a machine that cannot start runners (no memory, too many
	// processes) from being asked all the time.
	adoptPause = 5 * time.Second
)

// Refine changes what is told about a job, for what its files do not know: how far
// it has come, whether something of it is left elsewhere. It may take a terminal
// phase back. An error is "could not ask". nil = nothing to add.
type Refine func(context.Context, jobdir.Job, pluginsdk.Status) (pluginsdk.Status, error)

// Status reads the job. It changes nothing; Watch brings dead runners back.
func (j *Jobs) Status(ctx context.Context, state jobdir.State, h pluginsdk.Handle, refine Refine) (pluginsdk.Status, error) {
	job, err := FromHandle(state, h)
	if err != nil {
		return pluginsdk.Status{}, err
	}
	status, _, err := look(job)
	if err != nil || refine == nil {
		return status, err
	}
	return refine(ctx, job, status)
}

// look reads the job. orphaned = its runner died and nobody looks after it.
func look(job jobdir.Job) (status pluginsdk.Status, orphaned bool, err error) {
	view, err := job.View()
	if errors.Is(err, fs.ErrNotExist) {
		return pluginsdk.Status{Phase: pluginsdk.Lost, Reason: "RecordRemoved", NativeState: "removed",
			Message: "the job's directory was removed: " + job.Dir}, false, nil
	}
	if err != nil {
		return pluginsdk.Status{}, false, pluginsdk.Unreachable(err)
	}
	switch {
	case view.Exit != nil:
		return Over(job, view.Exit), false, nil
	case view.Started == nil:
		status.Phase, status.NativeState = pluginsdk.Provisioning, "starting"
		if view.Cancel != nil {
			status.Phase = pluginsdk.Cancelling
		}
		// Only a job that was cancelled before its start needs a runner here: the
		// others are started by the next Submit.
		return status, !view.Locked && view.Cancel != nil, nil
	}
	status.Phase, status.NativeState, status.PhaseSince = pluginsdk.Running, "running", view.Started.At
	if view.Cancel != nil {
		status.Phase, status.NativeState, status.PhaseSince = pluginsdk.Cancelling, "ending", view.Cancel.At
	}
	if view.Locked {
		return status, false, nil
	}
	return lookAtOrphan(job, view, status)
}

// lookAtOrphan judges a started job without a runner and without a verdict.
func lookAtOrphan(job jobdir.Job, view jobdir.View, status pluginsdk.Status) (pluginsdk.Status, bool, error) {
	lost := pluginsdk.Status{Phase: pluginsdk.Lost, Class: pluginsdk.ClassLost, NativeState: "lost", StartedAt: view.Started.At}
	if view.Started.Boot != proc.Boot() {
		lost.Reason, lost.Message = "MachineRestarted", "the machine was restarted while the step ran"
		return lost, true, nil
	}
	if view.Started.Namespace != proc.Namespace() {
		return status, false, pluginsdk.Unreachable(fmt.Errorf("the step runs in another container of this machine, whose processes cannot be seen from here"))
	}
	target := proc.Target{Key: job.Key}
	if view.Child != nil {
		target.PID, target.Ticks = view.Child.PID, view.Child.Ticks
	}
	// Between fork and exec a process does not carry the mark yet: a runner
	// that died just then leaves it to the next one to wait for it.
	fresh := view.Child == nil && time.Since(view.Started.At) < freshStart
	if fresh || len(proc.Members(target)) > 0 {
		status.Reason, status.NativeState = "RunnerDied", "running without its runner"
		status.Message = "the runner died; the step goes on, and its exit code will not be known"
		return status, true, nil
	}
	// It may have been adopted, and have ended, since the view was made.
	if exit, err := job.ReadExit(); err == nil {
		return Over(job, &exit), false, nil
	}
	lost.Reason, lost.Message = "RunnerDied", "the runner died before the step ended; how it ended is not known"
	return lost, true, nil
}

// Over is the last status of a job.
func Over(job jobdir.Job, e *jobdir.Exit) pluginsdk.Status {
	left, warning := outputs(job.Output())
	message := e.Message
	if message != "" && warning != "" {
		message += "; "
	}
	return pluginsdk.Status{
		Phase: phaseOf(e.Phase), Class: classOf(e.Class), Reason: e.Reason, Message: message + warning,
		NativeState: e.Phase, ExitCode: e.Code, Signal: e.Signal,
		StartedAt: e.StartedAt, EndedAt: e.EndedAt, PhaseSince: e.EndedAt, Outputs: left,
	}
}

func phaseOf(phase string) pluginsdk.Phase {
	switch phase {
	case jobdir.Succeeded:
		return pluginsdk.Succeeded
	case jobdir.Failed:
		return pluginsdk.Failed
	case jobdir.Cancelled:
		return pluginsdk.Cancelled
	}
	return pluginsdk.Lost
}

func classOf(class string) pluginsdk.Class {
	switch class {
	case jobdir.ClassUser:
		return pluginsdk.ClassUser
	case jobdir.ClassConfig:
		return pluginsdk.ClassConfig
	case jobdir.ClassCapacity:
		return pluginsdk.ClassCapacity
	case jobdir.ClassTimeout:
		return pluginsdk.ClassTimeout
	case jobdir.ClassCancelled:
		return pluginsdk.ClassCancelled
	case jobdir.ClassLost:
		return pluginsdk.ClassLost
	case jobdir.ClassSystem:
		return pluginsdk.ClassSystem
	}
	return 0
}

// Watch reports each change, woken by the kernel. It starts a new runner when
// the old one died, so that log and verdict of the step are kept.
func (j *Jobs) Watch(ctx context.Context, state jobdir.State, h pluginsdk.Handle, refine Refine, report func(pluginsdk.Status)) error {
	job, err := FromHandle(state, h)
	if err != nil {
		return err
	}
	changed, stop := j.Hub.Watch(job.Dir)
	defer stop()
	var last pluginsdk.Status
	var adopted time.Time
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		status, orphaned, err := look(job)
		if err != nil {
			return err
		}
		if orphaned && time.Since(adopted) >= adoptPause {
			adopted = time.Now()
			if settled := adopt(ctx, job); settled {
				continue
			}
		}
		if refine != nil {
			if status, err = refine(ctx, job, status); err != nil {
				return err
			}
		}
		if status.Phase != last.Phase || status.Reason != last.Reason || status.Message != last.Message {
			report(status)
			last = status
		}
		if status.Phase.Terminal() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-poll.C:
		}
	}
}

// adopt starts a runner for an orphan, and tells whether that changed what is
// known. Without one the job is judged by what can be seen.
func adopt(ctx context.Context, job jobdir.Job) bool {
	r, err := runner.Start(ctx, job, nil, nil, nil)
	if err != nil {
		pluginsdk.Logger(ctx).Warn("no new runner for a job whose runner died", "job", job.Dir, "error", err)
		return false
	}
	return r.Outcome == runner.Adopted || r.Outcome == runner.Over || r.Outcome == runner.Busy
}
