package budget

import (
	"sync"
	"time"
)

// Shared holds one budget for each place, for all operators of the process.
type Shared struct {
	// Burst is that of each budget.
	Burst time.Duration

	mu      sync.Mutex
	budgets map[string]*Budget
}

// Of is the budget of a place. Of several operators with different limits the
// lowest counts.
func (s *Shared) Of(place string, perMinute int) *Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.budgets[place]
	if !ok {
		if s.budgets == nil {
			s.budgets = map[string]*Budget{}
		}
		b = New(perMinute, s.Burst)
		s.budgets[place] = b
	}
	if limit := perSecond(perMinute); limit < b.limiter.Limit() {
		b.lower(limit)
	}
	return b
}
