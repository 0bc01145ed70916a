package runs

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// Run is the run with this ID, or with the one ID that starts with it (letters
// in either case). Errors: *NotFoundError, *AmbiguousError.
func (s *Store) Run(ctx context.Context, id string) (r *Run, err error) {
	err = s.view(ctx, func(tx *database) error {
		full, err := tx.resolve(id)
		if err != nil {
			return err
		}
		l, err := tx.load(full)
		r = l.Run
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ByToken is the run with this token; *NotFoundError when there is none.
func (s *Store) ByToken(ctx context.Context, token string) (r *Run, err error) {
	err = s.view(ctx, func(tx *database) error {
		var id string
		err := tx.row(`SELECT id FROM runs WHERE token = ?`, []any{token}, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return &NotFoundError{Token: token}
		}
		if err != nil {
			return err
		}
		l, err := tx.load(id)
		r = l.Run
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// resolve completes an ID from a prefix that only it has.
func (d *database) resolve(id string) (string, error) {
	const shown = 4 // of the IDs in the message
	prefix := strings.ToUpper(id)
	if prefix == "" {
		return "", &NotFoundError{ID: id}
	}
	for _, c := range prefix {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return "", &NotFoundError{ID: id} // "~" ends the range below
		}
	}
	var ids []string
	err := d.rows(`SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`, []any{prefix, prefix + "~", shown},
		func(scan func(...any) error) error {
			var found string
			err := scan(&found)
			ids = append(ids, found)
			return err
		})
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", &NotFoundError{ID: id}
	case len(ids) > 1 && ids[0] != prefix:
		return "", &AmbiguousError{Prefix: id, IDs: ids}
	}
	return ids[0], nil
}

// Filter selects runs; the zero Filter selects all.
type Filter struct {
	// States: any of them.
	States []State
	// Unclosed leaves out state Closed.
	Unclosed                              bool
	Operator, Step, Pipeline, PipelineRun string
	// Flavor and FlavorVersion are those of the pin.
	Flavor, FlavorVersion string
	OwnerID               string
	// Labels must all be there with these values.
	Labels map[string]string
	// Since and Before bound the time of creation: [Since, Before).
	Since, Before time.Time
	// Limit is the greatest number of runs; 0 = no limit.
	Limit int
}

// List is the runs that the filter selects, newest first. Request and Prepared
// of their attempts are left out.
func (s *Store) List(ctx context.Context, f Filter) ([]*Run, error) {
	where, args := f.where()
	query := selectRuns + where + ` ORDER BY r.id DESC`
	if f.Limit > 0 && len(f.Labels) == 0 {
		query += ` LIMIT ?`
		args = append(args, f.Limit)
	}
	var list []*Run
	err := s.view(ctx, func(tx *database) error {
		err := tx.rows(query, args, func(scan func(...any) error) error {
			l, err := scanRun(scan)
			if err != nil {
				return err
			}
			if hasLabels(l.Run, f.Labels) && (f.Limit <= 0 || len(list) < f.Limit) {
				list = append(list, l.Run)
			}
			return ctx.Err() // a list of everything may take a while
		})
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := tx.loadAttempts(r); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

func (f Filter) where() (string, []any) {
	var terms []string
	var args []any
	add := func(term string, arg any) { terms, args = append(terms, term), append(args, arg) }
	if len(f.States) > 0 {
		terms = append(terms, `r.state IN (?`+strings.Repeat(`,?`, len(f.States)-1)+`)`)
		for _, st := range f.States {
			args = append(args, string(st))
		}
	}
	if f.Unclosed {
		// An enumeration, so that the index on state serves: almost all runs of
		// an old store are closed.
		terms = append(terms, `r.state IN ('created','preparing','prepared','submitting','submitted','unknown','blocked','verdict','drained','cleaned')`)
	}
	for _, e := range []struct{ column, value string }{
		{"operator", f.Operator}, {"step", f.Step}, {"pipeline", f.Pipeline}, {"pipeline_run", f.PipelineRun},
		{"flavor", f.Flavor}, {"flavor_version", f.FlavorVersion}, {"owner", f.OwnerID},
	} {
		if e.value != "" {
			add(`r.`+e.column+` = ?`, e.value)
		}
	}
	if !f.Since.IsZero() {
		add(`r.created >= ?`, nanos(f.Since))
	}
	if !f.Before.IsZero() {
		add(`r.created < ?`, nanos(f.Before))
	}
	if len(terms) == 0 {
		return "", nil
	}
	return ` WHERE ` + strings.Join(terms, ` AND `), args
}

func hasLabels(r *Run, want map[string]string) bool {
	for k, v := range want {
		if have, ok := r.Labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// Intents are the cancel intents of the unclosed runs of one owner, by run ID:
// one query for a process that owns many.
func (s *Store) Intents(ctx context.Context, ownerID string) (map[string]Intent, error) {
	found := map[string]Intent{}
	err := s.view(ctx, func(tx *database) error {
		return tx.rows(`SELECT id, intent FROM runs WHERE owner = ? AND owner <> '' AND intent IS NOT NULL`, []any{ownerID},
			func(scan func(...any) error) error {
				var id string
				var raw []byte
				if err := scan(&id, &raw); err != nil {
					return err
				}
				var in Intent
				if err := decode("intent of run "+id, raw, &in); err != nil {
					return err
				}
				found[id] = in
				return nil
			})
	})
	return found, err
}
