package main

import (
	"sync"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// explainAfter is how long a job waits before the run history is asked why.
	explainAfter = 30 * time.Second
	// explainEvery is how often one job is asked about, explainPace how often any is:
	// what many wait for is nearly always the same, and the number of questions must
	// not grow with them.
	explainEvery = time.Minute
	explainPace  = 10 * time.Second
	// mostReasons bounds what is remembered.
	mostReasons = 4096
)

// reasons remembers why jobs wait: lists do not tell it. The zero value is ready; it
// is safe for concurrent use.
type reasons struct {
	mu   sync.Mutex
	last time.Time // somebody was asked about
	of   map[string]reason
}

type reason struct {
	asked           time.Time
	phase           pluginsdk.Phase
	reason, message string
}

// learned keeps what the run history said about a job.
func (r *reasons) learned(job string, s pluginsdk.Status, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil || len(r.of) >= mostReasons {
		r.of = map[string]reason{}
	}
	r.of[job] = reason{asked: now, phase: s.Phase, reason: s.Reason, message: s.Message}
}

// recall puts it into what a list says about the job in the same phase, so that a
// reason does not come and go.
func (r *reasons) recall(job string, s *pluginsdk.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.of[job]; ok && known.phase == s.Phase && s.Reason == "" {
		s.Reason, s.Message = known.reason, known.message
	}
}

// next is the one of the jobs that is worth a question now, "" for none: the one that
// was asked about longest ago.
func (r *reasons) next(jobs []string, now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) < explainPace {
		return ""
	}
	next := ""
	for _, job := range jobs {
		if now.Sub(r.of[job].asked) >= explainEvery && (next == "" || r.of[job].asked.Before(r.of[next].asked)) {
			next = job
		}
	}
	if next != "" {
		r.last = now
	}
	return next
}
