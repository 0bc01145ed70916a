package process

import (
	"context"
	"fmt"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// The patience of a stop, step by step. An idle plugin of the SDK ends within a
// few milliseconds of the first.
const (
	// lifelineGrace: the lifeline has ended; calls are cancelled, the author's
	// teardown runs.
	lifelineGrace = 3 * time.Second
	// submitSlack is added to lifeline.SubmitGrace when a Submit is in flight.
	submitSlack = 2 * time.Second
	// shutdownGrace: go-plugin's Shutdown was called, for plugins that do not
	// read the lifeline.
	shutdownGrace = time.Second
	// termGrace: SIGTERM was sent to the group.
	termGrace = time.Second
	// killGrace: SIGKILL was sent; only the kernel (a process in uninterruptible
	// sleep on a dead network file system) can make this longer.
	killGrace = 5 * time.Second
)

// stop ends the process and returns when nothing of it is left. When ctx is done
// the group is killed at once.
func (p *process) stop(ctx context.Context) error {
	p.stopOnce.Do(func() {
		p.stopping.Store(true)
		go p.stopInSteps()
	})
	select {
	case <-p.gone:
		return nil
	case <-p.stuck:
	case <-ctx.Done():
		p.hardOnce.Do(func() { close(p.hard) })
	}
	if !p.await(p.gone, killGrace) {
		return fmt.Errorf("flavor %s: process %d does not end, not even after SIGKILL", p.spec.Flavor, p.st.child.pid)
	}
	return nil
}

// stopInSteps asks, asks louder, and kills.
func (p *process) stopInSteps() {
	c := p.st.child
	grace := lifelineGrace
	if p.calls.submits.Load() > 0 {
		grace = lifeline.SubmitGrace + submitSlack
	}
	c.endLifeline()
	if p.spec.TLS == tlsAuto || !lifelines {
		// May not know the lifeline, and then nothing would happen for the
		// whole grace.
		p.upstreamKill()
	}
	if p.patience(grace) {
		return
	}
	p.log.Debug("the plugin does not stop by itself", "pid", c.pid, "after", grace)
	p.upstreamKill()
	if p.patience(shutdownGrace) {
		return
	}
	c.terminate()
	if p.patience(termGrace) {
		return
	}
	p.log.Warn("the plugin did not stop and was killed", "pid", c.pid)
	c.kill()
	if !p.await(c.exited, killGrace) {
		close(p.stuck)
	}
}

// patience waits for the end of the process, at most d, and not at all when the
// stop is hard.
func (p *process) patience(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.st.child.exited:
		return true
	case <-p.hard:
	case <-timer.C:
	}
	return p.st.child.hasExited()
}
