package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// sweepEvery is how often all jobs are listed, not only those that changed: a
	// deleted job changes nothing.
	sweepEvery = 2 * time.Minute
	// overlap is how far a list call looks back behind the latest change that is
	// known: changes of the same moment may be listed one after the other.
	overlap = time.Minute
	// askAlone is how many newcomers are asked for one by one: beyond it one list
	// call is cheaper.
	askAlone = 3
	// herdPages bounds the list call for newcomers: behind 2,000 younger jobs of
	// others they are asked for one by one.
	herdPages = 20
	// pageSize is the most that ListTrainingJobs gives.
	pageSize = 100
	// listShare is the part of the budget that list calls may use; the rest is for
	// the Describe of each change.
	listShare = 0.5
)

// listEvery is the least time between two list calls.
func listEvery(perMinute int) time.Duration {
	return time.Duration(float64(time.Minute) / (float64(perMinute) * listShare))
}

// remembered is what is known of a job that is not over.
type remembered struct {
	secondary types.SecondaryStatus
	modified  time.Time
	created   time.Time
	status    pluginsdk.Status
	// brief: from a list, which has neither messages nor transitions. It is asked
	// for alone when the budget has room.
	brief bool
}

// remember keeps what a Describe told, while the job is not over.
func (cl *client) remember(name string, d *api.DescribeTrainingJobOutput, s pluginsdk.Status) {
	cl.phases.Note(name, s.Phase)
	w := &cl.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Phase.Terminal() {
		delete(w.jobs, name)
		return
	}
	w.put(name, remembered{secondary: d.SecondaryStatus, modified: aws.ToTime(d.LastModifiedTime), created: aws.ToTime(d.CreationTime), status: s})
}

// put is called with mu held.
func (w *watched) put(name string, r remembered) {
	if w.jobs == nil {
		w.jobs = map[string]remembered{}
	}
	w.jobs[name] = r
}

// StatusBatch follows all runs with list calls: one about the jobs that changed,
// whose number does not depend on how many are watched, and now and then one
// about all. A job that is over is asked for alone; one that is new here or
// changed is, too, as long as the budget has room.
func (g *sagemaker) StatusBatch(ctx context.Context, c Config, hs []pluginsdk.Handle) ([]pluginsdk.StatusResult, error) {
	cl, err := g.open(ctx, c)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(hs))
	for i, h := range hs {
		if names[i], err = jobOf(h); err != nil {
			return nil, err
		}
	}
	listed, err := cl.list(ctx, names)
	if err != nil {
		return nil, err
	}
	w := &cl.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	// A part of the budget is for the ends of jobs.
	room := cl.states.Left() / 2
	results := make([]pluginsdk.StatusResult, len(hs))
	for i, name := range names {
		known, ok := w.jobs[name]
		now, isListed := listed.jobs[name]
		changed := isListed && (!ok || now.SecondaryStatus != known.secondary || aws.ToTime(now.LastModifiedTime).After(known.modified))
		switch {
		case isListed && mustAsk(now), !isListed && (!ok || listed.all):
			results[i].Err = pluginsdk.ErrAskSingly
			continue
		case (changed || known.brief) && room > 0:
			room--
			results[i].Err = pluginsdk.ErrAskSingly
			continue
		case changed:
			known = brief(now)
			w.put(name, known)
		}
		cl.phases.NoteAt(name, known.status.Phase, w.listed)
		results[i].Status = known.status
		results[i].Status.ObservedAt = w.listed
	}
	return results, nil
}

// mustAsk tells whether a list does not say enough: about an end, and about a
// start that SageMaker made by itself.
func mustAsk(j types.TrainingJobSummary) bool {
	switch j.SecondaryStatus {
	case types.SecondaryStatusInterrupted, types.SecondaryStatusRestarting:
		return true
	}
	return j.TrainingJobStatus != types.TrainingJobStatusInProgress && j.TrainingJobStatus != types.TrainingJobStatusStopping
}

// brief is what a list tells of a job.
func brief(j types.TrainingJobSummary) remembered {
	return remembered{
		secondary: j.SecondaryStatus, modified: aws.ToTime(j.LastModifiedTime), created: aws.ToTime(j.CreationTime), brief: true,
		status: statusOf(&api.DescribeTrainingJobOutput{TrainingJobStatus: j.TrainingJobStatus, SecondaryStatus: j.SecondaryStatus}),
	}
}

// listing is the answer of one list call.
type listing struct {
	jobs map[string]types.TrainingJobSummary
	// all: a watched job that is not in it does not exist, or is not listed yet.
	all bool
}

// list makes the list call when it is time, else it has nothing new to tell.
func (cl *client) list(ctx context.Context, names []string) (listing, error) {
	w := &cl.watched
	w.mu.Lock()
	var unknown int
	oldest := time.Time{}
	for _, name := range names {
		r, ok := w.jobs[name]
		if !ok {
			unknown++
		} else if oldest.IsZero() || r.created.Before(oldest) {
			oldest = r.created
		}
	}
	wait := listEvery(cl.config.MaxCallsPerMinute) - time.Since(w.listed)
	sweep := time.Since(w.swept) >= sweepEvery || w.newest.IsZero()
	newest := w.newest
	w.mu.Unlock()
	herd := unknown > askAlone
	if !herd && (unknown == len(names) || wait > 0) {
		return listing{}, nil
	}
	if wait > 0 { // many newcomers: one list call is cheaper than a question for each
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return listing{}, ctx.Err()
		}
	}
	in := &api.ListTrainingJobsInput{NameContains: aws.String(namePrefix), MaxResults: aws.Int32(pageSize), SortBy: types.SortByCreationTime, SortOrder: types.SortOrderDescending}
	switch {
	case herd: // when they were made is not known: the newest first
		sweep = false
	case sweep:
		in.CreationTimeAfter = aws.Time(oldest.Add(-overlap))
	default:
		in.LastModifiedTimeAfter = aws.Time(newest.Add(-overlap))
	}
	begun := time.Now()
	out := listing{jobs: map[string]types.TrainingJobSummary{}, all: sweep}
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	pages := 0
	for page := api.NewListTrainingJobsPaginator(cl.api, in); page.HasMorePages(); pages++ {
		if herd && (len(missing) == 0 || pages == herdPages) {
			break
		}
		if err := cl.states.Wait(ctx); err != nil {
			return listing{}, err
		}
		answer, err := page.NextPage(ctx)
		if err != nil {
			return listing{}, cl.ask(err)
		}
		for _, j := range answer.TrainingJobSummaries {
			name := aws.ToString(j.TrainingJobName)
			out.jobs[name] = j
			delete(missing, name)
			if m := aws.ToTime(j.LastModifiedTime); m.After(newest) {
				newest = m
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed, w.newest = begun, newest
	if sweep {
		w.swept = begun
	}
	return out, nil
}
