package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Cancel asks Slurm to end the job: SIGTERM to all of its processes, and SIGKILL
// after the cluster's own KillWait (30 s by default), which takes the place of
// the grace. Cancelled is what Status says when Slurm has seen the last of them.
//
// scancel says nothing about a job that is over, so that is asked before. A job
// that ends in between does no harm: its verdict is Slurm's.
func (s slurm) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, o pluginsdk.CancelOptions) error {
	r, job, err := readHandle(c, h)
	if err != nil {
		return err
	}
	status, err := s.Status(ctx, c, h)
	if err != nil {
		return err
	}
	if status.Phase.Terminal() {
		return pluginsdk.ErrAlreadyOver
	}
	args := []string{job}
	if o.Force && status.Phase != pluginsdk.Queued {
		args = []string{"--signal=KILL", "--full", job}
	}
	if _, err := ask(ctx, "scancel", args...); err != nil {
		if says(err, "Invalid job id", "already completing or completed") {
			return pluginsdk.ErrAlreadyOver
		}
		return couldNotAsk(err)
	}
	// For the time when Slurm has forgotten the job, and to call what follows by
	// its name. Without it the cancel is still Slurm's.
	if err := r.put("cancel", "accepted"); err != nil {
		pluginsdk.Logger(ctx).Warn("the cancel is not in the job's record", "job", job, "error", err)
	}
	return nil
}
