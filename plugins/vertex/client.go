package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/budget"
)

// callsBurst is the part of a budget that may be used at once.
const callsBurst = 6 * time.Second

// session is what one call works with.
type session struct {
	*gcp.Client
	v       *vertex
	c       Config
	project string
	key     string // of the client in the cache
}

// open returns the client of a config. Clients are shared by operators with the
// same place and credentials.
func (v *vertex) open(ctx context.Context, c Config) (*session, error) {
	project, err := v.project(c)
	if err != nil {
		return nil, err
	}
	parts := []any{c.Region, c.ServiceAccountPath, c.Impersonate, v.environ(gcp.CredentialsVariable)}
	for _, service := range slices.Sorted(maps.Keys(c.Endpoints)) {
		parts = append(parts, service, c.Endpoints[service])
	}
	key := pluginsdk.Key(parts...)
	client, err := v.clients.Get(ctx, key, func(ctx context.Context) (*gcp.Client, error) {
		made, err := gcp.New(ctx, gcp.Options{Region: c.Region, Credentials: c.ServiceAccountPath, Impersonate: c.Impersonate, Endpoints: c.Endpoints})
		if err == nil {
			v.made(made)
		}
		return made, err
	})
	if err != nil {
		return nil, gcp.Ask(err)
	}
	return &session{Client: client, v: v, c: c, project: project, key: key}, nil
}

// ask gives an error of a read its meaning, and forgets a login that was
// refused: the person may have just signed in again.
func (s *session) ask(err error) error {
	if err == nil {
		return nil
	}
	if gcp.Unauthenticated(err) {
		s.v.clients.Drop(s.key)
	}
	return gcp.Ask(err)
}

// states is the budget of questions about jobs.
func (s *session) states() *budget.Budget { return s.v.budgets.Of(s.place(), s.c.CallsPerMinute) }

// logCalls is that of Cloud Logging, whose quota is the project's.
func (s *session) logCalls() *budget.Budget {
	return s.v.budgets.Of("logs "+s.project, s.c.LogCallsPerMinute)
}

func (s *session) place() string  { return s.project + " " + s.c.Region }
func (s *session) parent() string { return parent(s.project, s.c.Region) }
