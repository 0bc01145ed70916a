package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/label"
)

// Limits of Find.
const (
	// pageSize of lists of jobs: the most that the API gives (assumption: the
	// common limit of Google's list calls).
	pageSize = 100
	// askAgain is how soon a job that may be listed late is looked for again.
	askAgain = 2 * time.Second
	// mostAttempts bounds what is read for one run token.
	mostAttempts = 1000
)

// Find looks for jobs by their labels, and, with a bucket, by their markers.
//
// An empty list is UNDETERMINED: it may be late. With a bucket the answer is
// certain where no marker exists, because no job is made before its marker.
func (v *vertex) Find(ctx context.Context, c Config, query pluginsdk.Query) (pluginsdk.Found, error) {
	q, err := v.open(ctx, c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	name, value := labelKey, query.Key
	if query.Key == "" {
		name, value = labelToken, label.Token(query.Token)
	}
	jobs, err := q.list(ctx, name, value)
	if err != nil {
		return pluginsdk.Found{}, q.ask(err)
	}
	found, missing := pluginsdk.Found{}, true
	listed := map[string]bool{}
	for _, job := range jobs {
		listed[job.GetLabels()[labelKey]] = true
		found.Jobs = append(found.Jobs, q.found(job))
	}
	if bucket, _ := c.bucket(); bucket != "" {
		keys := []string{query.Key}
		if query.Key == "" {
			if keys, err = q.keysOf(ctx, bucket, value); err != nil {
				return pluginsdk.Found{}, err
			}
		}
		missing = false
		for _, key := range keys {
			if listed[key] {
				continue
			}
			job, open, err := q.marked(ctx, bucket, key)
			if err != nil {
				return pluginsdk.Found{}, err
			}
			if job != nil {
				found.Jobs = append(found.Jobs, q.found(job))
			}
			missing = missing || open
		}
	}
	if missing && len(found.Jobs) == 0 {
		found.Undetermined, found.AskAgainAfter = true, askAgain
	}
	return found, nil
}

// keysOf are the keys that have been submitted for a run token.
func (q *session) keysOf(ctx context.Context, bucket, hash string) ([]string, error) {
	prefix := q.c.tokenMarker(hash, "")
	objects, err := q.ListObjects(ctx, bucket, prefix, mostAttempts)
	if err != nil {
		return nil, q.bucketError(bucket, err)
	}
	var keys []string
	for _, o := range objects {
		keys = append(keys, strings.TrimPrefix(o.Name, prefix))
	}
	return keys, nil
}

// marked reads the job of a key's marker. open: the creating call may have been
// made, and the job is not known.
func (q *session) marked(ctx context.Context, bucket, key string) (job *aiplatformpb.CustomJob, open bool, err error) {
	m, _, err := q.readMarker(ctx, bucket, q.c.marker(key))
	if gcp.IsHTTP(err, http.StatusNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, q.bucketError(bucket, err)
	}
	if m.Job == "" {
		return nil, true, nil
	}
	if err := q.states().Wait(ctx); err != nil {
		return nil, false, err
	}
	job, err = q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: m.Job})
	if gcp.IsNotFound(err) {
		return nil, false, nil // deleted
	}
	return job, false, q.ask(err)
}

// list lists the jobs with a label.
func (q *session) list(ctx context.Context, name, value string) ([]*aiplatformpb.CustomJob, error) {
	return q.listBy(ctx, "labels."+name+"="+value, mostAttempts)
}

// listBy reads all pages of a list.
func (q *session) listBy(ctx context.Context, filter string, most int) ([]*aiplatformpb.CustomJob, error) {
	var jobs []*aiplatformpb.CustomJob
	r := &aiplatformpb.ListCustomJobsRequest{Parent: q.parent(), Filter: filter, PageSize: pageSize}
	for {
		if err := q.states().Wait(ctx); err != nil {
			return nil, err
		}
		page, err := q.Jobs.ListCustomJobs(ctx, r)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, page.GetCustomJobs()...)
		if r.PageToken = page.GetNextPageToken(); r.PageToken == "" || len(jobs) >= most {
			return jobs, nil
		}
	}
}

func (q *session) found(job *aiplatformpb.CustomJob) pluginsdk.Job {
	return pluginsdk.Job{
		Handle: q.c.handleOf(q.project, job, false), Attempt: attemptOf(job),
		RequestDigest: label.FromDigest(job.GetLabels()[labelDigest]), Phase: phaseOf(job.GetState()),
		CreatedAt: job.GetCreateTime().AsTime(), RunID: variableOf(job, envRun),
	}
}

func attemptOf(job *aiplatformpb.CustomJob) int {
	n, _ := strconv.Atoi(job.GetLabels()[labelAttempt])
	return n
}

// variableOf is a variable of the job's containers.
func variableOf(job *aiplatformpb.CustomJob, name string) string {
	for _, pool := range job.GetJobSpec().GetWorkerPoolSpecs() {
		for _, v := range pool.GetContainerSpec().GetEnv() {
			if v.GetName() == name {
				return unescape(v.GetValue())
			}
		}
	}
	return ""
}
