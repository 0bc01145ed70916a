package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stephost/stephost/pluginsdk"
)

// Cleanup removes what an ended job left. Leftovers is the work directory of
// this flavor's own (the host removes the one that it gave); Record is the
// whole job, its log and its outputs.
func (l *local) Cleanup(_ context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	state, job, err := l.fromHandle(c, h)
	if err != nil {
		return err
	}
	status, _, err := l.look(job)
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

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
