package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenMakesAPrivateStore(t *testing.T) {
	s := newStore(t)
	_, _, err := s.Create(t.Context(), NewRun{Token: "a"})
	require.NoError(t, err)
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("no directory", func(t *testing.T) {
		_, err := Open(t.Context(), filepath.Join(t.TempDir(), "none"), Options{})
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("no database", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, databaseName), []byte("this is a text and nothing else, a long one at that, "+string(make([]byte, 200))), 0o600))
		_, err := Open(t.Context(), dir, Options{})
		var damaged *DamagedError
		require.ErrorAs(t, err, &damaged)
	})
	t.Run("newer schema", func(t *testing.T) {
		s := newStore(t)
		require.NoError(t, s.change(t.Context(), Durable, func(tx *database) error {
			_, err := tx.exec(fmt.Sprintf("PRAGMA user_version=%d", len(migrations())+1))
			return err
		}))
		_, err := Open(t.Context(), s.dir, Options{})
		var newer *NewerSchemaError
		require.ErrorAs(t, err, &newer)
		assert.Equal(t, len(migrations()), newer.Knows)
		assert.Contains(t, newer.Error(), "newer stephost")
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Open(ctx, t.TempDir(), Options{})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A name that means something in a URI is a name.
func TestOddDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a?b#c%20 d&mode=memory")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s := openStore(t, dir, Options{})
	_, _, err := s.Create(t.Context(), NewRun{Token: "x"})
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(dir, databaseName))
	require.NoError(t, err)
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	list := []string{"CREATE TABLE meta (id INTEGER); CREATE TABLE a (x);", "CREATE TABLE b (y); INSERT INTO b VALUES (7);", "broken"}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	d, err := connect(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.close()) }()
	require.NoError(t, d.bringUp(t.Context(), list[:1]))
	require.NoError(t, d.bringUp(t.Context(), list[:1]), "nothing to do")
	require.NoError(t, d.bringUp(t.Context(), list[:2]))
	require.Error(t, d.bringUp(t.Context(), list), "one that fails")
	v, err := d.version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, v, "changes nothing")
	var y int
	require.NoError(t, d.row("SELECT y FROM b", nil, &y))
	assert.Equal(t, 7, y)
	var newer *NewerSchemaError
	require.ErrorAs(t, d.bringUp(t.Context(), list[:1]), &newer)
}

// The first schema is frozen: a store that it made opens with every later one.
func TestFirstSchema(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, databaseName)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	d, err := connect(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, d.bringUp(t.Context(), migrations()[:1]))
	script, err := os.ReadFile("testdata/schema1.sql")
	require.NoError(t, err)
	_, err = d.conn.ExecContext(t.Context(), string(script))
	require.NoError(t, err)
	require.NoError(t, d.close())

	s := openStore(t, dir, Options{})
	r, err := s.ByToken(t.Context(), "first")
	require.NoError(t, err)
	assert.Equal(t, Submitted, r.State)
	assert.Equal(t, "handle", string(r.Current().Handle))
	assert.Equal(t, "request", string(r.Current().Request))
	assert.Equal(t, CauseUser, r.Intent.Cause)
	assert.Equal(t, "eu", r.Pin.ScopeDisplay)
	events, err := s.Events(t.Context(), r.ID, 0)
	require.NoError(t, err)
	assert.Len(t, events, 1)
	c, err := s.Claim(t.Context(), r.ID, newOwner(t, s), ClaimOptions{})
	require.NoError(t, err)
	require.NoError(t, to(t, c, Ended))
}

// full is a run with every field set.
func full(at time.Time) func(r *Run) ([]Event, error) {
	code := 3
	return func(r *Run) ([]Event, error) {
		r.State, r.StateReason = Preparing, "why"
		r.Plan = json.RawMessage(`{"a":[1,2]}`)
		r.Labels = map[string]string{"k": "v"}
		r.Pin = Pin{Flavor: "f", Version: "1", ArtifactSHA256: "a", ManifestDigest: "m", ScopeID: "s", ScopeDisplay: "d", Scope: []byte{0, 255},
			Config: json.RawMessage(`{"c":9007199254740993}`), SecretConfig: map[string]string{"p": "\x00ref:env:P\x00"},
			Settings: json.RawMessage(`{}`), SecretSettings: map[string]string{"q": "r"}}
		r.Values = map[string]json.RawMessage{"accuracy": json.RawMessage(`0.97`)}
		r.Detached = true
		r.Intent = &Intent{Cause: CauseRun, By: "me", At: at}
		r.Attempts = []Attempt{{Number: 1, Key: "k1", Request: []byte{0, 1, 255}, Prepared: []byte("p"), RequestDigest: "rd",
			StartedAt: at, EndedAt: at, HandleVersion: 0, Existing: true, NativeName: "n", URL: "u",
			Phase: "running", Reason: "r", Message: "m", NativeState: "ns", Restarts: 2, ObservedAt: at, PhaseSince: at,
			CancelSentAt: at, CancelConfirmedAt: at, LeftoversCleaned: true, Resolution: "by me",
			Verdict: &Verdict{Class: "user", ExitCode: &code, Signal: "SIGTERM", Phase: "failed", Reason: "r", Message: "m",
				Outputs: []Output{{Name: "o", Location: "l", Bytes: -1}}, CancelUnconfirmed: true, At: at}}}
		return nil, nil
	}
}

func TestEveryFieldComesBack(t *testing.T) {
	s := newStore(t)
	at := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
	c := claimed(t, s, NewRun{Token: "\x00any\xffbytes", Operator: "o", Step: "s", Pipeline: "p", PipelineRun: "pr",
		Labels: map[string]string{"a": "b"}, Definition: []byte{0, 1, 2}, DefinitionDigest: "dd", Plan: json.RawMessage(`null`)})
	require.NoError(t, c.Update(t.Context(), Relaxed, full(at)))
	other := openStore(t, s.dir, Options{})
	for name, get := range map[string]func() (*Run, error){
		"by ID":     func() (*Run, error) { return other.Run(t.Context(), c.id) },
		"by token":  func() (*Run, error) { return other.ByToken(t.Context(), "\x00any\xffbytes") },
		"by prefix": func() (*Run, error) { return other.Run(t.Context(), c.id[:12]) },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := get()
			require.NoError(t, err)
			assert.Equal(t, c.Run(), r)
			assert.True(t, r.TokenGiven)
			assert.Equal(t, int64(1), r.Fence)
			assert.Equal(t, []byte{0, 1, 255}, r.Current().Request)
			assert.Equal(t, 3, *r.Current().Verdict.ExitCode)
		})
	}
	list, err := other.List(t.Context(), Filter{Labels: map[string]string{"k": "v"}, Flavor: "f", FlavorVersion: "1", Operator: "o", Step: "s",
		Pipeline: "p", PipelineRun: "pr", States: []State{Created, Preparing}, Unclosed: true, OwnerID: c.owner.ID(), Limit: 1})
	require.NoError(t, err)
	require.Len(t, list, 1)
	want := c.Run()
	want.Attempts[0].Request, want.Attempts[0].Prepared = nil, nil
	assert.Equal(t, want, list[0])
}

func TestList(t *testing.T) {
	s := newStore(t)
	var ids []string
	for n := range 5 {
		r, created, err := s.Create(t.Context(), NewRun{Operator: fmt.Sprint("o", n%2), Labels: map[string]string{"n": fmt.Sprint(n)}})
		require.NoError(t, err)
		require.True(t, created)
		assert.Equal(t, r.ID, r.Token)
		assert.False(t, r.TokenGiven)
		ids = append([]string{r.ID}, ids...)
	}
	for name, tc := range map[string]struct {
		f    Filter
		want []string
	}{
		"all, newest first":   {Filter{}, ids},
		"limit":               {Filter{Limit: 2}, ids[:2]},
		"operator":            {Filter{Operator: "o1"}, []string{ids[1], ids[3]}},
		"label":               {Filter{Labels: map[string]string{"n": "0"}, Limit: 1}, ids[4:]},
		"label that none has": {Filter{Labels: map[string]string{"n": ""}}, nil},
		"state":               {Filter{States: []State{Closed}}, nil},
		"future":              {Filter{Since: time.Now().Add(time.Hour)}, nil},
		"before the future":   {Filter{Before: time.Now().Add(time.Hour)}, ids},
		"unclosed":            {Filter{Unclosed: true}, ids},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := s.List(t.Context(), tc.f)
			require.NoError(t, err)
			var got []string
			for _, r := range list {
				got = append(got, r.ID)
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestRunIsFoundByPrefix(t *testing.T) {
	s := newStore(t)
	a, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	b, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	var missing *NotFoundError
	for _, id := range []string{"", "nope", "01'; DROP TABLE runs", "%", a.ID + "0"} {
		_, err := s.Run(t.Context(), id)
		require.ErrorAs(t, err, &missing, id)
	}
	_, err = s.ByToken(t.Context(), "nope")
	require.ErrorAs(t, err, &missing)
	var two *AmbiguousError
	_, err = s.Run(t.Context(), a.ID[:2])
	require.ErrorAs(t, err, &two)
	assert.ElementsMatch(t, []string{a.ID, b.ID}, two.IDs)
	_, err = s.Events(t.Context(), "nope", 0)
	require.ErrorAs(t, err, &missing)
}

func TestTokens(t *testing.T) {
	s := newStore(t)
	_, _, err := s.Create(t.Context(), NewRun{Token: string(make([]byte, maxToken))})
	require.NoError(t, err)
	var bad *TokenError
	_, _, err = s.Create(t.Context(), NewRun{Token: string(make([]byte, maxToken+1))})
	require.ErrorAs(t, err, &bad)

	first, created, err := s.Create(t.Context(), NewRun{Token: "t", Step: "one"})
	require.NoError(t, err)
	require.True(t, created)
	again, created, err := s.Create(t.Context(), NewRun{Token: "t", Step: "two"})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, first.ID, again.ID)
	assert.Equal(t, "one", again.Step)
	c, r, err := s.CreateClaimed(t.Context(), NewRun{Token: "t"}, newOwner(t, s))
	require.NoError(t, err)
	assert.Nil(t, c)
	assert.Equal(t, first.ID, r.ID)
	assert.Empty(t, r.OwnerID)
}

// 100 processes create the same token at once, in a store that does not exist
// yet: one run.
func TestManyProcessesOneToken(t *testing.T) {
	processes := 100
	if testing.Short() {
		processes = 20
	}
	dir := t.TempDir()
	var all []*child
	for range processes {
		all = append(all, startChild(t, "create", dir, "token"))
	}
	for _, c := range all {
		require.Equal(t, "ready", c.line())
	}
	for _, c := range all {
		require.NoError(t, c.in.Close())
	}
	ids := map[string]bool{}
	winners := 0
	for _, c := range all {
		var id string
		var created bool
		_, err := fmt.Sscan(c.line(), &id, &created)
		require.NoError(t, err)
		ids[id] = true
		if created {
			winners++
		}
		require.NoError(t, c.cmd.Wait())
	}
	assert.Len(t, ids, 1)
	assert.Equal(t, 1, winners)
}

func TestSynchronous(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	for d, want := range map[Durability]int{Durable: 2, Relaxed: 1} { // FULL, NORMAL
		var mode string
		var level int
		err := c.Update(t.Context(), d, func(r *Run) ([]Event, error) {
			// In the transaction of this very update.
			return nil, errors.Join(s.writer.row("PRAGMA synchronous", nil, &level), s.writer.row("PRAGMA journal_mode", nil, &mode))
		})
		require.NoError(t, err)
		assert.Equal(t, want, level)
		assert.Equal(t, "wal", mode)
	}
	// What must be FULL is, whatever the caller says.
	syncs := func() (n int) {
		require.NoError(t, s.view(t.Context(), func(tx *database) error { return tx.row("SELECT syncs FROM meta", nil, &n) }))
		return n
	}
	require.NoError(t, to(t, c, Preparing, Prepared))
	before := syncs()
	for i, st := range []State{Submitting, Submitted, Ended} {
		require.NoError(t, to(t, c, st))
		assert.Equal(t, before+i+1, syncs(), st)
	}
	require.NoError(t, to(t, c, Drained))
	assert.Equal(t, before+3, syncs())
	// The intent, too.
	c = claimed(t, s, NewRun{})
	s.writer.full = true
	require.NoError(t, s.writer.setFull(false))
	_, err := s.RequestCancel(t.Context(), c.id, Intent{Cause: CauseUser})
	require.NoError(t, err)
	assert.True(t, s.writer.full)
}

func TestDeleteAndSweep(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{Token: "gone"})
	require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700))
	var open *NotClosedError
	require.ErrorAs(t, s.Delete(t.Context(), c.id), &open)
	require.NoError(t, to(t, c, Preparing, Prepared, Submitting, Submitted, Ended, Drained, Cleaned, Closed))
	require.NoError(t, s.Delete(t.Context(), c.id))
	var missing *NotFoundError
	require.ErrorAs(t, s.Delete(t.Context(), c.id), &missing)
	assert.NoDirExists(t, s.Dir(c.id))
	for _, table := range []string{"runs", "definitions", "attempts", "requests", "events"} {
		var n int
		require.NoError(t, s.view(t.Context(), func(tx *database) error { return tx.row("SELECT count(*) FROM "+table, nil, &n) }))
		assert.Zero(t, n, table)
	}
	var fenced *FencedError
	require.ErrorAs(t, to(t, c, Preparing), &fenced)
	assert.Contains(t, fenced.Error(), "deleted")
	require.NoError(t, c.Release(t.Context()))
	_, created, err := s.Create(t.Context(), NewRun{Token: "gone"})
	require.NoError(t, err)
	assert.True(t, created, "the token is free again")

	keep, _, err := s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(s.LogDir(keep.ID), 0o700))
	require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700)) // a death within Delete
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "mine"), 0o700))
	n, err := s.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.DirExists(t, s.LogDir(keep.ID))
	assert.DirExists(t, filepath.Join(s.dir, "mine"))
	assert.NoDirExists(t, s.Dir(c.id))
}

// Several prunes at once: each run is deleted once, none fails.
func TestConcurrentPrune(t *testing.T) {
	s := newStore(t)
	o := newOwner(t, s)
	args := []string{s.dir}
	const runs = 30
	for range runs {
		c, _, err := s.CreateClaimed(t.Context(), NewRun{}, o)
		require.NoError(t, err)
		require.NoError(t, to(t, c, Preparing, Ended, Drained, Cleaned, Closed))
		require.NoError(t, os.MkdirAll(s.LogDir(c.id), 0o700))
		args = append(args, c.id)
	}
	var all []*child
	for range 4 {
		all = append(all, startChild(t, "delete", args...))
	}
	total := 0
	for _, c := range all {
		var n int
		_, err := fmt.Sscanf(c.line(), "deleted %d", &n)
		require.NoError(t, err)
		total += n
	}
	assert.Equal(t, runs, total)
	list, err := s.List(t.Context(), Filter{})
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestClosedStore(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Run(t.Context(), c.id)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, to(t, c, Preparing), ErrClosed)
}

// A read does not wait for a write transaction, nor a write for a reader.
func TestReadDuringWrite(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	err := c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) {
		seen, err := s.Run(context.Background(), c.id)
		if err == nil && seen.State != Created {
			err = errors.New("sees what is not committed")
		}
		r.State = Preparing
		return nil, err
	})
	require.NoError(t, err)
	r, err := s.Run(t.Context(), c.id)
	require.NoError(t, err)
	assert.Equal(t, Preparing, r.State)
}

// A context ends the wait for another process's transaction.
func TestLockWaitEnds(t *testing.T) {
	s := newStore(t)
	other := openStore(t, s.dir, Options{})
	err := other.change(t.Context(), Relaxed, func(*database) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, _, err := s.Create(ctx, NewRun{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return nil
	})
	require.NoError(t, err)
	_, _, err = s.Create(t.Context(), NewRun{})
	require.NoError(t, err)
}

// A panic in a caller's function leaves the store usable.
func TestPanicRollsBack(t *testing.T) {
	s := newStore(t)
	c := claimed(t, s, NewRun{})
	assert.Panics(t, func() {
		_ = c.Update(t.Context(), Relaxed, func(r *Run) ([]Event, error) { r.State = Preparing; panic("x") })
	})
	assert.Equal(t, Created, c.Run().State)
	require.NoError(t, to(t, c, Preparing))
}
