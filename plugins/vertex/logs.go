package main

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/follow"
)

// Limits of reading logs. The times are assumptions about Cloud Logging, for
// which it promises nothing.
const (
	// logPage is the most that the API gives for one call.
	logPage = 1000
	// hold is how long an entry waits for others with an earlier time: the nodes'
	// agents send in batches, about every second.
	hold = 2 * time.Second
	// overlap is read again with each question: entries do not become readable
	// exactly in the order in which they were received.
	overlap = 5 * time.Second
	// mostSkew is how far the clock of the service is behind this machine's at
	// most, where nothing tells better.
	mostSkew = 30 * time.Second
	// logFirst and logMost bound the pause between two questions. 60 a minute is
	// the quota of a whole project.
	logFirst = time.Second
	logMost  = 10 * time.Second
	// endQuiet is how long a log must be quiet after the end of the job before it
	// counts as whole, endMost how long it is waited for at most: the host waits a
	// minute.
	endQuiet = 5 * time.Second
	endMost  = 45 * time.Second
	// before the job was created it logged nothing, as far as clocks agree.
	clockSkew = time.Minute
)

// Logs reads Cloud Logging: first everything behind the cursors, then, with
// Follow, what is new, until the job is over and its log is quiet. One question
// asks for the entries of all nodes and both streams.
//
// A position is an entry's time and insert ID, because entries are sorted by
// them; and the latest time at which an entry that was read had been received,
// because an entry may arrive late, with a time that was passed already. Such an
// entry is written behind its place rather than lost. While others that were received
// with it are still to be written, the position names it, too.
func (v *vertex) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	t := &tail{v: v, c: c, d: d, w: w, sorter: newSorter(d, r)}
	var quiet, over time.Time
	begun := false
	pause := follow.Pause{First: logFirst, Most: logMost}
	for {
		ended, err := t.over(ctx)
		if err != nil {
			return err
		}
		var news bool
		// The quota of the log is the project's: a job that waits has none to ask for.
		if begun || !r.Follow || !v.phases.Waits(d.Job) {
			if news, err = t.read(ctx); err != nil {
				return err
			}
			begun = begun || news
		}
		now := time.Now()
		if !r.Follow {
			return t.write(t.sorter.due(now, true))
		}
		if err := t.write(t.sorter.due(now, false)); err != nil {
			return err
		}
		if news || quiet.IsZero() {
			quiet = now
			pause.News()
		}
		if ended && over.IsZero() {
			over = now
		}
		if ended && (min(now.Sub(over), now.Sub(quiet)) >= endQuiet || now.Sub(over) >= endMost) {
			return t.write(t.sorter.due(now, true))
		}
		bound := logMost
		if ended {
			bound = logFirst
		}
		if t.sorter.waiting() {
			bound = min(bound, hold)
		}
		if err := pause.Wait(ctx, bound); err != nil {
			return err
		}
	}
}

// tail is one call of Logs.
type tail struct {
	v      *vertex
	c      Config
	d      handleData
	w      *pluginsdk.LogWriter
	sorter *sorter
}

// over tells whether the job is over. Whoever watches the job has just been told
// that; only without one it is asked.
func (t *tail) over(ctx context.Context) (bool, error) {
	if over, ok := t.v.phases.Over(t.d.Job); ok {
		return over, nil
	}
	q, err := t.v.open(ctx, t.c)
	if err != nil {
		return false, err
	}
	if err := q.states().Wait(ctx); err != nil {
		return false, err
	}
	job, err := q.Jobs.GetCustomJob(ctx, &aiplatformpb.GetCustomJobRequest{Name: t.d.Job})
	phase := pluginsdk.Lost
	switch {
	case err == nil:
		phase = phaseOf(job.GetState())
	case !gcp.IsNotFound(err):
		return false, q.ask(err)
	}
	// An answer to a reader does not say that a job waits: who reads without a
	// watch reads what there is.
	if phase != pluginsdk.Queued && phase != pluginsdk.Provisioning {
		t.v.phases.Note(t.d.Job, phase)
	}
	return phase.Terminal(), nil
}

// read asks for everything that is new, page by page, and writes what is due in
// between: a log of a gigabyte is never in memory.
func (t *tail) read(ctx context.Context) (news bool, err error) {
	// The client is taken anew: this call lives long, and a login may be renewed.
	q, err := t.v.open(ctx, t.c)
	if err != nil {
		return false, err
	}
	t.sorter.begin(time.Now())
	r := &loggingpb.ListLogEntriesRequest{
		ResourceNames: []string{"projects/" + q.project}, Filter: t.filter(), OrderBy: "timestamp asc", PageSize: logPage,
	}
	for {
		if err := q.logCalls().Wait(ctx); err != nil {
			return news, err
		}
		page, err := q.Logging.ListLogEntries(ctx, r)
		if err != nil {
			return news, q.ask(err)
		}
		now := time.Now()
		for _, e := range page.GetEntries() {
			if t.sorter.add(e, now) {
				news = true
			}
		}
		if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
			return news, nil
		}
		if err := t.write(t.sorter.due(now, false)); err != nil {
			return news, err
		}
	}
}

// filter is the question, in the query language of Cloud Logging
// (https://cloud.google.com/logging/docs/view/logging-query-language). Entries
// of Vertex AI itself have the task "service" and belong to no step.
func (t *tail) filter() string {
	f := fmt.Sprintf(`resource.type="ml_job" AND resource.labels.job_id="%s" AND resource.labels.task_name:"workerpool" AND timestamp>="%s"`,
		t.d.id(), stamp(t.d.Created.Add(-clockSkew)))
	received, behind := t.sorter.bounds()
	switch {
	case received.IsZero():
	case behind.IsZero():
		f += fmt.Sprintf(` AND receiveTimestamp>="%s"`, stamp(received))
	default:
		f += fmt.Sprintf(` AND (receiveTimestamp>="%s" OR timestamp>="%s")`, stamp(received), stamp(behind))
	}
	return f
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (t *tail) write(lines []line) error {
	for _, l := range lines {
		if err := t.w.Entry(l.source, pluginsdk.LogEntry{Time: l.at.time(), Data: append([]byte(l.text), '\n'), Cursor: l.cursor}); err != nil {
			return err
		}
	}
	return nil
}
