package pluginsdk

import (
	"math/rand/v2"
	"sync"
	"time"
)

// The pace of polling.
const (
	// pollFirst: a step of a second must not wait for its verdict longer than a
	// person notices.
	pollFirst = 50 * time.Millisecond
	// pollMax: minutes of training do not justify more calls; quotas of clouds are
	// counted per account, not per run.
	pollMax = 15 * time.Second
	// pollChanged is the pace after a change of phase: the next change is often
	// near.
	pollChanged = 250 * time.Millisecond
	// pollGrowth makes about 25 calls on the way from first to max (100 s).
	pollGrowth = 1.25
	// failFirst and failMax bound the pause after "could not ask".
	failFirst  = 500 * time.Millisecond
	failMax    = 30 * time.Second
	failGrowth = 2
	// throttleMax bounds what a backend may ask for: a wrong Retry-After must not
	// hide a run for a day.
	throttleMax = 10 * time.Minute
	// jitter keeps a thousand runs that began together from asking together.
	jitter = 0.2
)

// pace is the time between questions about one job.
type pace struct {
	pause, fail time.Duration
}

// reset makes the next questions quick again.
func (p *pace) reset(to time.Duration) {
	if p.pause == 0 || p.pause > to {
		p.pause = to
	}
}

// next returns how long to wait after an answer.
func (p *pace) next() time.Duration { return jittered(p.grow()) }

// grow is next without jitter.
func (p *pace) grow() time.Duration {
	p.fail = 0
	d := max(p.pause, pollFirst)
	p.pause = min(time.Duration(float64(d)*pollGrowth), pollMax)
	return d
}

// passed returns how long to wait after an answer that came unasked, d after the
// last: a pause of d would have grown by this.
func (p *pace) passed(d time.Duration) time.Duration {
	p.pause = min(max(p.pause, pollFirst)+time.Duration(float64(d)*(pollGrowth-1)), pollMax)
	return p.pause
}

// failed returns how long to wait after err.
func (p *pace) failed(err error) time.Duration {
	d := max(p.fail, failFirst)
	p.fail = min(d*failGrowth, failMax)
	if e := askOf(err); e != nil && e.RetryAfter > 0 {
		// Earlier than asked for is never right; a little later is.
		after := min(e.RetryAfter, throttleMax)
		return max(jittered(d), after+time.Duration(rand.Int64N(int64(after/10)+1)))
	}
	return jittered(d)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}

// nudges wakes the watches of a job after a Cancel.
type nudges struct {
	mu   sync.Mutex
	next int
	keys map[string]map[int]func()
}

// add calls wake, which must not block, for every nudge of key until remove.
func (n *nudges) add(key string, wake func()) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.keys == nil {
		n.keys = map[string]map[int]func(){}
	}
	if n.keys[key] == nil {
		n.keys[key] = map[int]func(){}
	}
	n.next++
	id := n.next
	n.keys[key][id] = wake
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.keys[key], id)
		if len(n.keys[key]) == 0 {
			delete(n.keys, key)
		}
	}
}

func (n *nudges) nudge(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, wake := range n.keys[key] {
		wake()
	}
}

// poke puts a value into a channel of capacity one, without waiting.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
