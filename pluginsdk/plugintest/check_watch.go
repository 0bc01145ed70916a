package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// beatSlack is how much later than asked for a heartbeat may come: the host
	// gives up after three intervals.
	beatSlack = 2 * heartbeat
	// beatsWatched is how long a silent job is watched, in heartbeats.
	beatsWatched = 4
	// againLimit bounds the terminal event of a job that is over.
	againLimit = 15 * time.Second
)

func watchChecks() []check {
	return []check{
		{id: "watch.order", says: "a stream rises in sequence, goes forward in phase, and ends with exactly one terminal event", full: true, jobs: 1, run: (*suite).checkOrder},
		{id: "watch.heartbeat", says: "a stream is never silent for longer than asked for", full: true, jobs: 1, run: (*suite).checkHeartbeat},
		{id: "watch.again", says: "Watch of a job that is over tells the same verdict at once, as often as asked", full: true, jobs: 1, run: (*suite).checkWatchAgain},
		{id: "watch.host-gone", says: "a host that dies in Watch takes no job with it", full: true, kind: Remote, jobs: 1, run: (*suite).checkHostGone},
		{id: "watch.deleted", says: "a job that was deleted at the backend is LOST, and not found any more", full: true, deletes: true, jobs: 1, run: (*suite).checkDeleted},
	}
}

func (s *suite) checkOrder(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	var last *operatorv1.Status
	terminals := 0
	err = j.watch(ctx, p, func(m *operatorv1.WatchResponse) (bool, error) {
		if terminals > 0 && m.GetTerminal() == nil {
			return true, errors.New("something came after the terminal event")
		}
		if t := m.GetTerminal(); t != nil {
			terminals++
			if ph := t.GetPhase(); ph < operatorv1.Phase_PHASE_SUCCEEDED || ph > operatorv1.Phase_PHASE_LOST {
				return true, fmt.Errorf("the terminal event has the phase %s", ph)
			}
		}
		st := m.GetStatus()
		if st == nil {
			return false, nil
		}
		switch {
		case st.GetPhase() == operatorv1.Phase_PHASE_UNSPECIFIED || st.GetPhase() > operatorv1.Phase_PHASE_CANCELLING:
			return true, fmt.Errorf("a status has the phase %s", st.GetPhase())
		case st.GetObservedAt() == nil:
			return true, errors.New("a status does not say when the backend was asked")
		case last != nil && st.GetSequence() <= last.GetSequence():
			return true, fmt.Errorf("the sequence went from %d to %d", last.GetSequence(), st.GetSequence())
		case last != nil && st.GetPhase() < last.GetPhase() && st.GetRestarts() <= last.GetRestarts():
			return true, fmt.Errorf("the phase went back from %s to %s without a restart", last.GetPhase(), st.GetPhase())
		}
		last = st
		j.release()
		return false, nil
	})
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case terminals != 1:
		return fmt.Errorf("there were %d terminal events", terminals)
	}
	return nil
}

func (s *suite) checkHeartbeat(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan error, 1)
	stream, err := p.client.Watch(ctx, j.watchRequest())
	if err != nil {
		return s.transport(ctx, "Watch", err)
	}
	go func() {
		for {
			m, err := stream.Recv()
			if err == nil && m.GetTerminal() != nil {
				err = io.EOF
			}
			select {
			case events <- err:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for until := time.Now().Add(beatsWatched * heartbeat); time.Now().Before(until); {
		silence := time.NewTimer(heartbeat + beatSlack)
		select {
		case err := <-events:
			silence.Stop()
			if errors.Is(err, io.EOF) {
				return nil // over before it could be silent
			}
			if err != nil {
				return s.transport(ctx, "Watch", err)
			}
		case <-silence.C:
			return fmt.Errorf("nothing came for %s, with a heartbeat interval of %s", heartbeat+beatSlack, heartbeat)
		}
	}
	return nil
}

func (s *suite) checkWatchAgain(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptFail)
	if err != nil {
		return err
	}
	one, err := j.expect(ctx, p, operatorv1.Phase_PHASE_FAILED)
	if err != nil {
		return err
	}
	other, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, againLimit)
	defer cancel()
	// Two at the same time, one of them of another process.
	var wg sync.WaitGroup
	verdicts, errs := make([]*operatorv1.Terminal, 2), make([]error, 2)
	for i, p := range []*process{p, other} {
		wg.Go(func() {
			stream, err := p.client.Watch(ctx, j.watchRequest())
			for err == nil && verdicts[i] == nil {
				var m *operatorv1.WatchResponse
				m, err = stream.Recv()
				verdicts[i] = m.GetTerminal()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, who := range []string{"the same process", "another process"} {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s gave no verdict of the ended job within %s", who, againLimit)
		case errs[i] != nil:
			return s.transport(ctx, "Watch", errs[i])
		}
		again := proto.Clone(verdicts[i]).(*operatorv1.Terminal)
		if again.GetPhase() != one.GetPhase() || again.GetClass() != one.GetClass() || (again.ExitCode != nil && one.ExitCode != nil && again.GetExitCode() != one.GetExitCode()) {
			return fmt.Errorf("the verdict was %s, and %s says later %s", terminalText(one), who, terminalText(again))
		}
	}
	return nil
}

func (s *suite) checkHostGone(ctx context.Context) error {
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	j, err := s.newJob(scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.start(ctx, p); err != nil {
		return err
	}
	err = j.watch(ctx, p, func(m *operatorv1.WatchResponse) (bool, error) {
		if m.GetStatus() == nil {
			return false, nil
		}
		// The host dies: lifeline and connection end at the same moment.
		p.expected = true
		p.endLifeline()
		_ = p.conn.Close()
		return true, nil
	})
	if err != nil {
		return err
	}
	p.orderly = within(p.exited, stopLimit)
	p.kill()
	main, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j.release()
	if _, err := j.expect(ctx, main, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	return j.runs(ctx, 1, 1)
}

func (s *suite) checkDeleted(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptLong)
	if err != nil {
		return err
	}
	defer j.release()
	if err := j.running(ctx, p); err != nil {
		return err
	}
	if err := s.c.Delete(ctx, Job{Key: j.step.Key, NativeName: j.native}); err != nil {
		return fmt.Errorf("Config.Delete: %w", err)
	}
	verdict, err := j.expect(ctx, p, operatorv1.Phase_PHASE_LOST)
	if err != nil {
		return err
	}
	if verdict.GetClass() != operatorv1.Class_CLASS_LOST {
		return fmt.Errorf("the class is %s, expected CLASS_LOST", verdict.GetClass())
	}
	if !s.caps["find"] {
		return nil
	}
	r, err := s.find(ctx, p, j.step.Key)
	if err != nil {
		return err
	}
	if r.GetOutcome() == operatorv1.FindResponse_OUTCOME_FOUND {
		return errors.New("Find still finds the deleted job")
	}
	return nil
}
