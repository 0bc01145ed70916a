package runs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// deletedName is the mark in the directory of a run whose record is being deleted.
const deletedName = "deleted"

// Delete removes a closed run with its events and its directory (log). Others
// are refused with *NotClosedError. When another process was faster:
// *NotFoundError.
//
// The record goes first: a death in between leaves a directory without a
// record, but with a mark, which Sweep removes.
func (s *Store) Delete(ctx context.Context, id string) error {
	id, err := s.deleteRecord(ctx, id)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.Dir(id)); err != nil {
		return fmt.Errorf("run %s: remove its directory: %w", id, err)
	}
	return nil
}

// deleteRecord marks the directory and removes everything else; full is the ID.
func (s *Store) deleteRecord(ctx context.Context, id string) (full string, err error) {
	err = s.change(ctx, Relaxed, func(tx *database) error {
		var err error
		if full, err = tx.resolve(id); err != nil {
			return err
		}
		var state State
		if err := tx.row(`SELECT state FROM runs WHERE id = ?`, []any{full}, &state); err != nil {
			return err
		}
		if state != Closed {
			return &NotClosedError{Run: full, State: state}
		}
		for _, query := range []string{
			`DELETE FROM runs WHERE id = ?`, `DELETE FROM definitions WHERE run = ?`, `DELETE FROM attempts WHERE run = ?`,
			`DELETE FROM requests WHERE run = ?`, `DELETE FROM events WHERE run = ?`,
		} {
			if _, err := tx.exec(query, full); err != nil {
				return err
			}
		}
		// Before the commit, behind which this process may die. Without a mark (there
		// is no directory, the disk is full) a death leaves the directory for good.
		_ = os.WriteFile(filepath.Join(s.Dir(full), deletedName), nil, 0o600)
		return nil
	})
	return full, err
}

// Sweep removes what deaths within Delete left, and returns how many directories
// that were. A directory without record and mark stays: it is what is left of a run
// whose store was lost, or replaced by an older one. Any process may call it at any
// time.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	// Directories first, records second: a directory is made only after its
	// run's record, and a mark may stand beside a record that was kept.
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("the store of runs: %w", err)
	}
	for _, e := range entries {
		if !isRun(e) {
			continue
		}
		if _, err := os.Stat(filepath.Join(s.dir, e.Name(), deletedName)); err != nil {
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
