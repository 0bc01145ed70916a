package main

import (
	"context"
	"math/rand/v2"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// Limits of reading logs.
const (
	// streamMost is how long the control plane keeps one stream of a log open (the
	// SDK's sandbox.go); a stream is then opened again behind the last entry.
	streamMost = 55 * time.Second
	// streamLast is the same for a sandbox that is over: what is there comes at
	// once.
	streamLast = 2 * time.Second
	// taskFirst and taskMost bound the pause between questions for a machine.
	taskFirst  = 200 * time.Millisecond
	taskMost   = 5 * time.Second
	taskGrowth = 1.5
	// quietMost ends a reading that does not follow: nothing came for so long.
	quietMost = time.Second
)

// tail is one call of Logs.
type tail struct {
	f      *flavor
	c      Config
	d      handleData
	w      *pluginsdk.LogWriter
	follow bool
}

// Logs reads both outputs of the sandbox, each behind its cursor. The older
// backend keeps them in the control plane as entries, whose IDs are the cursors;
// on the newer one the machine serves them as bytes, and a cursor is an offset.
func (f *flavor) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	t := &tail{f: f, c: c, d: d, w: w, follow: r.Follow}
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range outputsOf(d) {
		g.Go(func() error {
			if d.newer() {
				return t.newer(ctx, o, r.Offset(o.source))
			}
			return t.older(ctx, o, r.Cursor(o.source))
		})
	}
	return g.Wait()
}

// output is one of the two streams of a sandbox, by its names in the APIs.
type output struct {
	source pluginsdk.LogSource
	entry  pb.FileDescriptor
	stdio  pb.SandboxStdioFileDescriptor
}

func outputsOf(d handleData) []output {
	source := func(stream string) pluginsdk.LogSource {
		return pluginsdk.LogSource{Attempt: d.Attempt, Container: "step", Stream: stream}
	}
	return []output{
		{source("stdout"), pb.FileDescriptor_FILE_DESCRIPTOR_STDOUT, pb.SandboxStdioFileDescriptor_SANDBOX_STDIO_FILE_DESCRIPTOR_STDOUT},
		{source("stderr"), pb.FileDescriptor_FILE_DESCRIPTOR_STDERR, pb.SandboxStdioFileDescriptor_SANDBOX_STDIO_FILE_DESCRIPTOR_STDERR},
	}
}

// open takes the client anew: a call of Logs lives long, and a login may be
// renewed.
func (t *tail) open(ctx context.Context) (*session, error) { return t.f.open(ctx, t.c) }

// over tells whether the sandbox is over, or unknown to Modal.
func (t *tail) over(ctx context.Context) (bool, error) {
	q, err := t.open(ctx)
	if err != nil {
		return false, err
	}
	result, err := q.result(ctx, t.d)
	if err != nil && !api.IsNotFound(err) {
		return false, q.ask(err)
	}
	return err != nil || result != nil, nil
}

// task waits for the sandbox's task; "" = it ended without one, or nobody waits
// for it.
func (t *tail) task(ctx context.Context) (string, error) {
	pause := taskFirst
	for {
		q, err := t.open(ctx)
		if err != nil {
			return "", err
		}
		// The end first: a task that is missing after it will never be there.
		over, err := t.over(ctx)
		if err != nil {
			return "", err
		}
		task, err := q.task(ctx, t.d)
		switch {
		case err != nil && !api.IsNotFound(err):
			return "", q.ask(err)
		case task != "" || over || !t.follow:
			return task, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return "", err
		}
		pause = min(time.Duration(float64(pause)*taskGrowth), taskMost)
	}
}

// sleep waits about d: many runs that began together must not ask together.
func sleep(ctx context.Context, d time.Duration) error {
	const share = 0.2
	timer := time.NewTimer(time.Duration(float64(d) * (1 - share/2 + share*rand.Float64())))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
