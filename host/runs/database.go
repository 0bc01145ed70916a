package runs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Limits of waiting for other processes.
const (
	// lockWait bounds the wait for the store's lock. A transaction takes
	// milliseconds, so even a hundred processes at once are far below it; what
	// is longer is a process that was stopped while it held the lock.
	lockWait = 60 * time.Second
	// lockPause is the longest pause between two tries, and lockLong that of who has
	// waited for long: where hundreds wait, their tries must not take the time that
	// the one with the lock needs. SQLite's own waiting (busy_timeout) grows to 100 ms
	// a try and cannot be cancelled.
	lockPause = 4 * time.Millisecond
	lockLong  = 50 * time.Millisecond
	// walLimit, in bytes, is what is kept of the write-ahead log.
	walLimit = 1 << 20
)

// database is one connection with its prepared statements. It belongs to one
// goroutine at a time.
type database struct {
	path  string
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	// full: synchronous=FULL, SQLite's own default for a new connection, is in force
	// (else NORMAL).
	full bool
}

// connect opens the database at path, which must exist. A file URI is needed
// for names with a question mark, and for mode=rw: a store that was removed in
// the meantime must not come back empty.
func connect(ctx context.Context, path string) (*database, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	uri := (&url.URL{Scheme: "file", Path: slashed, RawQuery: "mode=rw"}).String()
	connector, err := sqlite.NewConnector(uri)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	pool := sql.OpenDB(connector)
	conn, err := pool.Conn(ctx)
	if err != nil {
		_ = pool.Close()
		return nil, sqlError(ctx, path, err)
	}
	d := &database{path: path, pool: pool, conn: conn, stmts: map[string]*sql.Stmt{}, full: true}
	// Keep the files beside the database when the last connection closes:
	// making them again costs every short command more than its work.
	if err := d.keepLog(true); err != nil {
		_ = d.close()
		return nil, sqlError(ctx, path, err)
	}
	// The log of a store that several processes use grows until nobody reads,
	// and whoever opens it afterwards pays for its length.
	if _, err := conn.ExecContext(ctx, "PRAGMA journal_size_limit="+strconv.Itoa(walLimit)); err != nil {
		_ = d.close()
		return nil, sqlError(ctx, path, err)
	}
	return d, nil
}

// keepLog says whether the files beside the database stay when the last connection
// closes.
func (d *database) keepLog(keep bool) error {
	return d.conn.Raw(func(c any) error {
		files, ok := c.(sqlite.FileControl)
		if !ok {
			return nil
		}
		mode := 0
		if keep {
			mode = 1
		}
		_, err := files.FileControlPersistWAL("main", mode)
		return err
	})
}

func (d *database) close() error {
	for _, st := range d.stmts {
		_ = st.Close()
	}
	return errors.Join(d.conn.Close(), d.pool.Close())
}

// stmt is the prepared statement of a query. Queries are constants, so the map
// stays small.
func (d *database) stmt(query string) (*sql.Stmt, error) {
	if st := d.stmts[query]; st != nil {
		return st, nil
	}
	st, err := d.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, sqlError(context.Background(), d.path, err)
	}
	d.stmts[query] = st
	return st, nil
}

func (d *database) exec(query string, args ...any) (changed int64, err error) {
	st, err := d.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := st.Exec(args...)
	if err != nil {
		return 0, sqlError(context.Background(), d.path, err)
	}
	n, err := res.RowsAffected()
	return n, err
}

// row reads the one row of a query; sql.ErrNoRows when there is none.
func (d *database) row(query string, args []any, dest ...any) error {
	st, err := d.stmt(query)
	if err != nil {
		return err
	}
	err = st.QueryRow(args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return sqlError(context.Background(), d.path, err)
}

// rows calls fn for each row of a query.
func (d *database) rows(query string, args []any, fn func(scan func(dest ...any) error) error) error {
	st, err := d.stmt(query)
	if err != nil {
		return err
	}
	rows, err := st.Query(args...)
	if err != nil {
		return sqlError(context.Background(), d.path, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return sqlError(context.Background(), d.path, rows.Err())
}

// transact runs fn between BEGIN IMMEDIATE and COMMIT. When fn fails or
// panics, nothing has happened.
func (d *database) transact(ctx context.Context, full bool, fn func(tx *database) error) error {
	if err := d.setFull(full); err != nil {
		return err
	}
	if err := d.begin(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	return d.finish(fn)
}

// snapshot runs fn in a read transaction.
func (d *database) snapshot(ctx context.Context, fn func(tx *database) error) error {
	if err := d.begin(ctx, "BEGIN"); err != nil {
		return err
	}
	return d.finish(fn)
}

func (d *database) finish(fn func(tx *database) error) (err error) {
	done := false
	defer func() {
		if !done {
			_, _ = d.exec("ROLLBACK")
		}
	}()
	if err := fn(d); err != nil {
		return err
	}
	if _, err := d.exec("COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// setFull switches synchronous, which SQLite allows outside a transaction only.
func (d *database) setFull(full bool) error {
	if d.full == full {
		return nil
	}
	pragma := "PRAGMA synchronous=NORMAL"
	if full {
		pragma = "PRAGMA synchronous=FULL"
	}
	if _, err := d.exec(pragma); err != nil {
		return err
	}
	d.full = full
	return nil
}

// begin waits for the lock. A deferred BEGIN takes none, so the first read is
// made here too: it is the one that can meet a lock (recovery after a death).
func (d *database) begin(ctx context.Context, begin string) error {
	return retryBusy(ctx, d.path, func() error {
		if _, err := d.exec(begin); err != nil {
			return err
		}
		if begin != "BEGIN" {
			return nil
		}
		var n int
		err := d.row("SELECT count(*) FROM meta", nil, &n)
		if err != nil {
			_, _ = d.exec("ROLLBACK")
		}
		return err
	})
}

// retryBusy repeats try while other processes hold the lock.
func retryBusy(ctx context.Context, path string, try func() error) error {
	began := time.Now()
	for pause := 200 * time.Microsecond; ; pause = min(pause*2, max(lockPause, min(time.Since(began)/20, lockLong))) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := try()
		var busy *BusyError
		if !errors.As(err, &busy) || time.Since(began) > lockWait {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// sqlError gives SQLite's errors the types of this package.
func sqlError(ctx context.Context, path string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &BusyError{Path: path, Err: err}
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return &DamagedError{Path: path, Err: err}
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return &DiskError{Path: path, Err: err}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// isUnique says that err is a broken UNIQUE or PRIMARY KEY constraint.
func isUnique(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}
