package runs

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Queries. Constants, so that each is prepared once per connection.
const (
	selectRuns = `SELECT r.id, r.token, r.token_given, r.rev, r.state, r.operator, r.step, r.pipeline, r.pipeline_run,
 r.detached, r.owner, r.fence, r.owner_info, r.created, r.updated, r.verdict_at, r.closed_at, r.intent, r.doc,
 d.definition, d.digest, d.labels, d.pin, d.plan FROM runs r JOIN definitions d ON d.run = r.id`
	selectRun      = selectRuns + ` WHERE r.id = ?`
	selectHead     = `SELECT rev, fence, owner, owner_info FROM runs WHERE id = ?`
	selectAttempts = `SELECT doc FROM attempts WHERE run = ? ORDER BY number`
	selectRequests = `SELECT number, request, prepared FROM requests WHERE run = ?`

	insertRun = `INSERT INTO runs (id, token, token_given, rev, state, operator, step, pipeline, pipeline_run, flavor,
 flavor_version, detached, owner, fence, owner_info, created, updated, verdict_at, closed_at, intent, doc)
 VALUES (?,?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,0,0,NULL,?)`
	updateRun = `UPDATE runs SET rev = rev + 1, state = ?, flavor = ?, flavor_version = ?, detached = ?, owner = ?,
 owner_info = ?, updated = ?, verdict_at = ?, closed_at = ?, intent = ?, doc = ? WHERE id = ? AND fence = ?`
	insertDefinition = `INSERT INTO definitions (run, definition, digest, labels, pin, plan) VALUES (?,?,?,?,?,?)`
	updateDefinition = `UPDATE definitions SET labels = ?, pin = ?, plan = ? WHERE run = ?`
	putAttempt       = `INSERT INTO attempts (run, number, key, doc) VALUES (?,?,?,?)
 ON CONFLICT (run, number) DO UPDATE SET doc = excluded.doc`
	putRequest = `INSERT INTO requests (run, number, request, prepared) VALUES (?,?,?,?)
 ON CONFLICT (run, number) DO UPDATE SET request = excluded.request, prepared = excluded.prepared`
	insertEvent = `INSERT INTO events (run, seq, at, actor, kind, message, data)
 VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE run = ?), ?, ?, ?, ?, ?)`
)

// runDoc is what the hot row keeps as JSON.
type runDoc struct {
	StateReason string                     `json:"state_reason,omitempty"`
	Verdict     *Verdict                   `json:"verdict,omitempty"`
	Values      map[string]json.RawMessage `json:"values,omitempty"`
}

// loaded is a run as it was read, with the revision of its row.
type loaded struct {
	*Run
	rev int64
}

// load reads one run with everything; *NotFoundError when there is none.
func (d *database) load(id string) (loaded, error) {
	l, err := scanRun(func(dest ...any) error { return d.row(selectRun, []any{id}, dest...) })
	if errors.Is(err, sql.ErrNoRows) {
		return l, &NotFoundError{ID: id}
	}
	if err != nil {
		return l, err
	}
	if err := d.loadAttempts(l.Run); err != nil {
		return l, err
	}
	return l, d.rows(selectRequests, []any{id}, func(scan func(...any) error) error {
		var number int
		var request, prepared []byte
		if err := scan(&number, &request, &prepared); err != nil {
			return err
		}
		for i := range l.Attempts {
			if l.Attempts[i].Number == number {
				l.Attempts[i].Request, l.Attempts[i].Prepared = request, prepared
			}
		}
		return nil
	})
}

func (d *database) loadAttempts(r *Run) error {
	return d.rows(selectAttempts, []any{r.ID}, func(scan func(...any) error) error {
		var doc []byte
		if err := scan(&doc); err != nil {
			return err
		}
		var a Attempt
		if err := decode("attempt of run "+r.ID, doc, &a); err != nil {
			return err
		}
		r.Attempts = append(r.Attempts, a)
		return nil
	})
}

// scanRun reads a row of selectRuns.
func scanRun(scan func(dest ...any) error) (loaded, error) {
	l := loaded{Run: &Run{}}
	r := l.Run
	var created, updated, verdictAt, closedAt int64
	var ownerInfo, intent, doc, labels, pin, plan []byte
	err := scan(&r.ID, &r.Token, &r.TokenGiven, &l.rev, &r.State, &r.Operator, &r.Step, &r.Pipeline, &r.PipelineRun,
		&r.Detached, &r.OwnerID, &r.Fence, &ownerInfo, &created, &updated, &verdictAt, &closedAt, &intent, &doc,
		&r.Definition, &r.DefinitionDigest, &labels, &pin, &plan)
	if err != nil {
		return l, err
	}
	r.CreatedAt, r.UpdatedAt, r.VerdictAt, r.ClosedAt = instant(created), instant(updated), instant(verdictAt), instant(closedAt)
	r.Plan = plan
	var rest runDoc
	err = errors.Join(
		decode("run "+r.ID, doc, &rest),
		decode("labels of run "+r.ID, labels, &r.Labels),
		decode("pin of run "+r.ID, pin, &r.Pin),
		decode("intent of run "+r.ID, intent, &r.Intent),
		decode("owner of run "+r.ID, ownerInfo, &r.Owner))
	r.StateReason, r.Verdict, r.Values = rest.StateReason, rest.Verdict, rest.Values
	return l, err
}

// insert stores a new run.
func (d *database) insert(r *Run) error {
	doc, err := json.Marshal(runDoc{StateReason: r.StateReason, Values: r.Values})
	if err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	owner, labels, pin, err := r.cold()
	if err != nil {
		return err
	}
	at := nanos(r.CreatedAt)
	if _, err := d.exec(insertRun, r.ID, r.Token, r.TokenGiven, string(r.State), r.Operator, r.Step, r.Pipeline, r.PipelineRun,
		r.Pin.Flavor, r.Pin.Version, r.Detached, r.OwnerID, r.Fence, owner, at, at, doc); err != nil {
		return err
	}
	_, err = d.exec(insertDefinition, r.ID, notNil(r.Definition), r.DefinitionDigest, labels, pin, []byte(r.Plan))
	return err
}

// save stores what differs between before and after. Fence and owner of the
// row were checked in this transaction.
func (d *database) save(before, after *Run) error {
	doc, err := json.Marshal(runDoc{StateReason: after.StateReason, Verdict: after.Verdict, Values: after.Values})
	if err != nil {
		return fmt.Errorf("run %s: %w", after.ID, err)
	}
	owner, labels, pin, err := after.cold()
	if err != nil {
		return err
	}
	intent, err := optional(after.Intent)
	if err != nil {
		return err
	}
	n, err := d.exec(updateRun, string(after.State), after.Pin.Flavor, after.Pin.Version, after.Detached, after.OwnerID, owner,
		nanos(after.UpdatedAt), nanos(after.VerdictAt), nanos(after.ClosedAt), intent, doc, after.ID, after.Fence)
	if err != nil {
		return err
	}
	if n != 1 {
		return &FencedError{Run: after.ID, Mine: after.Fence}
	}
	if !reflect.DeepEqual(before.Labels, after.Labels) || !reflect.DeepEqual(before.Pin, after.Pin) || !bytes.Equal(before.Plan, after.Plan) {
		if _, err := d.exec(updateDefinition, labels, pin, []byte(after.Plan), after.ID); err != nil {
			return err
		}
	}
	for i := range after.Attempts {
		var was *Attempt
		if i < len(before.Attempts) {
			was = &before.Attempts[i]
		}
		if err := d.saveAttempt(after.ID, was, &after.Attempts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) saveAttempt(run string, was, is *Attempt) error {
	if was != nil && reflect.DeepEqual(was, is) {
		return nil
	}
	doc, err := json.Marshal(is)
	if err != nil {
		return fmt.Errorf("run %s: attempt %d: %w", run, is.Number, err)
	}
	if _, err := d.exec(putAttempt, run, is.Number, is.Key, doc); err != nil {
		if isUnique(err) {
			return &FinalError{Run: run, Field: fmt.Sprintf("key %q (another attempt has it)", is.Key)}
		}
		return err
	}
	if was != nil && bytes.Equal(was.Request, is.Request) && bytes.Equal(was.Prepared, is.Prepared) ||
		was == nil && is.Request == nil && is.Prepared == nil {
		return nil
	}
	_, err = d.exec(putRequest, run, is.Number, is.Request, is.Prepared)
	return err
}

// cold encodes what the hot row's JSON does not hold.
func (r *Run) cold() (owner, labels, pin []byte, err error) {
	if owner, err = optional(r.Owner); err != nil {
		return nil, nil, nil, err
	}
	if labels, err = json.Marshal(r.Labels); err != nil {
		return nil, nil, nil, fmt.Errorf("labels of run %s: %w", r.ID, err)
	}
	if pin, err = json.Marshal(r.Pin); err != nil {
		return nil, nil, nil, fmt.Errorf("pin of run %s: %w", r.ID, err)
	}
	return owner, labels, pin, nil
}

// optional is nil (SQL NULL) for nil, else JSON.
func optional[T any](v *T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

func decode(what string, b []byte, v any) error {
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &DamagedError{Path: what, Err: err}
	}
	return nil
}

// notNil keeps an empty definition apart from SQL NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// instant and nanos convert between times and whole nanoseconds; 0 is the zero
// time.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
