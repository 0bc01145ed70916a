package image

import (
	"fmt"
	"sync"
	"time"

	"github.com/stephost/stephost/host/environment/source"
)

// progressEvery is how often a transfer is told about: a person looks, a log does
// not fill.
const progressEvery = 2 * time.Second

// progress tells how far a transfer is. What is over within the first interval is
// told once.
type progress struct {
	say   func(string, ...any)
	what  string
	total int64

	mu   sync.Mutex
	done int64
	last time.Time
}

func newProgress(say func(string, ...any), what string, total int64) *progress {
	say("%s: %s", what, source.FormatBytes(total))
	return &progress{say: say, what: what, total: total, last: time.Now()}
}

func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	if now := time.Now(); now.Sub(p.last) >= progressEvery {
		p.last = now
		p.say("%s: %s of %s", p.what, source.FormatBytes(p.done), source.FormatBytes(max(p.total, p.done)))
	}
}

// sayer makes Progress safe for several goroutines.
func (r *Request) sayer() func(string, ...any) {
	if r.Progress == nil {
		return func(string, ...any) {}
	}
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		r.Progress(fmt.Sprintf(format, args...))
	}
}
