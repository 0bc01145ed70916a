package runs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"
)

// Delete removes a closed run with its events and its directory (log). Others
// are refused with *NotClosedError. When another process was faster:
// *NotFoundError.
//
// The record goes first: a death in between leaves a directory without a
// record, which Sweep removes.
func (s *Store) Delete(ctx context.Context, id string) error {
	err := s.change(ctx, Relaxed, func(tx *database) error {
		var err error
		if id, err = tx.resolve(id); err != nil {
			return err
		}
		var state State
		if err := tx.row(`SELECT state FROM runs WHERE id = ?`, []any{id}, &state); err != nil {
			return err
		}
		if state != Closed {
			return &NotClosedError{Run: id, State: state}
		}
		for _, query := range []string{
			`DELETE FROM runs WHERE id = ?`, `DELETE FROM definitions WHERE run = ?`, `DELETE FROM attempts WHERE run = ?`,
			`DELETE FROM requests WHERE run = ?`, `DELETE FROM events WHERE run = ?`,
		} {
			if _, err := tx.exec(query, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.Dir(id)); err != nil {
		return fmt.Errorf("run %s: remove its directory: %w", id, err)
	}
	return nil
}

// Sweep removes directories of runs that no longer exist and returns how many.
// Any process may call it at any time.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	// Directories first, records second: a directory is made only after its
	// run's record, so one without a record is left over.
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("the store of runs: %w", err)
	}
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err != nil || !e.IsDir() {
			continue
		}
		var n int
		err := s.view(ctx, func(tx *database) error {
			return tx.row(`SELECT count(*) FROM runs WHERE id = ?`, []any{e.Name()}, &n)
		})
		if err != nil {
			return removed, err
		}
		if n > 0 {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			return removed, fmt.Errorf("the store of runs: %w", err)
		}
		removed++
	}
	return removed, nil
}
