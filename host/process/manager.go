package process

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// DefaultLinger is how long a process without users is kept: the parts of
	// one command (plan, then launch) and runs that follow each other share it.
	DefaultLinger = 5 * time.Second

	// The pause before a restart. The first restart is immediate: a plugin that
	// was killed from outside is needed now, perhaps to cancel a job. From the
	// second failure in a row on it grows to restartMax.
	restartFirst  = 200 * time.Millisecond
	restartMax    = 15 * time.Second
	restartFactor = 2
	// steadyAfter is the uptime after which a crash counts as the first again.
	steadyAfter = time.Minute
)

// Manager holds the plugin processes of one host process. It is safe for
// concurrent use.
type Manager struct {
	o      Options
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // flights, background stops, the sweep

	sweepOnce sync.Once

	mu     sync.Mutex
	closed bool
	slots  map[string]*slot
	live   map[*process]struct{} // until nothing of them is left
}

// slot is the place of one flavor version.
type slot struct {
	proc   *process // running, or ended and not yet replaced
	flight *flight
	linger *time.Timer

	failures  int
	pause     *backoff.ExponentialBackOff
	notBefore time.Time
}

// flight is a start that several callers wait for.
type flight struct {
	cancel  context.CancelFunc
	done    chan struct{}
	waiters int
	proc    *process
	err     error
}

// NewManager makes a Manager. Nothing is started or opened.
func NewManager(o Options) *Manager {
	m := &Manager{o: o, slots: map[string]*slot{}, live: map[*process]struct{}{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Acquire returns the running plugin for s, starting it if need be; callers that
// want the same one at the same time share one start. After failures in a row it
// waits a growing, bounded pause before the next start. It returns when ctx is
// done; the start goes on for the others who wait for it. Errors: *StartError,
// *MismatchError, ErrClosed, the context's, or what s.Executable returned.
func (m *Manager) Acquire(ctx context.Context, s Spec) (*Plugin, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	sl := m.slot(s)
	if p := sl.running(); p != nil {
		p.refs++
		m.mu.Unlock()
		return &Plugin{proc: p}, nil
	}
	f := sl.flight
	if f == nil {
		f = m.takeOff(sl, s)
	}
	f.waiters++
	m.mu.Unlock()

	select {
	case <-f.done:
		if f.err != nil {
			return nil, f.err
		}
		return &Plugin{proc: f.proc}, nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	select {
	case <-f.done:
		// Landed in this very moment, with a reference for us.
		m.mu.Unlock()
		if f.proc != nil {
			m.release(f.proc)
		}
	default:
		if f.waiters--; f.waiters == 0 {
			f.cancel()
			if sl.flight == f {
				sl.flight = nil // A later caller must not join a cancelled start.
			}
		}
		m.mu.Unlock()
	}
	return nil, context.Cause(ctx)
}

// slot finds or makes the place for s. Under m.mu.
func (m *Manager) slot(s Spec) *slot {
	env := slices.Sorted(slices.Values(s.PassEnv))
	key := strings.Join(slices.Concat([]string{s.Flavor, s.Version, s.ManifestDigest, s.TLS}, env), "\x00")
	sl := m.slots[key]
	if sl == nil {
		b := backoff.NewExponentialBackOff()
		b.InitialInterval, b.MaxInterval, b.Multiplier = restartFirst, restartMax, restartFactor
		sl = &slot{pause: b}
		m.slots[key] = sl
	}
	return sl
}

// running is the process if it can be used. It settles the account of one that
// has ended. Under m.mu.
func (sl *slot) running() *process {
	p := sl.proc
	if p == nil {
		return nil
	}
	if !p.st.child.hasExited() && !p.stopping.Load() {
		if sl.linger != nil {
			sl.linger.Stop()
		}
		return p
	}
	sl.proc = nil
	if p.stopping.Load() {
		return nil
	}
	if time.Since(p.st.child.started) > steadyAfter {
		sl.failures = 0
	}
	sl.failed()
	return nil
}

// failed counts a failure and sets the pause. Under m.mu.
func (sl *slot) failed() {
	sl.failures++
	if sl.failures == 1 {
		sl.pause.Reset()
		sl.notBefore = time.Time{}
		return
	}
	sl.notBefore = time.Now().Add(sl.pause.NextBackOff())
}

// takeOff begins a start. Under m.mu.
func (m *Manager) takeOff(sl *slot, s Spec) *flight {
	ctx, cancel := context.WithCancel(m.ctx)
	f := &flight{cancel: cancel, done: make(chan struct{})}
	sl.flight = f
	pause := time.Until(sl.notBefore)
	m.work.Go(func() {
		defer cancel()
		p, err := m.startAfter(ctx, pause, s)
		m.land(sl, f, p, err)
	})
	return f
}

func (m *Manager) startAfter(ctx context.Context, pause time.Duration, s Spec) (*process, error) {
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return m.start(ctx, s)
}

// land hands the result to everybody who waits.
func (m *Manager) land(sl *slot, f *flight, p *process, err error) {
	m.mu.Lock()
	if sl.flight == f {
		sl.flight = nil
	}
	unwanted := p != nil && (m.closed || f.waiters == 0)
	switch {
	case m.closed:
		err = ErrClosed
	case err != nil:
		if !errors.Is(err, context.Canceled) {
			sl.failed()
		}
	case !unwanted:
		p.refs = f.waiters
		sl.proc = p
		f.proc = p
	}
	if p != nil && !p.forgotten {
		m.live[p] = struct{}{}
	}
	f.err = err
	close(f.done)
	m.mu.Unlock()
	if unwanted {
		_ = p.stop(m.ctx)
	}
}

// release gives back one use.
func (m *Manager) release(p *process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.refs--
	if p.refs > 0 || m.closed {
		return
	}
	sl := m.slot(p.spec)
	if sl.proc != p {
		return
	}
	linger := m.o.Linger
	if linger == 0 {
		linger = DefaultLinger
	}
	if linger < 0 {
		m.retire(sl, p)
		return
	}
	sl.linger = time.AfterFunc(linger, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if sl.proc == p && p.refs == 0 && !m.closed {
			m.retire(sl, p)
		}
	})
}

// retire stops a process that nobody uses, in the background. Under m.mu.
func (m *Manager) retire(sl *slot, p *process) {
	sl.proc = nil
	p.stopping.Store(true)
	m.work.Go(func() { _ = p.stop(m.ctx) })
}

// forget is told by a process that is over.
func (m *Manager) forget(p *process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.forgotten = true
	delete(m.live, p)
}

// Close stops every plugin and returns when nothing is left of any: no process of
// their groups, no goroutine, no socket. Running Submits may finish, at most
// lifeline.SubmitGrace. When ctx is done everything is killed at once. Starts in
// flight are broken off, and Acquire returns ErrClosed from now on. It may be
// called again and by several goroutines.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	var all []*process
	for p := range m.live {
		all = append(all, p)
	}
	for _, sl := range m.slots {
		if sl.linger != nil {
			sl.linger.Stop()
		}
		if sl.flight != nil {
			sl.flight.cancel()
		}
	}
	m.mu.Unlock()

	errs := make([]error, len(all))
	var stops sync.WaitGroup
	for i, p := range all {
		stops.Go(func() { errs[i] = p.stop(ctx) })
	}
	stops.Wait()
	// What was already being stopped in the background, or has just landed, is
	// among all or hurries now.
	m.cancel()
	m.work.Wait()
	return errors.Join(errs...)
}
