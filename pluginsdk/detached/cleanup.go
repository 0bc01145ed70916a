package detached

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Cleanup removes what an ended job left. Leftovers is the work directory of
// this flavor's own (the host removes the one that it gave); Record is the
// whole job, its log and its outputs.
func (j *Jobs) Cleanup(_ context.Context, state jobdir.State, h pluginsdk.Handle, what pluginsdk.What) error {
	job, err := FromHandle(state, h)
	if err != nil {
		return err
	}
	status, _, err := look(job)
	if err != nil {
		return err
	}
	if !status.Phase.Terminal() {
		return fmt.Errorf("the job is not over: %s", job.Dir)
	}
	if what == pluginsdk.Record {
		return state.Remove(job)
	}
	if err := os.RemoveAll(job.Work()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
