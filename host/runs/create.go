package runs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/oklog/ulid/v2"
)

// maxToken is the length of a token in bytes (contract: 1 to 256).
const maxToken = 256

// NewRun is what Create needs to know.
type NewRun struct {
	// Token is 1 to 256 bytes; when empty, the run's ID becomes its token.
	Token                                 string
	Operator, Step, Pipeline, PipelineRun string
	Labels                                map[string]string
	Definition                            []byte
	DefinitionDigest                      string
	Pin                                   Pin
	Plan                                  json.RawMessage
	Detached                              bool
}

// Create stores a new run in state Created. When the token is taken, the run
// that has it comes back with created = false, whatever its state; of any
// number of callers with one token, in any number of processes, exactly one
// creates. The run has no owner yet: see CreateClaimed.
func (s *Store) Create(ctx context.Context, n NewRun) (r *Run, created bool, err error) {
	return s.create(ctx, n, nil)
}

// CreateClaimed is Create and Claim in one transaction, so that no other
// process can find the new run ownerless. When the token is taken, the claim is
// nil and the run that has it comes back unclaimed.
func (s *Store) CreateClaimed(ctx context.Context, n NewRun, o *Owner) (c *Claim, r *Run, err error) {
	r, created, err := s.create(ctx, n, o)
	if err != nil || !created {
		return nil, r, err
	}
	return newClaim(s, o, loaded{Run: r, rev: 1}), r.clone(), nil
}

func (s *Store) create(ctx context.Context, n NewRun, o *Owner) (r *Run, created bool, err error) {
	at := s.instant()
	id, err := newID(at)
	if err != nil {
		return nil, false, err
	}
	token := n.Token
	if token == "" {
		token = id
	}
	if len(token) > maxToken {
		return nil, false, &TokenError{Length: len(token)}
	}
	fresh := &Run{
		ID: id, Token: token, TokenGiven: n.Token != "", State: Created,
		Operator: n.Operator, Step: n.Step, Pipeline: n.Pipeline, PipelineRun: n.PipelineRun, Labels: maps.Clone(n.Labels),
		Definition: n.Definition, DefinitionDigest: n.DefinitionDigest, Pin: n.Pin, Plan: n.Plan, Detached: n.Detached,
		CreatedAt: at, UpdatedAt: at,
	}
	if o != nil {
		info := o.Info()
		fresh.OwnerID, fresh.Owner, fresh.Fence = o.ID(), &info, 1
	}
	err = s.change(ctx, Relaxed, func(tx *database) error {
		var taken string
		err := tx.row(`SELECT id FROM runs WHERE token = ?`, []any{token}, &taken)
		if err == nil {
			l, err := tx.load(taken)
			r = l.Run
			return err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := tx.insert(fresh); err != nil {
			return err
		}
		r, created = fresh, true
		return tx.addEvents(id, fresh.OwnerID, at, []Event{{Kind: EventCreated}})
	})
	if err != nil {
		return nil, false, err
	}
	return r, created, nil
}

// newID is a ULID: sortable by time, unique across machines.
func newID(at time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(at), ulid.DefaultEntropy())
	if err != nil {
		return "", fmt.Errorf("make a run ID: %w", err)
	}
	return id.String(), nil
}
