package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

const (
	// driverPoll is the pace of asking the master about a driver.
	driverPoll = time.Second
	// appRecord is the application that a driver's log named.
	appRecord = "app"
	// scanChunk is how much of a driver's log is searched at once.
	scanChunk = 256 << 10
)

// application of a driver, as it is noted.
type appNote struct {
	ID string `json:"id"`
}

// watchDriver asks the master until the driver is over.
func (f *spark) watchDriver(ctx context.Context, c Config, job jobdir.Job, d driver, report func(pluginsdk.Status)) error {
	tick := time.NewTicker(driverPoll)
	defer tick.Stop()
	var last pluginsdk.Status
	for {
		status, err := f.driverStatus(ctx, c, job, d)
		if err != nil {
			return err
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
		case <-tick.C:
		}
	}
}

// driverStatus reads the verdict that was stored, or asks the master. It stores the
// verdict, because a master forgets its drivers (spark.deploy.retainedDrivers).
func (f *spark) driverStatus(ctx context.Context, c Config, job jobdir.Job, d driver) (pluginsdk.Status, error) {
	if exit, err := job.ReadExit(); err == nil {
		return f.over(job, d, exit), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return pluginsdk.Status{}, pluginsdk.Unreachable(err)
	}
	if d.ID == "" {
		return pluginsdk.Status{}, pluginsdk.Unreachable(errors.New("the answer of the REST API was lost: the driver has no name to ask for"))
	}
	now, err := f.client(c, d).Driver(ctx, d.ID)
	if err != nil {
		return pluginsdk.Status{}, couldNotAsk(err)
	}
	_, cerr := job.ReadCancel()
	status, exit := judge(now, cerr == nil)
	a := f.application(ctx, c, job, d, now)
	if exit == nil {
		f.tell(ctx, &a, &status)
		f.seen.put(job.Dir, a)
		return status, nil
	}
	exit.StartedAt, exit.EndedAt = d.SentAt, time.Now().UTC()
	over := f.over(job, d, *exit)
	if exit.Phase != jobdir.Succeeded {
		if over, err = f.gone(ctx, c, job, a.app, over); err != nil || !over.Phase.Terminal() {
			return over, err
		}
	}
	if err := job.WriteExit(*exit, nil); err != nil && !errors.Is(err, jobdir.ErrExists) {
		return pluginsdk.Status{}, pluginsdk.Unreachable(err)
	}
	f.seen.forget(job.Dir)
	return over, nil
}

// over is the last status of a driver; its outputs lie in the shared directory.
func (f *spark) over(job jobdir.Job, d driver, exit jobdir.Exit) pluginsdk.Status {
	status := detached.Over(job, &exit)
	status.Outputs = detached.Outputs(shared{dir: d.Shared, key: job.Key}.outputs())
	return status
}

// judge turns the state of a driver (org.apache.spark.deploy.master.DriverState)
// into a status, or into a verdict.
func judge(d standalone.Driver, cancelled bool) (pluginsdk.Status, *jobdir.Exit) {
	status := pluginsdk.Status{NativeState: d.State, Message: d.Message}
	exit := &jobdir.Exit{Message: d.Message}
	switch d.State {
	case "SUBMITTED":
		status.Phase, status.Reason = pluginsdk.Queued, "WaitingForWorker"
		status.Message = "the master looks for a worker with room for the driver"
	case "RUNNING":
		status.Phase = pluginsdk.Running
	case "RELAUNCHING":
		// Never asked for: --supervise is off.
		status.Phase, status.Reason = pluginsdk.Provisioning, "Relaunching"
	case "UNKNOWN":
		status.Phase, status.Reason = pluginsdk.Running, "WorkerUnknown"
		status.Message = "the master does not know how the driver is: it recovers, or the worker is gone"
	case "FINISHED":
		exit.Phase = jobdir.Succeeded
		return status, exit
	case "FAILED":
		exit.Phase, exit.Class, exit.Reason = jobdir.Failed, jobdir.ClassUser, "DriverFailed"
		if exit.Message == "" {
			exit.Message = "the driver ended with an error; the REST API tells no exit code"
		}
		return status, exit
	case "ERROR":
		exit.Phase, exit.Class, exit.Reason = jobdir.Failed, jobdir.ClassSystem, "DriverError"
		if exit.Message == "" {
			// An exception is the worker's word that the driver is over. Without one it
			// is the master that has given the driver up, because it lost the worker or
			// did not find the driver again after its own restart (Master.removeWorker,
			// completeRecovery): the process is not ended by that.
			exit.Phase, exit.Class, exit.Reason = jobdir.Lost, jobdir.ClassLost, "WorkerLost"
			exit.Message = "the master has lost the worker that ran the driver, and gave the driver up: it may still run there; look before this is launched again"
		}
		return status, exit
	case "KILLED":
		exit.Phase, exit.Class, exit.Reason = jobdir.Cancelled, jobdir.ClassCancelled, "Killed"
		if !cancelled {
			exit.Message = "somebody else killed the driver"
		}
		return status, exit
	case "":
		exit.Phase, exit.Class, exit.Reason = jobdir.Lost, jobdir.ClassLost, "DriverForgotten"
		exit.Message = "the master knows no such driver (any more): it was restarted without recovery, or has forgotten it"
		return status, exit
	}
	if cancelled && status.Phase != 0 {
		status.Phase = pluginsdk.Cancelling
	}
	return status, nil // a state that is new: the last phase stays
}

// application learns the driver's application from its log, and notes it: a
// worker may be gone when it is needed.
func (f *spark) application(ctx context.Context, c Config, job jobdir.Job, d driver, now standalone.Driver) appSeen {
	a := f.seen.of(job.Dir)
	var note appNote
	if a.app == "" && job.ReadRecord(appRecord, &note) == nil {
		a.app = note.ID
	}
	if a.app != "" && a.ui != "" || a.offset >= scanMost || now.WorkerID == "" || now.State == "SUBMITTED" {
		return a
	}
	client := f.client(c, d)
	ui, err := workerUI(ctx, client, c, now.WorkerID)
	if err != nil {
		return a
	}
	chunk, err := client.Log(ctx, ui, d.ID, "stderr", a.offset, scanChunk)
	if err != nil {
		return a
	}
	host, _, err := net.SplitHostPort(now.WorkerHostPort)
	if err != nil {
		return a
	}
	known := a.app
	a.scan(chunk.Text, host)
	const again = 8 << 10
	a.offset = chunk.Start + max(0, chunk.End-chunk.Start-again)
	if a.app != known {
		_ = job.PutRecord(appRecord, appNote{ID: a.app})
	}
	return a
}

// workerUI finds the address of a worker's web UI.
func workerUI(ctx context.Context, client *standalone.Client, c Config, worker string) (string, error) {
	m, err := client.Master(ctx, c.uis())
	if err != nil {
		return "", err
	}
	for _, w := range m.Workers {
		if w.ID == worker {
			return w.UI, nil
		}
	}
	return "", fmt.Errorf("the master has no worker %s (any more)", worker)
}

// couldNotAsk is what an error of the REST API means for a question.
func couldNotAsk(err error) error {
	var refused *standalone.RefusedError
	if errors.As(err, &refused) && (refused.Status == 401 || refused.Status == 403) {
		return pluginsdk.Auth(err)
	}
	return pluginsdk.Unreachable(err)
}
