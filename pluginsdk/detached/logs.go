package detached

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/tail"
)

// Logs reads both streams from their files, in which the runner keeps every
// byte. The cursor is the offset behind it, so a resume loses and doubles
// nothing.
func (j *Jobs) Logs(ctx context.Context, state jobdir.State, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	job, err := FromHandle(state, h)
	if err != nil {
		return err
	}
	meta, err := job.ReadMeta()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed: there is nothing to read, and never will be
	}
	if err != nil {
		return err
	}
	streams, err := openStreams(job, int(meta.Attempt), r, w)
	if err != nil {
		return err
	}
	defer closeStreams(streams)
	if !r.Follow {
		// A part of a line at the end counts as the end only when the job is over.
		done, hole, err := verdictOf(job)
		if err != nil {
			return err
		}
		_, err = readAll(streams, done, hole)
		return err
	}
	return j.follow(ctx, job, streams)
}

// follow reads until the job is over and both streams are at their end.
func (j *Jobs) follow(ctx context.Context, job jobdir.Job, streams []*stream) error {
	// The verdict appears in one directory, the bytes in the other.
	jobChanged, stopJob := j.Hub.Watch(job.Dir)
	defer stopJob()
	poll := time.NewTimer(0)
	defer poll.Stop()
	var logChanged <-chan struct{}
	looked := time.Now()
	for {
		if logChanged == nil {
			// The runner makes the directory; before it is there the job's own one
			// tells.
			if exists(job.Logs()) {
				changed, stop := j.Hub.Watch(job.Logs())
				defer stop()
				logChanged = changed
			}
		}
		// First the verdict, then the bytes: what is in the files once the
		// verdict is there is all there will ever be.
		done, hole, err := verdictOf(job)
		if err == nil && !done && time.Since(looked) >= watchPoll {
			// The verdict may never come: a runner that died with its step is
			// brought back by Watch, but nobody may be watching.
			looked = time.Now()
			done, hole, err = lost(job)
		}
		if err != nil {
			return err
		}
		wait, err := readAll(streams, done, hole)
		if err != nil || done {
			return err
		}
		if wait == 0 {
			wait = watchPoll
		}
		poll.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-jobChanged:
		case <-logChanged:
		case <-poll.C:
		}
	}
}

// verdictOf tells whether the job has its verdict, and why bytes may be
// missing at the end of its log. It is asked with every piece of log, so it
// looks at one file only.
func verdictOf(job jobdir.Job) (done bool, hole string, err error) {
	exit, err := job.ReadExit()
	switch {
	case err == nil:
		return true, exit.LogHole, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, "", nil
	}
	return false, "", pluginsdk.Unreachable(err)
}

// lost tells whether the job ended without a verdict.
func lost(job jobdir.Job) (done bool, hole string, err error) {
	status, _, err := look(job)
	if err != nil || !status.Phase.Terminal() {
		return false, "", err
	}
	if status.Phase == pluginsdk.Lost {
		return true, "the runner died, and what was in the pipe then is gone", nil
	}
	return verdictOf(job)
}

// stream is one of the two sources.
type stream struct {
	source pluginsdk.LogSource
	reader *tail.Reader
	writer *pluginsdk.LogWriter
}

func openStreams(job jobdir.Job, attempt int, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) ([]*stream, error) {
	var streams []*stream
	for _, name := range []string{"stdout", "stderr"} {
		source := pluginsdk.LogSource{Attempt: attempt, Stream: name}
		offset, err := tail.ParseCursor(r.Cursor(source))
		if err != nil {
			closeStreams(streams)
			return nil, err
		}
		streams = append(streams, &stream{source: source, reader: tail.Open(job, name, offset), writer: w})
	}
	return streams, nil
}

func closeStreams(streams []*stream) {
	for _, s := range streams {
		s.reader.Close()
	}
}

// readAll reads what is there and returns how long a part of a line may wait.
func readAll(streams []*stream, over bool, hole string) (wait time.Duration, err error) {
	for _, s := range streams {
		w, err := s.reader.Read(over, s.write)
		if err != nil {
			return 0, err
		}
		if w > 0 && (wait == 0 || w < wait) {
			wait = w
		}
		if !over {
			continue
		}
		if hole != "" {
			if err := s.writer.Gap(s.source, pluginsdk.Gap{Reason: hole}); err != nil {
				return 0, err
			}
		}
		if err := s.writer.End(s.source); err != nil {
			return 0, err
		}
	}
	return wait, nil
}

func (s *stream) write(e tail.Entry) error {
	if e.Lost > 0 {
		if err := s.writer.Gap(s.source, pluginsdk.Gap{Proven: true, Bytes: e.Lost, Reason: "the disk was full"}); err != nil {
			return err
		}
	}
	if len(e.Data) == 0 {
		return nil
	}
	return s.writer.Entry(s.source, pluginsdk.LogEntry{Time: e.Time, Data: e.Data, Cursor: tail.Cursor(e.End), Partial: e.Partial})
}
