package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/follow"
)

// logGroup is where SageMaker writes what containers of training jobs print
// (https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html).
const logGroup = "/aws/sagemaker/TrainingJobs"

const (
	// logFirst and logMost bound the pause between two looks at a log: live enough
	// for a person, and cheap for a job that says nothing.
	logFirst = 200 * time.Millisecond
	logMost  = 5 * time.Second
	// relist is how often streams are looked for once every node has one: a
	// restarted job gets new ones.
	relist = 30 * time.Second
	// longOver: behind that nothing comes late any more.
	longOver = 2 * time.Minute
	// lateWindow is how far the last reading looks back for lines that arrived
	// behind later ones.
	lateWindow = 2 * time.Minute
)

// Logs reads CloudWatch: one source for each node and start of the job. stdout
// and stderr are one stream there.
func (g *sagemaker) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	data, err := readHandle(h)
	if err != nil {
		return err
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return err
	}
	l := &logReader{cl: cl, job: data.Job, attempt: data.Attempt, request: r, out: w, streams: map[string]*logStream{}}
	pause := follow.Pause{First: logFirst, Most: logMost}
	quiet := time.Now()
	for {
		// First the state, then the log: what is there once the job is over, and a
		// little later, is all there will be.
		ended, err := l.over(ctx)
		if err != nil {
			return err
		}
		news, err := l.read(ctx, !ended.IsZero())
		if err != nil {
			return err
		}
		if news || ended.IsZero() {
			quiet = time.Now()
		}
		if done := !ended.IsZero() && (time.Since(ended) > longOver || time.Since(quiet) >= c.LogSettle); done || !r.Follow {
			if done {
				err = l.late(ctx)
			}
			return err
		}
		if news {
			pause.News()
		}
		bound := logMost
		if !ended.IsZero() {
			bound = max(c.LogSettle/2, time.Millisecond)
		}
		if err := pause.Wait(ctx, bound); err != nil {
			return err
		}
	}
}

// over returns when the job ended, zero while it goes on. Where the job is
// watched in this process that costs no call.
func (l *logReader) over(ctx context.Context) (time.Time, error) {
	if !l.ended.IsZero() {
		return l.ended, nil
	}
	if over, known := l.cl.phases.Over(l.job); known && !over {
		return time.Time{}, nil
	}
	if err := l.cl.states.Wait(ctx); err != nil {
		return time.Time{}, err
	}
	d, err := l.cl.describe(ctx, l.job)
	if noSuch := err != nil && noSuchJob(err); noSuch {
		l.ended = time.Now() // the log outlives the job
		return l.ended, nil
	}
	if err != nil {
		return time.Time{}, l.cl.ask(err)
	}
	s := statusOf(d)
	l.cl.remember(l.job, d, s)
	if s.Phase.Terminal() {
		if l.ended = s.EndedAt; l.ended.IsZero() {
			l.ended = time.Now()
		}
	}
	return l.ended, nil
}

// logReader reads the log of one job.
type logReader struct {
	cl      *client
	job     string
	attempt int
	request pluginsdk.LogRequest
	out     *pluginsdk.LogWriter
	streams map[string]*logStream
	listed  time.Time
	ended   time.Time
}

// read reads what is new in all streams.
func (l *logReader) read(ctx context.Context, last bool) (news bool, err error) {
	if l.request.Follow && !last && len(l.streams) == 0 && l.cl.phases.Waits(l.job) {
		return false, nil
	}
	if len(l.streams) == 0 || last || time.Since(l.listed) > relist {
		if err := l.list(ctx); err != nil {
			return false, err
		}
	}
	for _, s := range l.streams {
		for {
			events, more, err := l.get(ctx, s, s.input())
			if err != nil {
				return news, err
			}
			wrote, err := s.write(l.out, events)
			if err != nil {
				return news, err
			}
			news = news || wrote
			if !more {
				break
			}
		}
	}
	return news, nil
}

// list looks for streams.
func (l *logReader) list(ctx context.Context) error {
	var names []string
	in := &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(logGroup), LogStreamNamePrefix: aws.String(l.job + "/")}
	for page := cloudwatchlogs.NewDescribeLogStreamsPaginator(l.cl.logs, in); page.HasMorePages(); {
		if err := l.cl.logCalls.Wait(ctx); err != nil {
			return err
		}
		out, err := page.NextPage(ctx)
		if err != nil {
			var missing *logtypes.ResourceNotFoundException
			if errors.As(err, &missing) {
				break // the group comes with the account's first job
			}
			return l.cl.ask(err)
		}
		for _, s := range out.LogStreams {
			names = append(names, aws.ToString(s.LogStreamName))
		}
	}
	l.listed = time.Now()
	for name, source := range sourcesOf(l.attempt, names) {
		if l.streams[name] == nil {
			l.streams[name] = newLogStream(name, source, l.request.Cursor(source))
		}
	}
	return nil
}

// get reads one page; more: there may be another one.
func (l *logReader) get(ctx context.Context, s *logStream, in *cloudwatchlogs.GetLogEventsInput) ([]logtypes.OutputLogEvent, bool, error) {
	if err := l.cl.logCalls.Wait(ctx); err != nil {
		return nil, false, err
	}
	out, err := l.cl.logs.GetLogEvents(ctx, in)
	if err != nil {
		var missing *logtypes.ResourceNotFoundException
		if errors.As(err, &missing) {
			return nil, false, nil // retention has removed it
		}
		return nil, false, l.cl.ask(err)
	}
	next := aws.ToString(out.NextForwardToken)
	more := next != "" && next != aws.ToString(in.NextToken)
	s.token = next
	return out.Events, more && len(out.Events) > 0, nil
}

// late reads the end of each stream once more, from before its last line, and
// writes what was not there when its place was read.
func (l *logReader) late(ctx context.Context) error {
	for _, s := range l.streams {
		if s.last == 0 {
			continue
		}
		in := s.from(max(s.begin, s.last-lateWindow.Milliseconds()))
		have := s.window()
		for {
			events, more, err := l.get(ctx, s, in)
			if err != nil {
				return err
			}
			if err := s.writeLate(l.out, events, have); err != nil {
				return err
			}
			if !more {
				break
			}
			in = s.from(0)
			in.StartTime, in.NextToken = nil, aws.String(s.token)
		}
	}
	return nil
}
