package follow

import (
	"sync"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// fresh: that a job is not over was noted no longer ago than this. A watched job
	// is asked about every 18 s at the least (pluginsdk: pace).
	fresh = 30 * time.Second
	// most bounds the memory: far more than one host follows.
	most = 10000
)

// Phases remembers in what phase jobs are. The zero Phases is ready.
type Phases struct {
	mu   sync.Mutex
	jobs map[string]noted
}

type noted struct {
	phase pluginsdk.Phase
	at    time.Time
}

// Note is called by whoever was just told the phase of a job; 0 = one that is
// not known here, which is not over.
func (p *Phases) Note(job string, phase pluginsdk.Phase) { p.NoteAt(job, phase, time.Now()) }

// NoteAt does the same for a phase that the service told at an earlier time.
func (p *Phases) NoteAt(job string, phase pluginsdk.Phase, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.jobs == nil || len(p.jobs) >= most {
		p.jobs = map[string]noted{}
	}
	p.jobs[job] = noted{phase, at}
}

// Over tells whether a job is over; known = false: it has to be asked for.
func (p *Phases) Over(job string) (over, known bool) {
	n, known := p.of(job)
	return n.phase.Terminal(), known
}

// Waits tells whether a job is known to wait for its start, so that it has no log
// that could be asked for: hundreds of jobs in a queue would else use up the
// calls of those that run.
func (p *Phases) Waits(job string) bool {
	n, known := p.of(job)
	return known && (n.phase == pluginsdk.Queued || n.phase == pluginsdk.Provisioning)
}

func (p *Phases) of(job string) (n noted, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, known = p.jobs[job]
	return n, known && (n.phase.Terminal() || time.Since(n.at) < fresh)
}
