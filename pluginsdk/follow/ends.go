package follow

import (
	"sync"
	"time"
)

const (
	// fresh: that a job goes on was noted no longer ago than this. A watched job is
	// asked about every 18 s at the least (pluginsdk: pace).
	fresh = 30 * time.Second
	// most bounds the memory: far more than one host follows.
	most = 10000
)

// Ends remembers which jobs are over. The zero Ends is ready.
type Ends struct {
	mu   sync.Mutex
	jobs map[string]noted
}

type noted struct {
	over bool
	at   time.Time
}

// Note is called by whoever was just told the state of a job.
func (e *Ends) Note(job string, over bool) { e.NoteAt(job, over, time.Now()) }

// NoteAt does the same for a state that the service told at an earlier time.
func (e *Ends) NoteAt(job string, over bool, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.jobs == nil || len(e.jobs) >= most {
		e.jobs = map[string]noted{}
	}
	e.jobs[job] = noted{over, at}
}

// Over tells whether a job is over; known = false: it has to be asked for.
func (e *Ends) Over(job string) (over, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, known := e.jobs[job]
	return n.over, known && (n.over || time.Since(n.at) < fresh)
}
