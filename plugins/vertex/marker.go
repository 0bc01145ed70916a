package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/label"
)

// The marker of a key is an object in the config's bucket that exactly one
// process creates (ifGenerationMatch=0). It is made before the job and completed
// with the job's name behind it. Beside it lies an empty object that lists the
// key under the hash of its run token: lists of Cloud Storage are consistent,
// lists of Vertex AI are not documented to be.
//
// What each crash leaves, and what it means to whoever comes next:
//
//	nothing           the creating call was never made
//	token             the same
//	token, marker     the creating call may have been made: look for the job by
//	                  label, never create
//	... with a name   the job was made: read it by its name
//
// A marker is removed where the creating call was certainly refused, and with
// the job's record. It is no leftover: it is what keeps the key taken.

// Limits of markers.
const (
	// markTries is how often making a marker is tried: nothing exists before it,
	// and a second try that finds the first one's marker knows it by its nonce.
	markTries = 3
	markPause = 200 * time.Millisecond
)

// marker is the content of the object.
type marker struct {
	Key    string    `json:"key"`
	Digest string    `json:"digest"`
	Run    string    `json:"run"`
	Nonce  string    `json:"nonce"`
	At     time.Time `json:"at"`
	// Job is the resource name, once the job is made.
	Job string `json:"job,omitempty"`
}

// claim is a marker that this call made, or found.
type claim struct {
	ours       bool
	held       marker
	generation int64
}

func (c Config) marker(key string) string { return c.object("stephost/keys/" + key) }

// tokenMarker lists a key by the hash of its run token.
func (c Config) tokenMarker(hash, key string) string {
	return c.object("stephost/tokens/" + hash + "/" + key)
}

// claim creates the key's marker, or reads the one that is there. nil: there is
// no bucket.
func (q *session) claim(ctx context.Context, s *pluginsdk.Step) (*claim, error) {
	bucket, _ := q.c.bucket()
	if bucket == "" {
		return nil, nil
	}
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, pluginsdk.Rejected(err)
	}
	m := marker{Key: s.Key, Digest: s.RequestDigest, Run: s.RunID, Nonce: hex.EncodeToString(nonce[:]), At: time.Now().UTC()}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, pluginsdk.Rejected(err)
	}
	if err := q.put(ctx, bucket, q.c.tokenMarker(label.Token(s.Token), s.Key), []byte("{}")); err != nil {
		return nil, pluginsdk.Rejected(q.bucketError(bucket, err))
	}
	for try := 1; ; try++ {
		made, err := q.PutObject(ctx, bucket, q.c.marker(s.Key), data, 0)
		if err == nil {
			return &claim{ours: true, held: m, generation: made.Generation}, nil
		}
		if gcp.IsHTTP(err, http.StatusPreconditionFailed) {
			return q.held(ctx, bucket, s, m.Nonce)
		}
		if try == markTries || ctx.Err() != nil || !transient(err) {
			// Perhaps it was made all the same. Then the next Submit finds it, with
			// another nonce, and looks for a job that is not there.
			return nil, pluginsdk.Rejected(q.bucketError(bucket, err))
		}
		pause(ctx, markPause*time.Duration(try))
	}
}

// put writes an object that may be there already.
func (q *session) put(ctx context.Context, bucket, name string, data []byte) error {
	for try := 1; ; try++ {
		_, err := q.PutObject(ctx, bucket, name, data, 0)
		if err == nil || gcp.IsHTTP(err, http.StatusPreconditionFailed) {
			return nil
		}
		if try == markTries || ctx.Err() != nil || !transient(err) {
			return err
		}
		pause(ctx, markPause*time.Duration(try))
	}
}

// held reads the marker that is there. It may be this call's own, whose answer
// was lost.
func (q *session) held(ctx context.Context, bucket string, s *pluginsdk.Step, nonce string) (*claim, error) {
	m, generation, err := q.readMarker(ctx, bucket, q.c.marker(s.Key))
	if err != nil {
		return nil, q.bucketError(bucket, err)
	}
	if m.Nonce == nonce {
		return &claim{ours: true, held: m, generation: generation}, nil
	}
	if m.Digest != s.RequestDigest {
		return nil, same(label.Digest(m.Digest), s)
	}
	return &claim{held: m, generation: generation}, nil
}

func (q *session) readMarker(ctx context.Context, bucket, name string) (marker, int64, error) {
	data, generation, err := q.GetObject(ctx, bucket, name)
	var m marker
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	return m, generation, err
}

// unclaim removes the marker of a call that was certainly refused.
func (q *session) unclaim(ctx context.Context, m *claim) error {
	if m == nil || !m.ours {
		return nil
	}
	bucket, _ := q.c.bucket()
	for try := 1; ; try++ {
		err := q.DeleteObject(ctx, bucket, q.c.marker(m.held.Key), m.generation)
		if err == nil || gcp.IsHTTP(err, http.StatusPreconditionFailed) {
			return nil
		}
		if try == markTries || ctx.Err() != nil {
			return q.bucketError(bucket, err)
		}
		pause(ctx, markPause*time.Duration(try))
	}
}

// complete writes the job's name into the marker. Where that fails the job is
// found by its label.
func (q *session) complete(ctx context.Context, m *claim, job string) {
	if m == nil || !m.ours {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	m.held.Job = job
	bucket, _ := q.c.bucket()
	data, err := json.Marshal(m.held)
	if err == nil {
		_, err = q.PutObject(ctx, bucket, q.c.marker(m.held.Key), data, m.generation)
	}
	if err != nil {
		pluginsdk.Logger(ctx).Warn("the key's marker has not got the job's name; the job is found by its label", "job", job, "error", err)
	}
}

// bucketError names the attribute that an error of the bucket is about.
func (q *session) bucketError(bucket string, err error) error {
	switch {
	case gcp.IsHTTP(err, http.StatusNotFound):
		return pluginsdk.Config("config.bucket_name", "there is no bucket %s: %w", bucket, err)
	case gcp.IsHTTP(err, http.StatusForbidden):
		return pluginsdk.Config("config.bucket_name", "%s may not use the bucket %s: %w", account(q.Who()), bucket, err)
	}
	return q.ask(err)
}

func account(who string) string {
	if who == "" {
		return "this login"
	}
	return who
}

// transient tells whether a second try makes sense.
func transient(err error) bool {
	var refused *gcp.HTTPError
	if errors.As(err, &refused) {
		return refused.Code >= http.StatusInternalServerError || refused.Code == http.StatusTooManyRequests
	}
	var no *gcp.CredentialsError
	return !errors.As(err, &no)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
