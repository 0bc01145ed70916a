package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/stephost/stephost/internal/failpoint"
	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

const (
	// restRecord marks a job of the REST API, before anything was sent; driverRecord
	// is the answer.
	restRecord   = "rest"
	driverRecord = "driver"
	// otherPoll is how often a Submit looks for the answer that another Submit of
	// the key waits for.
	otherPoll = 50 * time.Millisecond
)

// driver is what is known about a job of the REST API.
type driver struct {
	// ID is the master's name for the driver; "" = sent, and not answered.
	ID     string    `json:"id,omitempty"`
	REST   string    `json:"rest"`
	Shared string    `json:"shared_dir"`
	SentAt time.Time `json:"sent_at"`
}

// driverOf reads it. is = the job is one of the REST API.
func driverOf(job jobdir.Job) (d driver, is bool, err error) {
	err = job.ReadRecord(driverRecord, &d)
	if err == nil {
		return d, true, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return d, false, err
	}
	err = job.ReadRecord(restRecord, &d)
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	return d, err == nil, err
}

// submitCluster asks the master for a driver, at most once in the life of a key.
//
// Crash cases: dying before `started` exists means that nothing was sent, and the
// next Submit sends. Dying behind it, or an answer that is lost, means that a
// driver may exist: nobody sends again, and nobody can look, so the run is unknown
// until a person says what the master's web UI shows. Dying between the answer and
// its record is the same case.
func (f *spark) submitCluster(ctx context.Context, c Config, state jobdir.State, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	job, err := state.Job(s.Key)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	meta := jobdir.Meta{RunToken: s.Token, RunID: s.RunID, Attempt: int32(s.Attempt),
		RequestDigest: s.RequestDigest, Name: s.Name, CreatedAt: time.Now().UTC()}
	held, err := job.ReadMeta()
	existing := err == nil
	if existing {
		if err := detached.Same(held, meta); err != nil {
			return pluginsdk.Handle{}, err
		}
		if _, err := job.ReadStarted(); err == nil {
			return awaitDriver(ctx, job)
		}
	}
	b, err := f.build(c, job, s)
	if err == nil {
		err = f.stage(ctx, c, b, job, s, func(string) {})
	}
	switch {
	case err != nil && existing:
		return pluginsdk.Handle{}, err // another Submit of the key may have got further
	case err != nil:
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if !existing {
		held, _, err := state.Create(job, meta)
		if err != nil {
			return pluginsdk.Handle{}, detached.NoState(state, err)
		}
		if err := detached.Same(held, meta); err != nil {
			return pluginsdk.Handle{}, err
		}
	}
	lock, err := jobdir.TryLock(job.Lock())
	if errors.Is(err, jobdir.ErrBusy) {
		return awaitDriver(ctx, job)
	} else if err != nil {
		return pluginsdk.Handle{}, err
	}
	defer lock.Close()
	// Another Submit may have sent it, and ended, since this one looked.
	if _, err := job.ReadStarted(); err == nil {
		return answered(job)
	}
	return f.create(ctx, c, state, job, b, s)
}

// create sends the one request. It holds the lock, and nothing was sent.
func (f *spark) create(ctx context.Context, c Config, state jobdir.State, job jobdir.Job, b *built, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	d := driver{REST: c.rest(), Shared: c.SharedDir, SentAt: time.Now().UTC()}
	if err := job.PutRecord(restRecord, d); err != nil {
		return pluginsdk.Handle{}, detached.NoState(state, err)
	}
	if err := state.MarkStarted(job, jobdir.Started{At: d.SentAt}); err != nil {
		return pluginsdk.Handle{}, err
	}
	failpoint.Hit("plugin-rest-marked")
	request := *b.request
	request.EnvironmentOf = map[string]string{}
	for _, kv := range b.env {
		name, value, _ := strings.Cut(kv, "=")
		request.EnvironmentOf[name] = value
	}
	client := f.client(c, d)
	id, err := client.Create(ctx, request)
	var refused *standalone.RefusedError
	switch {
	case errors.As(err, &refused):
		// The master has said no: the key is free again.
		rerr := state.Remove(job)
		if rerr != nil {
			return pluginsdk.Handle{}, errors.Join(err, rerr)
		}
		if refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden {
			return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Auth(err))
		}
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("", "%w", err))
	case errors.Is(err, standalone.ErrNotSent):
		if uerr := job.Unmark(); uerr != nil {
			return pluginsdk.Handle{}, errors.Join(err, uerr)
		}
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Unreachable(err))
	case err != nil:
		return pluginsdk.Handle{}, fmt.Errorf("whether the master made a driver is not known: %w", err)
	}
	failpoint.Hit("plugin-rest-answered")
	d.ID = id
	if err := job.PutRecord(driverRecord, d); err != nil {
		return pluginsdk.Handle{}, fmt.Errorf("the master made %s, which could not be noted: %w", id, err)
	}
	return driverHandle(job, d, false), nil
}

// awaitDriver is the answer of a Submit that came second.
func awaitDriver(ctx context.Context, job jobdir.Job) (pluginsdk.Handle, error) {
	for {
		d, is, err := driverOf(job)
		if err != nil {
			return pluginsdk.Handle{}, err
		}
		if is && d.ID != "" {
			return driverHandle(job, d, true), nil
		}
		locked, err := jobdir.Locked(job.Lock())
		if err != nil {
			return pluginsdk.Handle{}, err
		}
		if !locked {
			// Between the two questions it may have been answered.
			return answered(job)
		}
		select {
		case <-ctx.Done():
			return pluginsdk.Handle{}, ctx.Err()
		case <-time.After(otherPoll):
		}
	}
}

// answered is what is known about a request of the key when nobody waits for its
// answer.
func answered(job jobdir.Job) (pluginsdk.Handle, error) {
	d, is, err := driverOf(job)
	if err != nil {
		return pluginsdk.Handle{}, err
	}
	if is && d.ID != "" {
		return driverHandle(job, d, true), nil
	}
	if _, err := job.ReadStarted(); err == nil {
		return pluginsdk.Handle{}, fmt.Errorf("the request for a driver was sent at %s and its answer was lost: %s may have one that runs %s; nothing is sent again",
			d.SentAt.Format(time.RFC3339), d.REST, job.Key)
	}
	// Find says that it is incomplete, so it comes again.
	return pluginsdk.Handle{}, errors.New("another Submit of the key ended before it sent anything")
}

func driverHandle(job jobdir.Job, d driver, existing bool) pluginsdk.Handle {
	h := detached.HandleOf(job, existing)
	h.NativeName = d.ID
	return h
}

// foundDriver corrects what the files of a process would say about a job of the
// REST API.
func (f *spark) foundDriver(job jobdir.Job, one *pluginsdk.Job) (is, undetermined bool, err error) {
	d, is, err := driverOf(job)
	if err != nil || !is {
		return false, false, err
	}
	if d.ID != "" {
		one.Handle.NativeName = d.ID
		if _, err := job.ReadExit(); err != nil {
			one.Phase = pluginsdk.Running // the rest is the master's to say
		}
		return true, false, nil
	}
	_, err = job.ReadStarted()
	if errors.Is(err, fs.ErrNotExist) {
		return true, false, nil // nothing was sent: incomplete
	}
	return true, err == nil, err
}

// jobOf is the job that a handle means. The one that a person writes for a request
// whose answer was lost (`stephost run resolve --handle`) holds the name of the driver
// as well, which is noted as if it were the answer.
func jobOf(state jobdir.State, h pluginsdk.Handle) (jobdir.Job, error) {
	job, err := detached.FromHandle(state, h)
	if err != nil {
		return jobdir.Job{}, err
	}
	var word struct {
		Driver string `json:"driver"`
	}
	if err := json.Unmarshal(h.Data, &word); err != nil || word.Driver == "" {
		return job, err
	}
	d, is, err := driverOf(job)
	switch {
	case err != nil:
		return jobdir.Job{}, pluginsdk.Unreachable(err)
	case !is:
		return jobdir.Job{}, fmt.Errorf("the handle names the driver %q, and nothing was sent to a REST API for %s", word.Driver, job.Key)
	case d.ID == word.Driver:
		return job, nil
	case d.ID != "":
		return jobdir.Job{}, fmt.Errorf("the handle names the driver %q, and the master has made %s for %s", word.Driver, d.ID, job.Key)
	}
	d.ID = word.Driver
	return job, job.PutRecord(driverRecord, d)
}

func (f *spark) client(c Config, d driver) *standalone.Client {
	return &standalone.Client{REST: d.REST, Token: c.RestToken.Reveal(), HTTP: f.seen.http}
}

func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}
