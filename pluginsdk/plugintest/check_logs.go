package plugintest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// seam is how much may come again behind a break, told apart by its cursor.
	seam = 64 << 10
	// breaks is how often a stream is broken, each time behind a few entries.
	breaks   = 5
	perBreak = 3
	// slowness is how long a slow reader does not read.
	slowness = 2 * time.Second
	// slowCall bounds other calls in that time.
	slowCall = 5 * time.Second
)

func logChecks() []check {
	can := []string{"logs"}
	return []check{
		{id: "logs.whole", says: "the log is whole, in order, with END for every source; it can be read again", full: true, can: can, jobs: 1, run: (*suite).checkLogWhole},
		{id: "logs.live", says: "lines arrive while the step runs", full: true, can: can, jobs: 1, run: (*suite).checkLogLive},
		{id: "logs.resume", says: "a broken stream is resumed by cursor without loss, and without coming again from the start", full: true, can: can, jobs: 1, run: (*suite).checkLogResume},
		{id: "logs.bytes", says: "a line of 1 MiB, every byte, and a last line without newline arrive unchanged", full: true, can: can, jobs: 1, run: (*suite).checkLogBytes},
		{id: "logs.flood", says: "a reader that stands still loses nothing of a flood, and holds up no other call", full: true, can: can, jobs: 1, times: floodTimes, run: (*suite).checkLogFlood},
	}
}

func (s *suite) checkLogWhole(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptLines)
	if err != nil {
		return err
	}
	var out, errs strings.Builder
	for i := range 300 {
		fmt.Fprintf(&out, "out %d of %s\n", i, j.step.Key)
		fmt.Fprintf(&errs, "err %d of %s\n", i, j.step.Key)
	}
	for _, round := range []string{"while the step runs", "after its end"} {
		l := newLogState()
		if err := j.readLog(ctx, p, l, true, nil); err != nil {
			return fmt.Errorf("%s: %w", round, err)
		}
		if err := l.compare(out.String(), errs.String()); err != nil {
			return fmt.Errorf("%s: %w", round, err)
		}
		for name, src := range l.sources {
			if !src.ended {
				return fmt.Errorf("%s: the stream ended without END for the source %s", round, name)
			}
		}
	}
	_, err = j.verdict(ctx, p)
	return err
}

// compare demands both streams. A backend may have merged them into one.
func (l *logState) compare(out, errs string) error {
	if len(l.gaps) > 0 {
		return fmt.Errorf("a log of a few kilobytes has gaps: %s", strings.Join(l.gaps, "; "))
	}
	if l.has("stderr") || errs == "" {
		return errors.Join(differ("stdout", out, l.stream("stdout")), differ("stderr", errs, l.stream("stderr")))
	}
	var gotOut, gotErr strings.Builder
	for line := range strings.Lines(l.stream("stdout")) {
		if strings.HasPrefix(line, "err ") {
			gotErr.WriteString(line)
		} else {
			gotOut.WriteString(line)
		}
	}
	return errors.Join(differ("stdout", out, gotOut.String()), differ("stderr", errs, gotErr.String()))
}

func (s *suite) checkLogLive(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptReady)
	if err != nil {
		return err
	}
	defer j.release()
	l := newLogState()
	err = j.readLog(ctx, p, l, true, func() error {
		if strings.Contains(l.stream("stdout"), "ready\n") {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
	case err != nil:
		return err
	default:
		return errors.New("the stream ended before the step did, without its line")
	}
	if j.gate != "" {
		// The gate is closed, so that the step must still run.
		j.release()
	}
	_, err = j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED)
	return err
}

func (s *suite) checkLogResume(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptSequence)
	if err != nil {
		return err
	}
	var want strings.Builder
	for i := 100000; i <= 249999; i++ {
		fmt.Fprintln(&want, i)
	}
	l := newLogState()
	for range breaks {
		from := l.entries
		err := j.readLog(ctx, p, l, true, func() error {
			if l.entries >= from+perBreak {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	if err := j.readLog(ctx, p, l, true, nil); err != nil {
		return err
	}
	if err := l.compare(want.String(), ""); err != nil {
		return fmt.Errorf("after %d breaks: %w", breaks, err)
	}
	for name, src := range l.sources {
		if src.doubled > seam*breaks {
			return fmt.Errorf("%d bytes of %s came again in %d breaks: the cursors are not heeded", src.doubled, name, breaks)
		}
	}
	_, err = j.verdict(ctx, p)
	return err
}

func (s *suite) checkLogBytes(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptBytes)
	if err != nil {
		return err
	}
	var want strings.Builder
	want.WriteString(strings.Repeat("x", 1<<20) + "\n")
	for i := range 256 {
		want.WriteByte(byte(i))
	}
	want.WriteString("no newline here")
	l := newLogState()
	if err := j.readLog(ctx, p, l, true, nil); err != nil {
		return err
	}
	if err := l.compare(want.String(), ""); err != nil {
		return err
	}
	_, err = j.verdict(ctx, p)
	return err
}

// floodTimes is how many jobs' time a flood gets: ten megabytes go through processes
// that may have many others beside them.
const floodTimes = 4

func (s *suite) checkLogFlood(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptFlood)
	if err != nil {
		return err
	}
	j.times = floodTimes
	// The job is over before the reading begins to be slow, or is not: both ways
	// nothing may be lost.
	var want []byte
	for i := int64(1); i <= 1400000; i++ {
		want = append(strconv.AppendInt(want, i, 10), '\n')
	}
	l := newLogState()
	stood := false
	err = j.readLog(ctx, p, l, true, func() error {
		if stood {
			return nil
		}
		stood = true
		callCtx, cancel := context.WithTimeout(ctx, slowCall)
		defer cancel()
		if err := pause(ctx, slowness); err != nil {
			return err
		}
		_, err := p.client.Validate(callCtx, &operatorv1.ValidateRequest{Target: s.target(), Step: j.step})
		if err != nil {
			return fmt.Errorf("while a reader of the log stood still: %w", s.transport(callCtx, "Validate", err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.compare(string(want), ""); err != nil {
		return err
	}
	_, err = j.verdict(ctx, p)
	return err
}
