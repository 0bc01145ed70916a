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
	// pageSize is the most that ListTrainingJobs gives.
	pageSize = 100
)

// remembered is a job's last Describe.
type remembered struct {
	secondary types.SecondaryStatus
	modified  time.Time
	created   time.Time
	status    pluginsdk.Status
}

// remember keeps what a Describe told, while the job is not over.
func (cl *client) remember(name string, d *api.DescribeTrainingJobOutput, s pluginsdk.Status) {
	w := &cl.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Phase.Terminal() {
		delete(w.jobs, name)
		return
	}
	if w.jobs == nil {
		w.jobs = map[string]remembered{}
	}
	w.jobs[name] = remembered{secondary: d.SecondaryStatus, modified: aws.ToTime(d.LastModifiedTime), created: aws.ToTime(d.CreationTime), status: s}
}

// StatusBatch follows all runs with list calls: one about the jobs that changed,
// whose number does not depend on how many are watched, and now and then one
// about all. A job that is new here, or changed, is asked for alone.
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
	results := make([]pluginsdk.StatusResult, len(hs))
	for i, name := range names {
		known, ok := w.jobs[name]
		if !ok || listed.changed(name, known) {
			results[i].Err = pluginsdk.ErrAskSingly
			continue
		}
		results[i].Status = known.status
		results[i].Status.ObservedAt = w.listed
	}
	return results, nil
}

// listing is the answer of one list call.
type listing struct {
	jobs map[string]types.TrainingJobSummary
	// all: a watched job that is not in it does not exist, or is not listed yet.
	all bool
}

func (l listing) changed(name string, known remembered) bool {
	now, ok := l.jobs[name]
	if !ok {
		return l.all
	}
	return now.SecondaryStatus != known.secondary || aws.ToTime(now.LastModifiedTime).After(known.modified)
}

// list makes the list call when it is time, else it has nothing new to tell.
func (cl *client) list(ctx context.Context, names []string) (listing, error) {
	w := &cl.watched
	w.mu.Lock()
	known := 0
	oldest := time.Time{}
	for _, name := range names {
		if r, ok := w.jobs[name]; ok {
			known++
			if oldest.IsZero() || r.created.Before(oldest) {
				oldest = r.created
			}
		}
	}
	// Nobody here has ever been asked for, or it is too early.
	early := time.Since(w.listed) < listEvery(cl.config.MaxCallsPerMinute)
	sweep := time.Since(w.swept) >= sweepEvery || w.newest.IsZero()
	newest := w.newest
	w.mu.Unlock()
	if known == 0 || early {
		return listing{}, nil
	}
	in := &api.ListTrainingJobsInput{NameContains: aws.String(namePrefix), MaxResults: aws.Int32(pageSize), SortBy: types.SortByCreationTime, SortOrder: types.SortOrderDescending}
	if sweep {
		in.CreationTimeAfter = aws.Time(oldest.Add(-overlap))
	} else {
		in.LastModifiedTimeAfter = aws.Time(newest.Add(-overlap))
	}
	begun := time.Now()
	out := listing{jobs: map[string]types.TrainingJobSummary{}, all: sweep}
	for page := api.NewListTrainingJobsPaginator(cl.api, in); page.HasMorePages(); {
		if err := cl.spend(ctx); err != nil {
			return listing{}, err
		}
		answer, err := page.NextPage(ctx)
		if err != nil {
			return listing{}, cl.ask(err)
		}
		for _, j := range answer.TrainingJobSummaries {
			out.jobs[aws.ToString(j.TrainingJobName)] = j
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
