package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/label"
)

// Limits of Submit.
const (
	// connectTimeout bounds the making of a connection. What it fails on was never
	// sent.
	connectTimeout = 15 * time.Second
	// createTimeout bounds the creating call, below what is left of the contract's
	// 60 s, so that the answer is this function's own.
	createTimeout = 35 * time.Second
	// markTimeout bounds the completion of the marker: the job is there already.
	markTimeout = 5 * time.Second
)

// Submit looks whether the key has a job, and creates it. CreateCustomJob takes
// no key, so there is a first line and a second one:
//
//   - without a bucket, a list by label: two Submits of one key at the same time,
//     or a list that is late, could make two jobs. The host sends a request of a
//     flavor with idempotency "search" once, so it takes two hosts with one token
//     at the same instant.
//   - with a bucket, the key's marker, which exactly one of them creates
//     (marker.go).
//
// Crash cases: the process dies before the marker (nothing exists); between
// marker and answer (the job may exist: Find looks for it by label, and nobody
// creates it again); behind the answer (the same, and the job is found).
func (v *vertex) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	b, err := v.build(c, s, true)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	s.WarnAll(b.warnings)
	q, err := v.open(ctx, c)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if err := q.connected(ctx); err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(gcp.Ask(err))
	}
	m, err := q.claim(ctx, s)
	if err != nil {
		return pluginsdk.Handle{}, err
	}
	if m == nil || !m.ours {
		job, err := q.existing(ctx, s, m)
		if err != nil {
			return pluginsdk.Handle{}, err
		}
		if job != nil {
			return c.handleOf(q.project, job, true), nil
		}
	}
	job, err := q.create(ctx, b.request)
	if err != nil {
		why, certain := gcp.Refused(err)
		if gcp.Unauthenticated(err) {
			v.clients.Drop(q.key)
		}
		if !certain {
			return pluginsdk.Handle{}, fmt.Errorf("whether Vertex AI has made the job is not known: %w", why)
		}
		if err := q.unclaim(ctx, m); err != nil {
			// The marker stays and says "somebody may have created it". That is not
			// true, but a second request must then not be sent.
			return pluginsdk.Handle{}, errors.Join(why, err)
		}
		return pluginsdk.Handle{}, pluginsdk.Rejected(why)
	}
	q.complete(ctx, m, job.GetName())
	return c.handleOf(q.project, job, false), nil
}

func (q *session) connected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return q.Connected(ctx)
}

// create makes the one creating call.
func (q *session) create(ctx context.Context, r *aiplatformpb.CreateCustomJobRequest) (*aiplatformpb.CustomJob, error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	return q.Jobs.CreateCustomJob(ctx, r)
}

// existing is the job that the key has already, or nil where it may be created.
func (q *session) existing(ctx context.Context, s *pluginsdk.Step, m *claim) (*aiplatformpb.CustomJob, error) {
	jobs, err := q.jobs(ctx, s.Key, m)
	if err != nil {
		// Nothing was sent, and nothing may be sent before it is known.
		if m != nil {
			return nil, q.ask(err)
		}
		return nil, pluginsdk.Rejected(q.ask(err))
	}
	switch {
	case len(jobs) > 0:
		return jobs[0], same(jobs[0].GetLabels()[labelDigest], s)
	case m == nil:
		return nil, nil
	}
	// Another process holds the marker, and its job is not listed (yet).
	return nil, fmt.Errorf("another launch of this attempt began at %s and may have created the job; it is not listed yet", m.held.At.Format(time.RFC3339))
}

// jobs are those of a key: the one that its marker names, else those that are
// listed.
func (q *session) jobs(ctx context.Context, key string, m *claim) ([]*aiplatformpb.CustomJob, error) {
	if m != nil && m.held.Job != "" {
		job, err := q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: m.held.Job})
		return []*aiplatformpb.CustomJob{job}, err
	}
	return q.list(ctx, labelKey, key)
}

// same compares the digest of the job under a key with the one that is being
// submitted.
func same(digest string, s *pluginsdk.Step) error {
	if digest == label.Digest(s.RequestDigest) {
		return nil
	}
	return pluginsdk.Rejected(pluginsdk.Config("", "the key %s belongs to another request: nothing was created", s.Key))
}
