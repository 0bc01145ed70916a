package detached

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// defaultGrace is between SIGTERM and SIGKILL where the host names no time:
// enough to write a checkpoint's last pages, short enough to wait for.
const defaultGrace = 10 * time.Second

// Cancel stores the wish and wakes the runner, which sees it through: SIGTERM
// to every process of the step, SIGKILL after the grace, the verdict when none
// is left. Nothing of that needs this process.
//
// Crash cases: this process dies between the two acts (the wish is stored, and
// whoever watches next, or cancels again, wakes or starts a runner); the runner
// is dead (a new one is started, finds the processes and ends them).
func (j *Jobs) Cancel(ctx context.Context, state jobdir.State, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	job, err := FromHandle(state, h)
	if err != nil {
		return err
	}
	view, err := job.View()
	if errors.Is(err, fs.ErrNotExist) {
		return pluginsdk.ErrAlreadyOver
	}
	if err != nil {
		return err
	}
	if view.Exit != nil {
		return pluginsdk.ErrAlreadyOver
	}
	grace := o.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	if err := job.WriteCancel(jobdir.Cancel{At: time.Now().UTC(), Grace: grace, Force: o.Force}); err != nil {
		return fmt.Errorf("storing the wish to cancel: %w", err)
	}
	if runner.Wake(job) {
		return nil
	}
	// Nobody listens: the runner is dead, or not there yet, or just starting;
	// then it reads the wish before it starts the step. Another runner cannot
	// do harm.
	report, err := runner.Start(ctx, job, nil, nil, nil)
	if err != nil {
		return err
	}
	switch report.Outcome {
	case runner.Foreign:
		return pluginsdk.Unreachable(errors.New("the step runs in another container of this machine, whose processes cannot be ended from here"))
	case runner.Broken:
		return fmt.Errorf("the runner could not begin: %s", report.Error)
	}
	return nil
}
