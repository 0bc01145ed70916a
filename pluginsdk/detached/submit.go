package detached

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/stephost/stephost/internal/disk"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/notify"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// Limits of Submit.
const (
	// busyPoll is how often Submit looks whether the runner of another Submit
	// has come far enough: that takes it some milliseconds.
	busyPoll = 2 * time.Millisecond
	// startLimit bounds one Submit, below the contract's 60 s, so that the answer
	// is this function's own.
	startLimit = 45 * time.Second
)

// handleData is the data of a handle, version 1.
type handleData struct {
	// Key again, so that the handle says by itself which job it means.
	Key string `json:"key"`
}

// Jobs are the jobs of a flavor's processes. Hub and spare runner are in memory, and
// only save work. The zero Jobs is ready; it must not be copied.
type Jobs struct {
	// Hub wakes those who watch.
	Hub notify.Hub

	mu    sync.Mutex
	spare *runner.Spare
}

// Submit starts a runner, unless the key has one, or had one. It returns when
// the step is certain to be started exactly once: `started` exists. build makes the
// request, once it is certain that there is something to start.
//
// Crash cases: this process dies before the runner read the whole request
// (nothing is started, the next Submit begins anew); it dies behind that (the
// runner goes on, Find brings the job back); the runner dies before `started`
// (no word from it: UNCERTAIN, and the next Submit begins anew).
func (j *Jobs) Submit(ctx context.Context, state jobdir.State, s *pluginsdk.Step, build func(jobdir.Job) (*runner.Spec, error)) (pluginsdk.Handle, error) {
	if !runner.Supported {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("", "steps cannot run on this system; that needs Linux (or macOS, without limits on cpu and memory)"))
	}
	job, err := state.Job(s.Key)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	meta := jobdir.Meta{RunToken: s.Token, RunID: s.RunID, Attempt: int32(s.Attempt),
		RequestDigest: s.RequestDigest, Name: s.Name, CreatedAt: time.Now().UTC()}

	// A job that is there already is answered for before anything that may have
	// changed since (the machine's resources) is looked at.
	held, err := job.ReadMeta()
	existing := err == nil
	if existing {
		if err := Same(held, meta); err != nil {
			return pluginsdk.Handle{}, err
		}
		if view, err := job.View(); err == nil && (view.Exit != nil || view.Started != nil) {
			return HandleOf(job, true), nil
		}
	}
	spec, err := build(job)
	if err != nil {
		if existing {
			return pluginsdk.Handle{}, err // another Submit of the key may have got further
		}
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if !existing {
		held, created, err := state.Create(job, meta)
		if err != nil {
			return pluginsdk.Handle{}, notMade(state, job, err)
		}
		if existing = !created; existing {
			if err := Same(held, meta); err != nil {
				return pluginsdk.Handle{}, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ended := func() {
		j.Hub.Signal(job.Dir)
		j.Hub.Signal(job.Logs())
	}
	if err := j.start(ctx, job, spec, ended); err != nil {
		return pluginsdk.Handle{}, err
	}
	return HandleOf(job, existing), nil
}

// start starts runners until the job is started or over.
func (j *Jobs) start(ctx context.Context, job jobdir.Job, spec *runner.Spec, ended func()) error {
	for {
		report, err := runner.Start(ctx, job, spec, j.takeSpare(), ended)
		if err != nil {
			return err
		}
		switch report.Outcome {
		case runner.Started, runner.Adopted, runner.Over, runner.Foreign:
			return nil
		case runner.Busy:
		default:
			return fmt.Errorf("the runner could not begin: %s", report.Error)
		}
		// Another runner holds the job: it will start it, or die and let go.
		for {
			view, err := job.View()
			if err != nil {
				return err
			}
			if view.Exit != nil || view.Started != nil {
				return nil
			}
			if !view.Locked {
				break
			}
			select {
			case <-time.After(busyPoll):
			case <-ctx.Done():
				return fmt.Errorf("waiting for another runner of the job: %w", ctx.Err())
			}
		}
	}
}

// Same compares the job under a key with the one that is being submitted.
func Same(held, wanted jobdir.Meta) error {
	if held.RequestDigest == wanted.RequestDigest && held.RunToken == wanted.RunToken && held.Attempt == wanted.Attempt {
		return nil
	}
	return pluginsdk.Rejected(pluginsdk.Config("",
		"the key %s belongs to another request (run %s, attempt %d): nothing was started", held.Key, held.RunID, held.Attempt))
}

// notMade explains why the job could not be made. Where there is no room for it nothing
// is lost by waiting: the same request is sent again, and no attempt is spent. But
// another Submit of the key may have made the job meanwhile.
func notMade(state jobdir.State, job jobdir.Job, err error) error {
	if _, held := job.ReadMeta(); !disk.Full(err) || !errors.Is(held, fs.ErrNotExist) {
		return NoState(state, err)
	}
	return pluginsdk.Rejected(pluginsdk.Unreachable(fmt.Errorf("the state directory %s has no room for another job: %w", state.Root(), err)))
}

// NoState explains why the state directory cannot be used. Nothing was started.
func NoState(state jobdir.State, err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errReadOnly) {
		return pluginsdk.Rejected(pluginsdk.Config("config.state_dir",
			"the state directory %s cannot be written; set state_dir to one that can: %w", state.Root(), err))
	}
	return err
}

// HandleOf is the handle of a job: version 1 of its format.
func HandleOf(job jobdir.Job, existing bool) pluginsdk.Handle {
	data, _ := json.Marshal(handleData{Key: job.Key})
	return pluginsdk.Handle{Version: 1, Data: data, Key: job.Key, Existing: existing, NativeName: job.Dir}
}

// FromHandle is the job that a handle means.
func FromHandle(state jobdir.State, h pluginsdk.Handle) (jobdir.Job, error) {
	var data handleData
	if err := json.Unmarshal(h.Data, &data); err != nil {
		return jobdir.Job{}, fmt.Errorf("the handle is damaged: %w", err)
	}
	return state.Job(data.Key)
}
