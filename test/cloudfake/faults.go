package cloudfake

import (
	"maps"
	"strings"
	"sync"
	"time"
)

// Kind of a fault that befalls a call.
type Kind string

// The kinds. How a refusal looks on the wire is the service's.
const (
	// Throttled: refused, too many calls.
	Throttled Kind = "throttled"
	// Internal: a 5xx; nothing was carried out.
	Internal Kind = "internal"
	// Expired: the credentials are no longer valid.
	Expired Kind = "expired"
	// Denied: the credentials are valid and not permitted.
	Denied Kind = "denied"
	// Quota: refused, an account's limit is reached.
	Quota Kind = "quota"
	// Capacity: refused, there is no such machine just now.
	Capacity Kind = "capacity"
	// Drop: the connection is closed, nothing was carried out.
	Drop Kind = "drop"
	// ReplyLost: carried out, and the connection is closed.
	ReplyLost Kind = "reply_lost"
	// LandsLate: the connection is closed, and DelayMS later it is carried out.
	LandsLate Kind = "lands_late"
	// Slow: carried out, answered DelayMS later.
	Slow Kind = "slow"
	// Cut: carried out, and the connection is closed behind Bytes of the answer.
	Cut Kind = "cut"
)

// Fault is what befalls a call.
type Fault struct {
	Kind         Kind   `json:"kind"`
	DelayMS      int    `json:"delay_ms,omitempty"`
	RetryAfterMS int    `json:"retry_after_ms,omitempty"`
	Bytes        int64  `json:"bytes,omitempty"`
	Message      string `json:"message,omitempty"`
}

// Rule lets a fault befall calls.
type Rule struct {
	// Op is an operation, for example "CreateTrainingJob"; one that ends in "*"
	// stands for all that begin so; "" = all.
	Op string `json:"op,omitempty"`
	// Match must be part of what the call is about (a name, a key); "" = any.
	Match string `json:"match,omitempty"`
	// After lets that many matching calls pass first; Times is how many it then
	// befalls, 0 = all.
	After int `json:"after,omitempty"`
	Times int `json:"times,omitempty"`
	// ForMS ends the rule that long after it was set; 0 = when it is cleared.
	ForMS int   `json:"for_ms,omitempty"`
	Fault Fault `json:"fault"`
}

// Life is what befalls a job. Zero = nothing.
type Life struct {
	// QueuedMS and ProvisioningMS are how long it waits before its start.
	QueuedMS       int `json:"queued_ms,omitempty"`
	ProvisioningMS int `json:"provisioning_ms,omitempty"`
	// ListedAfterMS is how long lists and searches do not show it.
	ListedAfterMS int `json:"listed_after_ms,omitempty"`
	// NoCapacity, NoImage and Broken fail it before its step starts: there is no
	// machine, the image cannot be had, the service itself fails.
	NoCapacity bool `json:"no_capacity,omitempty"`
	NoImage    bool `json:"no_image,omitempty"`
	Broken     bool `json:"broken,omitempty"`
	// PreemptAfterMS takes the machine away so long after the start.
	PreemptAfterMS int `json:"preempt_after_ms,omitempty"`
	// RestartAfterMS lets the service start it again by itself, Restarts times.
	RestartAfterMS int `json:"restart_after_ms,omitempty"`
	Restarts       int `json:"restarts,omitempty"`
	// CancelMS is how long a cancel takes; CancelNever: it is accepted, and
	// nothing happens.
	CancelMS    int  `json:"cancel_ms,omitempty"`
	CancelNever bool `json:"cancel_never,omitempty"`
	// DeleteAfterMS removes the record so long after the end.
	DeleteAfterMS int `json:"delete_after_ms,omitempty"`
	// LogsLateMS is how long a line is not shown. LogsShuffled: some lines arrive
	// behind later ones, with their own time.
	LogsLateMS   int  `json:"logs_late_ms,omitempty"`
	LogsShuffled bool `json:"logs_shuffled,omitempty"`
}

// LifeRule gives a life to jobs.
type LifeRule struct {
	// Match must be part of one of the job's names (name, key, token, step); "" =
	// any.
	Match string `json:"match,omitempty"`
	// Times is how many jobs it befalls; 0 = all.
	Times int  `json:"times,omitempty"`
	Life  Life `json:"life"`
}

// Plan holds the faults of a fake and counts its calls. The zero Plan is ready.
type Plan struct {
	mu    sync.Mutex
	rules []*rule
	lives []*lifeRule
	calls map[string]int
}

type rule struct {
	Rule
	until time.Time // zero = no end
	seen  int
}

type lifeRule struct {
	LifeRule
	used int
}

// Add adds a rule. The newest that matches counts.
func (p *Plan) Add(r Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := &rule{Rule: r}
	if r.ForMS > 0 {
		one.until = time.Now().Add(ms(r.ForMS))
	}
	p.rules = append(p.rules, one)
}

// AddLife adds a rule for jobs. The newest that matches counts.
func (p *Plan) AddLife(r LifeRule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lives = append(p.lives, &lifeRule{LifeRule: r})
}

// Clear drops all rules. Counters stay.
func (p *Plan) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.lives = nil, nil
}

// Call counts a call and returns what befalls it, or nil.
func (p *Plan) Call(op string, about ...string) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string]int{}
	}
	p.calls[op]++
	now := time.Now()
	for i := len(p.rules) - 1; i >= 0; i-- {
		r := p.rules[i]
		if !opMatches(r.Op, op) || !matches(r.Match, about) || !r.until.IsZero() && now.After(r.until) {
			continue
		}
		r.seen++
		if r.seen <= r.After || r.Times > 0 && r.seen > r.After+r.Times {
			continue
		}
		f := r.Fault
		return &f
	}
	return nil
}

// LifeOf returns the life of a job, by its names.
func (p *Plan) LifeOf(names ...string) Life {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.lives) - 1; i >= 0; i-- {
		r := p.lives[i]
		if matches(r.Match, names) && (r.Times == 0 || r.used < r.Times) {
			r.used++
			return r.Life
		}
	}
	return Life{}
}

// Calls returns the counters by operation.
func (p *Plan) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

func opMatches(pattern, op string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return pattern == "" || pattern == op || open && strings.HasPrefix(op, prefix)
}

func matches(part string, names []string) bool {
	if part == "" {
		return true
	}
	for _, n := range names {
		if strings.Contains(n, part) {
			return true
		}
	}
	return false
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
