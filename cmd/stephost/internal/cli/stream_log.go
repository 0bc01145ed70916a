//go:build !front

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stephost/stephost/host/runs/spool"
)

const (
	// lastLook is how long the end of a log is waited for once the run needs
	// nobody any more: what was written last may stand in a file that the reader
	// has not seen yet.
	lastLook = 100 * time.Millisecond
	// reopenedLook is how often a complete log is looked at again while its run
	// is not over: a run that was reopened writes on behind the end.
	reopenedLook = 200 * time.Millisecond
)

// logOptions say what of a log is shown, and how.
type logOptions struct {
	timestamps, prefix bool
	// fromAttempt leaves out earlier attempts.
	fromAttempt int32
}

// logCopy copies a log to the screen.
type logCopy struct {
	screen *screen
	reader *spool.Reader
	o      logOptions
	// idle is a context that is over: with it the reader gives what is there and
	// waits for nothing.
	idle context.Context
	// soft ends with the run: then what is there is copied, and that is all.
	soft context.Context
	// partial is where a line of a source goes on (only with timestamps or
	// prefix).
	partial map[string]bool
}

func newLogCopy(s *screen, r *spool.Reader, o logOptions, soft context.Context) *logCopy {
	idle, cancel := context.WithCancel(context.Background())
	cancel()
	return &logCopy{screen: s, reader: r, o: o, idle: idle, soft: soft, partial: map[string]bool{}}
}

// run copies until the log ends: until its end mark, when whole is false; else
// until soft is over and nothing more is there. hard ends it at once.
func (c *logCopy) run(hard context.Context, whole bool) error {
	for hard.Err() == nil {
		rec, err := c.next(hard)
		switch {
		case err == nil:
			c.show(rec)
		case !errors.Is(err, io.EOF):
			return err
		case !whole || c.soft.Err() != nil:
			return nil
		default:
			timer := time.NewTimer(reopenedLook)
			select {
			case <-hard.Done():
			case <-c.soft.Done():
			case <-timer.C:
			}
			timer.Stop()
		}
	}
	return hard.Err()
}

// next is the next record. The screen is flushed before it waits, and only then.
func (c *logCopy) next(hard context.Context) (*spool.Record, error) {
	rec, err := c.reader.Next(c.idle)
	if !errors.Is(err, context.Canceled) {
		if errors.Is(err, io.EOF) {
			c.flush()
		}
		return rec, err
	}
	c.flush()
	rec, err = c.reader.Next(c.soft)
	if err == nil || c.soft.Err() == nil || errors.Is(err, io.EOF) {
		return rec, err
	}
	look, cancel := context.WithTimeout(hard, lastLook)
	defer cancel()
	rec, err = c.reader.Next(look)
	if err != nil && look.Err() != nil {
		return nil, io.EOF
	}
	return rec, err
}

func (c *logCopy) flush() {
	c.screen.writing.Lock()
	defer c.screen.writing.Unlock()
	c.screen.flush()
}

func (c *logCopy) show(rec *spool.Record) {
	if rec.Source.Attempt > 0 && rec.Source.Attempt < c.o.fromAttempt {
		return
	}
	s := c.screen
	s.writing.Lock()
	defer s.writing.Unlock()
	switch {
	case s.json:
		if line := recordJSON(rec); line != nil {
			s.turn(s.out)
			s.out.write(jsonBytes(line))
		}
	case rec.Kind == spool.KindEntry:
		to := s.err
		if rec.Source.Stream == "stdout" || rec.Source.Stream == "" {
			to = s.out
		}
		data := rec.Entry.Data
		if c.o.timestamps || c.o.prefix {
			data = c.decorate(rec)
		}
		s.entry(to, data)
	case rec.Kind == spool.KindGap:
		s.erase()
		s.line(gapText(rec.Gap))
	case rec.Kind == spool.KindNote, rec.Kind == spool.KindEpoch:
		if rec.Note != "" {
			s.erase()
			s.line("-- " + oneLine(rec.Note) + " --")
		}
	}
}

// entry writes a part of the log as it is.
func (s *screen) entry(to *sink, data []byte) {
	if len(data) == 0 {
		return
	}
	if to == s.err || s.shared {
		s.erase()
		s.midLine = data[len(data)-1] != '\n'
	}
	s.turn(to)
	to.write(data)
}

// decorate puts time and source before each line.
func (c *logCopy) decorate(rec *spool.Record) []byte {
	var head []byte
	if c.o.timestamps {
		t := rec.Entry.Time
		if t.IsZero() {
			t = rec.Time
		}
		head = append(t.UTC().AppendFormat(head, "2006-01-02T15:04:05.000Z"), ' ')
	}
	if c.o.prefix {
		head = append(head, sourcePrefix(rec.Source)...)
	}
	key := rec.Source.Key()
	var out bytes.Buffer
	for line := range bytes.Lines(rec.Entry.Data) {
		if !c.partial[key] {
			out.Write(head)
		}
		out.Write(line)
		c.partial[key] = line[len(line)-1] != '\n'
	}
	return out.Bytes()
}

func sourcePrefix(s spool.Source) string {
	text := fmt.Sprintf("[%d.%d", s.Attempt, s.Node)
	if s.Epoch > 0 {
		text += fmt.Sprintf(" start %d", s.Epoch)
	}
	if s.Container != "" {
		text += " " + s.Container
	}
	if s.Stream != "" {
		text += " " + s.Stream
	}
	return text + "] "
}

// gapText marks missing bytes.
func gapText(g spool.Gap) string {
	text := "-- gap (" + g.Certainty + ")"
	if g.Reason != "" {
		text += ": " + oneLine(g.Reason)
	}
	if g.Bytes > 0 {
		text += fmt.Sprintf(", %d bytes", g.Bytes)
	}
	return text + " --"
}
