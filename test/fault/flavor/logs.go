package main

import (
	"context"
	"strconv"
	"time"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/fault/wire"
)

// followWait is how long one log read waits at the backend for more.
const followWait = 2 * time.Second

// Logs reads every epoch of the job, stdout and stderr at once, since a reader
// that waits for one must not hold up the other.
func (b base) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	hd, err := decode(h)
	if err != nil {
		return err
	}
	client, err := b.clients.get(ctx, c)
	if err != nil {
		return err
	}
	for epoch := 0; ; epoch++ {
		errs := make(chan error, 2)
		streams := []string{"stdout", "stderr"}
		for _, stream := range streams {
			go func() { errs <- b.stream(ctx, client, hd.ID, source(hd.Attempt, epoch, stream), r, w) }()
		}
		var first error
		for range streams {
			if err := <-errs; first == nil {
				first = err
			}
		}
		if wire.IsCode(first, wire.CodeNotFound) {
			// What was not read yet is gone with the job.
			return w.Gap(source(hd.Attempt, epoch, "stdout"), pluginsdk.Gap{Reason: "the log was removed with the job"})
		}
		if first != nil {
			return translate(first)
		}
		j, err := client.Get(ctx, hd.ID)
		switch {
		case wire.IsCode(err, wire.CodeNotFound):
			return nil
		case err != nil:
			return translate(err)
		case epoch >= j.Restarts:
			return nil
		}
	}
}

func source(attempt, epoch int, stream string) pluginsdk.LogSource {
	return pluginsdk.LogSource{Attempt: attempt, Epoch: epoch, Stream: stream}
}

// stream reads one file: to its end with Follow, else what is there.
func (b base) stream(ctx context.Context, client *wire.Client, id string, src pluginsdk.LogSource, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	offset := r.Offset(src)
	wait := time.Duration(0)
	if r.Follow {
		wait = followWait
	}
	for {
		ch, err := client.Logs(ctx, id, src.Epoch, src.Stream, offset, wait)
		if err != nil {
			return err
		}
		if missing := ch.First - offset; missing > 0 {
			gap := pluginsdk.Gap{Proven: true, Bytes: missing, Reason: "the backend rotated the log: " + strconv.FormatInt(missing, 10) + " bytes are gone"}
			if err := w.Gap(src, gap); err != nil {
				return err
			}
		}
		if len(ch.Data) > 0 {
			if err := w.Bytes(src, time.Now(), ch.Data, ch.Next); err != nil {
				return err
			}
		}
		offset = ch.Next
		if ch.End || (!r.Follow && len(ch.Data) == 0) {
			if ch.End && r.Follow {
				return w.End(src)
			}
			return nil
		}
	}
}
