package runs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// RequestCancel stores the wish to cancel a run, durably (synchronous=FULL),
// for whoever owns the run or comes to own it. No claim is needed. The first
// intent is kept, so that its cause explains the verdict: first says whether
// this was it. A later one can only raise Force. A run with a verdict has
// nothing left to cancel: *FinalError.
func (s *Store) RequestCancel(ctx context.Context, id string, in Intent) (first bool, err error) {
	if in.By == "" {
		in.By = fmt.Sprintf("user@%d", os.Getpid())
	}
	at := s.instant()
	if in.At.IsZero() {
		in.At = at
	}
	err = s.change(ctx, Durable, func(tx *database) error {
		full, err := tx.resolve(id)
		if err != nil {
			return err
		}
		var raw []byte
		var verdictAt int64
		err = tx.row(`SELECT intent, verdict_at FROM runs WHERE id = ?`, []any{full}, &raw, &verdictAt)
		if errors.Is(err, sql.ErrNoRows) {
			return &NotFoundError{ID: id}
		}
		if err != nil {
			return err
		}
		if verdictAt != 0 {
			return &FinalError{Run: full, Field: "the verdict"}
		}
		var was *Intent
		if err := decode("intent of run "+full, raw, &was); err != nil {
			return err
		}
		keep := in
		if was != nil {
			if was.Force || !in.Force {
				return nil
			}
			keep = *was
			keep.Force = true
		}
		encoded, err := json.Marshal(keep)
		if err != nil {
			return fmt.Errorf("run %s: %w", full, err)
		}
		if _, err := tx.exec(`UPDATE runs SET rev = rev + 1, intent = ?, updated = ? WHERE id = ?`, encoded, nanos(at), full); err != nil {
			return err
		}
		first = was == nil
		message := keep.Cause
		if keep.Force {
			message += ", by force"
		}
		return tx.addEvents(full, in.By, at, []Event{{Kind: EventCancel, Message: message, Data: encoded}})
	})
	return first && err == nil, err
}
