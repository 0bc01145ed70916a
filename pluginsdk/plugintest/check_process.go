package plugintest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// bigEnv is above gRPC's default limit of 4 MiB and below the contract's.
	bigEnv = 8 << 20
	// crowd is how many calls are made at once.
	crowd = 64
	// hasty are calls with deadlines that cannot be kept, hastyStep what each has more
	// than the one before it, at first. Deadlines grow until hastyEnough of them are
	// kept, or until the longest one is hastyMost: by then a plugin that is able to
	// answer has answered, on a busy machine too.
	hasty       = 32
	hastyEnough = hasty / 4
	hastyStep   = 200 * time.Microsecond
	hastyMost   = 4 * time.Second
	// deafWait is how long a signal that means nothing may take to show that it
	// meant something.
	deafWait = 300 * time.Millisecond
)

func processChecks() []check {
	return []check{
		{id: "process.signals", says: "SIGINT and SIGHUP mean nothing to the plugin", run: (*suite).checkSignals},
		{id: "process.sigterm", says: "SIGTERM ends the plugin in order and in time, exit code 0", run: (*suite).checkSigterm},
		{id: "process.lifeline", says: "the end of the lifeline ends the plugin in order and in time, exit code 0", run: (*suite).checkLifeline},
		{id: "process.hostile-input", says: "requests that make no sense end neither the process nor in success", run: (*suite).checkHostile},
		{id: "process.messages", says: "messages above 4 MiB are accepted", run: (*suite).checkMessages},
		{id: "process.parallel", says: "many calls at once are all answered", run: (*suite).checkParallel},
		{id: "process.deadlines", says: "calls whose deadline passes leave the plugin able to answer", run: (*suite).checkDeadlines},
	}
}

func (s *suite) checkSignals(ctx context.Context) error {
	if len(deafSignals()) == 0 {
		return absent("needs signals, which this platform has not")
	}
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, sig := range deafSignals() {
		if err := p.cmd.Process.Signal(sig); err != nil {
			return err
		}
		if within(p.exited, deafWait) {
			return fmt.Errorf("%s ended it: %s", sig, p.how())
		}
		if _, err := call(ctx, s, "GetMetadata after "+sig.String(), p.client.GetMetadata, &operatorv1.GetMetadataRequest{}); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) checkSigterm(ctx context.Context) error {
	if !lifelines {
		return absent("needs SIGTERM, which this platform has not")
	}
	return s.checkEnd(ctx, "SIGTERM", func(p *process) { terminate(p.pid) })
}

func (s *suite) checkLifeline(ctx context.Context) error {
	if !lifelines || s.m.tls == "auto" {
		return absent(`needs a lifeline: not on this platform, or the manifest says tls = "auto"`)
	}
	return s.checkEnd(ctx, "the end of the lifeline", (*process).endLifeline)
}

// checkEnd asks an idle process of its own to end.
func (s *suite) checkEnd(ctx context.Context, how string, ask func(*process)) error {
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	// One call, so that it is up and has begun to serve.
	if _, err := call(ctx, s, "GetMetadata", p.client.GetMetadata, &operatorv1.GetMetadataRequest{}); err != nil {
		return err
	}
	p.expected = true
	ask(p)
	p.orderly = within(p.exited, stopLimit)
	switch {
	case !p.orderly:
		return fmt.Errorf("it was still running %s after %s", stopLimit, how)
	case p.exit != nil:
		return fmt.Errorf("after %s it ended with: %s%s", how, p.how(), p.tail())
	}
	return nil
}

// checkHostile sends what a host never sends. Some of it makes a careless
// program dereference nil.
func (s *suite) checkHostile(ctx context.Context) error {
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	garbage := &operatorv1.Target{Operator: "plugintest", FlavorVersion: s.m.version, ManifestDigest: s.m.digest,
		Config: &operatorv1.Values{Json: []byte("{\"\xff\":[")}, Scope: s.scope}
	key := randomName()
	var wrong []error
	alive := func(what string, err error) {
		switch status.Code(err) {
		case codes.DeadlineExceeded:
			wrong = append(wrong, fmt.Errorf("%s: no answer in time", what))
		case codes.Unavailable:
			if within(p.exited, time.Second) {
				err = errors.New("the plugin ended: " + p.how() + p.tail())
			}
			wrong = append(wrong, fmt.Errorf("%s: %s", what, printable(err.Error(), maxDetail)))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	for name, t := range map[string]*operatorv1.Target{"without a target": nil, "with an unreadable config": garbage, "without a step": s.target()} {
		if p.over() {
			break
		}
		_, err := p.client.Validate(ctx, &operatorv1.ValidateRequest{Target: t})
		alive("Validate "+name, err)
		_, err = p.client.Plan(ctx, &operatorv1.PlanRequest{Target: t})
		alive("Plan "+name, err)
		r, err := p.client.Submit(ctx, &operatorv1.SubmitRequest{Target: t})
		alive("Submit "+name, err)
		if r.GetAccepted() != nil {
			wrong = append(wrong, fmt.Errorf("Submit %s was accepted", name))
		}
		c, err := p.client.Cancel(ctx, &operatorv1.CancelRequest{Target: t, Key: key, Handle: badHandle()})
		alive("Cancel of an unreadable handle", err)
		if c.GetAccepted() != nil {
			wrong = append(wrong, fmt.Errorf("Cancel %s and with an unreadable handle was accepted", name))
		}
		_, err = p.client.Cleanup(ctx, &operatorv1.CleanupRequest{Target: t})
		alive("Cleanup "+name, err)
		_, err = p.client.Find(ctx, &operatorv1.FindRequest{Target: t})
		alive("Find "+name+", by nothing", err)
		_, err = p.client.Scope(ctx, &operatorv1.ScopeRequest{Target: t})
		alive("Scope "+name, err)
		wrong = append(wrong, s.hostileStreams(ctx, p, name, t, alive)...)
	}
	if _, err := p.client.GetMetadata(ctx, &operatorv1.GetMetadataRequest{}); err != nil {
		alive("GetMetadata afterwards", err)
	}
	return errors.Join(wrong...)
}

// hostileStreams does the same with Watch and Logs. "Could not ask" may be
// repeated for ever, so that only the beginning is read.
func (s *suite) hostileStreams(ctx context.Context, p *process, name string, t *operatorv1.Target, alive func(string, error)) (wrong []error) {
	const patience = 500 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	late := func(what string, err error) {
		if status.Code(err) != codes.DeadlineExceeded {
			alive(what, err)
		}
	}
	w, err := p.client.Watch(ctx, &operatorv1.WatchRequest{Target: t, Handle: badHandle()})
	for err == nil {
		var m *operatorv1.WatchResponse
		m, err = w.Recv()
		if ph := m.GetTerminal().GetPhase(); ph == operatorv1.Phase_PHASE_SUCCEEDED {
			wrong = append(wrong, fmt.Errorf("Watch %s and with an unreadable handle says SUCCEEDED", name))
		}
	}
	late("Watch of an unreadable handle", err)
	l, err := p.client.Logs(ctx, &operatorv1.LogsRequest{Target: t, Handle: badHandle()})
	for err == nil {
		_, err = l.Recv()
	}
	late("Logs of an unreadable handle", err)
	return wrong
}

func (s *suite) checkMessages(ctx context.Context) error {
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	j.step.Env["PT_BIG"] = strings.Repeat("x", bigEnv)
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	_, err = p.client.Validate(ctx, &operatorv1.ValidateRequest{Target: s.target(), Step: j.step})
	if err != nil {
		return fmt.Errorf("a Validate of %d MiB ended with: %s", bigEnv>>20, printable(err.Error(), maxWord))
	}
	return nil
}

func (s *suite) checkParallel(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, crowd)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = p.client.Validate(ctx, &operatorv1.ValidateRequest{Target: s.target(), Step: j.step})
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return s.transport(ctx, "one of many Validate calls", err)
		}
	}
	return nil
}

func (s *suite) checkDeadlines(ctx context.Context) error {
	p, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	// From far too short to more than what a call takes on this machine now, so that
	// some are cut off before, in and behind the plugin's code.
	made := 0
	for step := hastyStep; step*hasty <= hastyMost; step *= 2 {
		var answered atomic.Int32
		var wg sync.WaitGroup
		for i := range hasty {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, time.Duration(i)*step)
				defer cancel()
				_, err := p.client.Validate(ctx, &operatorv1.ValidateRequest{Target: s.target(), Step: j.step})
				if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Canceled {
					answered.Add(1)
				}
				_, _ = p.client.Plan(ctx, &operatorv1.PlanRequest{Target: s.target(), Step: j.step})
				_, _ = p.client.Find(ctx, &operatorv1.FindRequest{Target: s.target(), By: &operatorv1.FindRequest_Key{Key: randomName()}})
				_, _ = p.client.Scope(ctx, &operatorv1.ScopeRequest{Target: s.target()})
			})
		}
		wg.Wait()
		made += hasty * 4
		if answered.Load() >= hastyEnough {
			break
		}
	}
	_, err = s.validate(ctx, p, s.target(), j.step)
	if err != nil {
		return fmt.Errorf("after %d calls with short deadlines: %w", made, err)
	}
	return nil
}
