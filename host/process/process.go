package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// drainLimit bounds reading what a process has left in its pipes when it has
	// ended. Its own output is there already; only somebody who has left the
	// group and kept the descriptor can make it longer.
	drainLimit = 300 * time.Millisecond
	// upstreamLimit bounds the wait for go-plugin's goroutines after the process
	// is gone.
	upstreamLimit = 2 * time.Second
)

// process is one plugin process, shared by many Plugins.
type process struct {
	spec    Spec
	manager *Manager
	log     hclog.Logger
	st      *starting
	client  *goplugin.Client
	calls   *callCount

	operator operatorv1.StepOperatorClient
	metadata *operatorv1.GetMetadataResponse

	refs      int  // guarded by manager.mu
	forgotten bool // guarded by manager.mu

	ready    atomic.Bool // handed out
	stopping atomic.Bool
	stopOnce sync.Once
	killOnce sync.Once
	hardOnce sync.Once
	hard     chan struct{} // closed: no more patience
	killed   chan struct{} // closed when go-plugin's Kill has returned

	done chan struct{} // closed when the process has ended and err is set
	err  error
	gone chan struct{} // closed when nothing of it is left
	// stuck is closed when the process outlives SIGKILL.
	stuck chan struct{}
}

// connect runs go-plugin's start and the first call, bounded by ctx. On an error
// nothing is left.
func (p *process) connect(ctx context.Context) error {
	result := make(chan error, 1)
	go func() {
		err := p.handshake()
		p.st.settle() // go-plugin may have failed before it started anything.
		result <- err
	}()
	go func() {
		<-p.st.spawned
		if p.st.child != nil {
			p.reap()
		}
	}()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = context.Cause(ctx)
		// go-plugin's start takes no context; it ends when the process does.
		<-p.st.spawned
		p.abort()
		p.await(p.gone, killGrace)
	}
	if p.st.child == nil {
		p.removeSockets() // go-plugin leaves its directory behind.
		if se := (*StartError)(nil); errors.As(err, &se) {
			return err
		}
		return &StartError{Flavor: p.spec.Flavor, Version: p.spec.Version, Stage: StageExec, Err: err}
	}
	stage := StageHandshake
	if err == nil {
		stage = StageContact
		if err = p.contact(ctx); err == nil {
			p.ready.Store(true)
			return nil
		}
	}
	return p.startFailed(ctx, stage, err)
}

// handshake is go-plugin's start and dial.
func (p *process) handshake() (err error) {
	defer func() {
		// The handshake line comes from the plugin; a slip of the parser over
		// it must not end the host.
		if r := recover(); r != nil {
			err = fmt.Errorf("go-plugin: panic: %v", r)
		}
	}()
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense("operator")
	if err != nil {
		return err
	}
	operator, ok := raw.(operatorv1.StepOperatorClient)
	if !ok {
		return fmt.Errorf("go-plugin dispensed a %T", raw)
	}
	p.operator = operator
	return nil
}

// contact asks the plugin who it is and compares.
func (p *process) contact(ctx context.Context) error {
	type answer struct {
		m   *operatorv1.GetMetadataResponse
		err error
	}
	got := make(chan answer, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		m, err := p.operator.GetMetadata(ctx, &operatorv1.GetMetadataRequest{
			HostVersion: p.manager.o.HostVersion, HostCapabilities: p.manager.o.HostCapabilities,
		})
		got <- answer{m, err}
	}()
	a := <-got // Bounded by ctx, and by the connection's end.
	if a.err != nil {
		return a.err
	}
	p.metadata = a.m
	return p.compare(a.m)
}

// compare holds the answer against what was registered.
func (p *process) compare(m *operatorv1.GetMetadataResponse) error {
	mismatch := func(what, want, got string) error {
		return &MismatchError{Flavor: p.spec.Flavor, Version: p.spec.Version, What: what, Want: want, Got: clean([]byte(got), tailLine)}
	}
	switch {
	case m.Flavor != p.spec.Flavor:
		return mismatch("flavor", p.spec.Flavor, m.Flavor)
	case m.Version != p.spec.Version:
		return mismatch("version", p.spec.Version, m.Version)
	case !slices.Contains(m.Protocol, int32(lifeline.Major)):
		return mismatch("protocol", strconv.Itoa(lifeline.Major), fmt.Sprint(m.Protocol))
	case p.spec.ManifestDigest == "", m.ManifestDigest == p.spec.ManifestDigest:
		return nil
	case m.ManifestDigest == "" && p.spec.DigestOptional:
		return nil
	}
	return mismatch("manifest digest", p.spec.ManifestDigest, m.ManifestDigest)
}

// startFailed ends the process and makes the error of it.
func (p *process) startFailed(ctx context.Context, stage Stage, cause error) error {
	p.stopping.Store(true)
	var ended *Exit
	// A plugin that ends in the middle of its start breaks the pipe or the
	// connection a moment before the kernel says so.
	if ctx.Err() == nil && (stage == StageHandshake || status.Code(cause) == codes.Unavailable) {
		p.await(p.st.child.exited, raceLimit)
	}
	if p.st.child.hasExited() && ctx.Err() == nil {
		ended = &p.st.child.exit
	}
	p.abort()
	p.await(p.gone, killGrace)

	preface, major, tooMuch := p.st.out.seen()
	if stage == StageHandshake && major != "" && major != strconv.Itoa(lifeline.Major) {
		return &MismatchError{Flavor: p.spec.Flavor, Version: p.spec.Version, What: "protocol", Want: strconv.Itoa(lifeline.Major), Got: major}
	}
	if mismatch := (*MismatchError)(nil); errors.As(cause, &mismatch) {
		return mismatch
	}
	e := &StartError{Flavor: p.spec.Flavor, Version: p.spec.Version, Stage: stage, Exit: ended, Output: preface, Err: cause}
	e.Panic, e.Stderr = p.st.err.account()
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		e.Err = fmt.Errorf("no answer within %s: %w", p.manager.o.startTimeout(p.spec.Attached), cause)
	case tooMuch:
		e.Err = errors.New("it prints to standard output in place of the handshake")
		e.Next = "check that the file is a plugin of stephost"
	case ended != nil && ended.Code == lifeline.ExitMisuse:
		e.Err = errors.New("it cannot serve") // and not that its connection broke
	case ended != nil && stage == StageHandshake && major == "":
		e.Err = errors.New("no handshake")
	case stage == StageHandshake && major == "":
		e.Err = fmt.Errorf("no handshake: %w", cause)
	}
	return e
}

// raceLimit is how long an error of the pipe or the connection waits for the end
// of the process that it announces.
const raceLimit = 250 * time.Millisecond

// reap follows the process to its end and clears up.
func (p *process) reap() {
	c := p.st.child
	<-c.exited
	c.endLifeline()
	until := time.Now().Add(drainLimit)
	for _, f := range []*os.File{c.stdout, c.stderr} {
		if f.SetReadDeadline(until) != nil {
			// No deadlines on this platform's pipes: closing is all there is.
			time.AfterFunc(drainLimit, func() { _ = f.Close() })
		}
	}
	<-p.st.out.done
	<-p.st.err.done
	c.stdout.Close()
	c.stderr.Close()
	p.err = p.verdict()
	close(p.done)

	p.upstreamKill()
	p.await(p.killed, upstreamLimit)
	_ = p.st.out.handshake.Close()
	p.removeSockets()
	p.manager.forget(p)
	close(p.gone)
}

// verdict says how the process ended.
func (p *process) verdict() error {
	if p.stopping.Load() && p.ready.Load() {
		return ErrStopped
	}
	c := p.st.child
	e := &CrashError{
		Flavor: p.spec.Flavor, Version: p.spec.Version,
		PID: c.pid, Exit: c.exit, Uptime: time.Since(c.started),
	}
	e.Panic, e.Stderr = p.st.err.account()
	p.panicked(e.Panic)
	if p.ready.Load() {
		p.log.Error("the plugin ended unexpectedly", "pid", e.PID, "how", e.Exit.String(), "uptime", e.Uptime.Round(time.Millisecond))
	}
	return e
}

// panicked tells a panic to whoever wants to show it.
func (p *process) panicked(text string) {
	if f := p.manager.o.Panicked; f != nil && text != "" {
		f(Panic{Flavor: p.spec.Flavor, Version: p.spec.Version, Text: text})
	}
}

// upstreamKill runs go-plugin's Kill once, in the background: it has no deadline
// of its own.
func (p *process) upstreamKill() {
	p.killOnce.Do(func() {
		go func() {
			defer close(p.killed)
			p.client.Kill()
		}()
	})
}

// removeSockets removes the socket directory, which go-plugin forgets after a
// failed start.
func (p *process) removeSockets() {
	if dir := p.st.socketDir; dir != "" {
		_ = os.RemoveAll(dir)
	}
}

// abort kills the group at once.
func (p *process) abort() {
	p.stopping.Store(true)
	if c := p.st.child; c != nil {
		c.endLifeline()
		c.kill()
	}
}

// await waits for ch at most limit and tells whether it was closed.
func (p *process) await(ch <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ch:
		return true
	case <-timer.C:
		return false
	}
}
