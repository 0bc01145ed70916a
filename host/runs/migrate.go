package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// migrations lists every schema there was; the database's user_version is the
// number of those that it has. A released one is never edited. A new one only
// adds: an older process that has the store open goes on with what it knows.
//
// The rows that change with every status are narrow: SQLite writes a row as a
// whole, so what is written once (definition, plan, requests) lies in tables of
// its own.
func migrations() []string {
	return []string{
		`
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), syncs INTEGER NOT NULL);
INSERT INTO meta VALUES (1, 0);

CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  token_given INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  state TEXT NOT NULL,
  operator TEXT NOT NULL, step TEXT NOT NULL,
  pipeline TEXT NOT NULL, pipeline_run TEXT NOT NULL,
  flavor TEXT NOT NULL, flavor_version TEXT NOT NULL,
  detached INTEGER NOT NULL,
  owner TEXT NOT NULL, fence INTEGER NOT NULL, owner_info BLOB,
  created INTEGER NOT NULL, updated INTEGER NOT NULL,
  verdict_at INTEGER NOT NULL, closed_at INTEGER NOT NULL,
  intent BLOB,
  doc BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_state ON runs (state);
CREATE INDEX runs_owner ON runs (owner) WHERE owner <> '';
CREATE INDEX runs_operator ON runs (operator, step);
CREATE INDEX runs_created ON runs (created);

CREATE TABLE definitions (
  run TEXT NOT NULL PRIMARY KEY,
  definition BLOB NOT NULL, digest TEXT NOT NULL,
  labels BLOB, pin BLOB, plan BLOB
);

CREATE TABLE attempts (
  run TEXT NOT NULL, number INTEGER NOT NULL,
  key TEXT NOT NULL UNIQUE,
  doc BLOB NOT NULL,
  PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE requests (
  run TEXT NOT NULL, number INTEGER NOT NULL,
  request BLOB, prepared BLOB,
  PRIMARY KEY (run, number)
);

CREATE TABLE events (
  run TEXT NOT NULL, seq INTEGER NOT NULL,
  at INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
  message TEXT NOT NULL, data BLOB,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;
`,
	}
}

// schemaPause is the longest pause between two looks at a schema that another process
// makes.
const schemaPause = 50 * time.Millisecond

// create makes an empty database, readable for its owner alone: SQLite gives
// the mode of the database to the files beside it. It gets its name when it is whole:
// switching it to write-ahead logging needs every other connection gone, and a hundred
// processes that begin in a new home would keep each other from that. What a process
// that died in here has left is removed by the next one.
func create(ctx context.Context, path string) error {
	unlock, err := lockSchema(ctx, path, func() (bool, error) {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
	if unlock == nil || err != nil {
		return err
	}
	defer unlock()
	temp := path + ".new"
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(temp + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the store of runs: %w", err)
		}
	}
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("the store of runs: %w", err)
	}
	d, err := connect(ctx, temp)
	if err != nil {
		return err
	}
	err = d.migrate(ctx, migrations())
	// The files beside it have another name, and must go with the connection.
	if err = errors.Join(err, d.keepLog(false), d.close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("the store of runs: %w", err)
	}
	return nil
}

// openCurrent opens the database and brings it to this version's schema.
func openCurrent(ctx context.Context, path string) (*database, error) {
	d, err := connect(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := d.bringUp(ctx, migrations()); err != nil {
		_ = d.close()
		return nil, err
	}
	return d, nil
}

func (d *database) bringUp(ctx context.Context, list []string) error {
	current := func() (bool, error) {
		have, err := d.version(ctx)
		if err == nil && have > len(list) {
			err = &NewerSchemaError{Path: d.path, Have: have, Knows: len(list)}
		}
		return have == len(list), err
	}
	if is, err := current(); is || err != nil {
		return err
	}
	unlock, err := lockSchema(ctx, d.path, current)
	if unlock == nil || err != nil {
		return err
	}
	defer unlock()
	return d.migrate(ctx, list)
}

// migrate applies what the database does not have yet, under the schema's lock.
func (d *database) migrate(ctx context.Context, list []string) error {
	// WAL is a property of the file, set once.
	err := retryBusy(ctx, d.path, func() error {
		var mode string
		return d.row("PRAGMA journal_mode=WAL", nil, &mode)
	})
	if err != nil {
		return err
	}
	return d.transact(ctx, true, func(tx *database) error {
		have, err := tx.version(ctx) // another process may have been first
		if err != nil {
			return err
		}
		if have > len(list) {
			return &NewerSchemaError{Path: d.path, Have: have, Knows: len(list)}
		}
		for _, script := range list[have:] {
			if _, err := tx.conn.ExecContext(context.Background(), script); err != nil {
				return fmt.Errorf("migrate %s: %w", d.path, err)
			}
		}
		_, err = tx.conn.ExecContext(context.Background(), "PRAGMA user_version="+strconv.Itoa(len(list)))
		if err != nil {
			return fmt.Errorf("migrate %s: %w", d.path, err)
		}
		return nil
	})
}

func (d *database) version(ctx context.Context) (v int, err error) {
	err = retryBusy(ctx, d.path, func() error { return d.row("PRAGMA user_version", nil, &v) })
	return v, err
}

// lockSchema keeps creation and migration to one process. Whoever waits for the lock
// looks meanwhile whether that one has done it: then done says so, and unlock is nil. A
// hundred processes that find a new home at once do not queue.
func lockSchema(ctx context.Context, path string, done func() (bool, error)) (unlock func(), err error) {
	lock := flock.New(path+".schema.lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, schemaPause) {
		got, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("the store of runs: lock %s: %w", lock.Path(), err)
		}
		// Also with the lock: another process may have been first.
		is, err := done()
		if is || err != nil {
			_ = lock.Close()
			return nil, err
		}
		if got {
			return func() { _ = lock.Close() }, nil
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			_ = lock.Close()
			return nil, fmt.Errorf("the store of runs: lock %s: %w", lock.Path(), ctx.Err())
		}
	}
}
