package runs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// Limits of one event: a story is read by people, and a backend's error page is
// not part of it.
const (
	maxMessage = 4 << 10
	maxData    = 64 << 10
)

// Events are those of a run behind afterSeq, ascending. The error is a
// *NotFoundError when the run does not exist.
func (s *Store) Events(ctx context.Context, id string, afterSeq int64) ([]Event, error) {
	var events []Event
	err := s.view(ctx, func(tx *database) error {
		full, err := tx.resolve(id)
		if err != nil {
			return err
		}
		return tx.rows(`SELECT seq, at, actor, kind, message, data FROM events WHERE run = ? AND seq > ? ORDER BY seq`,
			[]any{full, afterSeq}, func(scan func(...any) error) error {
				var e Event
				var at int64
				var data []byte
				if err := scan(&e.Seq, &at, &e.Actor, &e.Kind, &e.Message, &data); err != nil {
					return err
				}
				e.At, e.Data = instant(at), data
				events = append(events, e)
				return nil
			})
	})
	return events, err
}

// addEvents appends events within a transaction, filling what their writer
// left out.
func (d *database) addEvents(run, actor string, at time.Time, events []Event) error {
	for _, e := range events {
		if e.At.IsZero() {
			e.At = at
		}
		if e.Actor == "" {
			e.Actor = actor
		}
		if len(e.Data) > 0 && !json.Valid(e.Data) {
			return errors.New("the data of an event is not JSON")
		}
		if len(e.Data) > maxData {
			e.Data = json.RawMessage(`"(too long)"`)
		}
		if _, err := d.exec(insertEvent, run, run, nanos(e.At), e.Actor, e.Kind, problem.Bound(e.Message, maxMessage), []byte(e.Data)); err != nil {
			return err
		}
	}
	return nil
}

// stateEvent tells of a change of state.
// withState puts the store's own event first, or gives its data to the one with
// which the caller tells the same in words.
func withState(events []Event, own Event) []Event {
	for i := range events {
		if events[i].Kind == EventState {
			if len(events[i].Data) == 0 {
				events[i].Data = own.Data
			}
			return events
		}
	}
	return append([]Event{own}, events...)
}

func stateEvent(from, to *Run) Event {
	data, _ := json.Marshal(struct { // two strings: cannot fail
		From    State `json:"from"`
		To      State `json:"to"`
		Attempt int   `json:"attempt,omitempty"`
	}{from.State, to.State, len(to.Attempts)})
	message := string(to.State)
	if to.StateReason != "" {
		message += ": " + to.StateReason
	}
	return Event{Kind: EventState, Message: message, Data: data}
}
