package pluginsdk

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Limits of the scope check.
const (
	// scopeAge is how long a live scope may be believed for answers that a later
	// one corrects (a status, a log line). Answers that nothing corrects (ABSENT,
	// LOST, a cancel) ask anew.
	scopeAge = time.Minute
	// scopeTimeout bounds one question for the scope: it is asked before other
	// calls, and those have bounds of their own.
	scopeTimeout = 20 * time.Second
	// maxScopes bounds the memory for configs that come and go.
	maxScopes = 256
	// maxScope is the contract's limit for the ID of a scope.
	maxScope = 1 << 10
)

// scopes remembers the live scope per config, credentials and project.
type scopes struct {
	mu   sync.Mutex
	live map[string]liveScope
}

type liveScope struct {
	scope Scope
	at    time.Time
}

// resolve returns the live scope, at most maxAge old.
func (s *scopes) resolve(ctx context.Context, c *call, maxAge time.Duration) (Scope, error) {
	if c.session.scope == nil {
		return Scope{ID: "config:" + c.digest, Display: "the place of this config"}, nil
	}
	s.mu.Lock()
	known, ok := s.live[c.credentials]
	s.mu.Unlock()
	if ok && time.Since(known.at) <= maxAge {
		return known.scope, nil
	}
	ctx, cancel := serve.Bounded(ctx, scopeTimeout)
	defer cancel()
	at := time.Now()
	var scope Scope
	err := guard(ctx, "Scope", func() (err error) { scope, err = c.session.scope(ctx); return err })
	if err == nil && (scope.ID == "" || len(scope.ID) > maxScope || !utf8.ValidString(scope.ID)) {
		// Made to fit, the IDs of two places could be equal.
		err = System(fmt.Errorf("the flavor's Scope returned an ID of %d bytes that is no UTF-8 text of 1 to %d", len(scope.ID), maxScope))
	}
	if err != nil {
		return Scope{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil || len(s.live) >= maxScopes {
		s.live = map[string]liveScope{}
	}
	s.live[c.credentials] = liveScope{scope: scope, at: at}
	return scope, nil
}

// check compares the live scope with the stored one. An error is "could not
// ask": another cluster's "no such job" is no news about ours.
func (s *scopes) check(ctx context.Context, c *call, maxAge time.Duration) error {
	stored := scopeOf(c.target.GetScope())
	if stored.ID == "" {
		return nil
	}
	live, err := s.resolve(ctx, c, maxAge)
	if err == nil && live.ID != stored.ID && maxAge > 0 {
		live, err = s.resolve(ctx, c, 0) // the person may have just put it right
	}
	if err != nil {
		return err
	}
	if live.ID != stored.ID {
		return WrongScope(stored, live)
	}
	return nil
}

// digestOf digests a config, with its secrets (credentials) or without.
func digestOf(v *operatorv1.Values, withSecrets bool) string {
	parts := []any{v.GetJson()}
	if withSecrets {
		for _, name := range sortedKeys(v.GetSecrets()) {
			parts = append(parts, name, v.GetSecrets()[name].GetValue())
		}
	}
	return Key(parts...)
}
