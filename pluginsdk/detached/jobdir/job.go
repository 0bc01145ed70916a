package jobdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// createTries bounds the repair of a record that a power cut damaged.
const createTries = 3

// Create makes the job's directory with m in it. Repeating it is safe; of
// several callers exactly one is told created. The Meta that holds is
// returned, so that a caller can compare the request digest.
func (s State) Create(j Job, m Meta) (held Meta, created bool, err error) {
	m.Format, m.Key = Format, j.Key
	if err := s.makeDirs(j); err != nil {
		return Meta{}, false, err
	}
	// Not durable yet: MarkStarted does that, in one go with the rest.
	temp, err := writeTemp(j.Meta(), m, false)
	if err != nil {
		return Meta{}, false, err
	}
	defer os.Remove(temp)
	// The token's entry comes first: dying in between leaves an entry without
	// a job, which a reader passes over. The other order would leave a job
	// that nobody finds by its token.
	if err := os.Link(temp, s.tokenEntry(m.RunToken, j.Key)); err != nil && !errors.Is(err, fs.ErrExist) {
		return Meta{}, false, err
	}
	for range createTries {
		switch err := os.Link(temp, j.Meta()); {
		case err == nil:
			return m, true, nil
		case !errors.Is(err, fs.ErrExist):
			return Meta{}, false, err
		}
		held, err = j.ReadMeta()
		if !errors.Is(err, fs.ErrNotExist) {
			return held, false, err
		}
		// Damaged, and nothing was started: it counts as absent.
		if err := os.Remove(j.Meta()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Meta{}, false, err
		}
	}
	return Meta{}, false, err
}

// makeDirs makes the directories of a job. The ones above all jobs are made
// once, and then also synced.
func (s State) makeDirs(j Job) error {
	err := os.Mkdir(j.Dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		// That of the jobs comes last: whoever sees it finds the other, too.
		for _, dir := range []string{s.Tokens(), s.Jobs()} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		if err := syncAll(s.root, filepath.Dir(s.root)); err != nil {
			return err
		}
		err = os.Mkdir(j.Dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// ReadMeta reads who the job is; fs.ErrNotExist = there is no such job. A
// record that a power cut damaged before anything was started is none.
func (j Job) ReadMeta() (Meta, error) {
	var m Meta
	err := readJSON(j.Meta(), &m)
	if errors.Is(err, errDamaged) {
		if _, serr := os.Lstat(j.Started()); errors.Is(serr, fs.ErrNotExist) {
			return Meta{}, fs.ErrNotExist
		}
	}
	if err != nil {
		return Meta{}, err
	}
	if m.Format > Format {
		return Meta{}, fmt.Errorf("%s has format %d; this version reads %d: use a newer version of the flavor", j.Dir, m.Format, Format)
	}
	return m, nil
}

// Keys lists the keys that were ever created for a run token. It reads the
// names of all jobs, so it is for the search by token alone.
func (s State) Keys(token string) ([]string, error) {
	entries, err := os.ReadDir(s.Tokens())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, e := range entries {
		if key, ok := strings.CutPrefix(e.Name(), s.tokenPrefix(token)); ok && validKey(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// MarkStarted makes the point of no return, on disk before it returns: after
// it a process of the step may exist, and no second one is ever made. Only
// the holder of the lock may call it.
//
// The token's entry is not synced: a power cut that takes it hides the job
// from a search by token, and the attempt that is then submitted has the same
// key, under which it is found.
func (s State) MarkStarted(j Job, v Started) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.Started(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", j.Started(), err)
	}
	return syncAll(j.Started(), j.Meta(), j.Dir, s.Jobs())
}

// ReadStarted reads the point of no return. A file cut short by a power cut
// still counts as started, with nothing known about it.
func (j Job) ReadStarted() (v Started, err error) {
	err = readLine(j.Started(), 0, &v)
	if errors.Is(err, errDamaged) {
		return Started{}, nil
	}
	return v, err
}

// WriteChild records the step's process, once, behind MarkStarted. It needs no
// sync: after a power cut the process is gone anyway.
func (j Job) WriteChild(c Child) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.Started(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// ReadChild reads the step's process; fs.ErrNotExist = not known.
func (j Job) ReadChild() (c Child, err error) {
	err = readLine(j.Started(), 1, &c)
	if errors.Is(err, errDamaged) {
		return Child{}, fs.ErrNotExist
	}
	return c, err
}

// WriteCancel stores the wish to end the job, on disk before it returns. A
// later one replaces it, but never takes force back.
func (j Job) WriteCancel(c Cancel) error {
	if old, err := j.ReadCancel(); err == nil && !c.At.Before(old.At) {
		c.Force = c.Force || old.Force
		c.At = old.At
	}
	return replace(j.Cancel(), c)
}

// ReadCancel reads the wish to end the job; fs.ErrNotExist = there is none.
func (j Job) ReadCancel() (c Cancel, err error) {
	err = readJSON(j.Cancel(), &c)
	return c, err
}

// WriteExit stores the verdict, on disk before it returns. The first one
// holds; a second answers ErrExists. visible, if any, is called as soon as others
// can read it; making its name outlive a power cut may take milliseconds more.
func (j Job) WriteExit(e Exit, visible func()) error {
	if e.EndedAt.IsZero() {
		e.EndedAt = time.Now().UTC()
	}
	if err := createOnce(j.Exit(), e); err != nil {
		return err
	}
	if visible != nil {
		visible()
	}
	return syncAll(j.Dir)
}

// ReadExit reads the verdict; fs.ErrNotExist = not over.
func (j Job) ReadExit() (e Exit, err error) {
	err = readJSON(j.Exit(), &e)
	return e, err
}

// PutRecord stores what a flavor itself notes about a job, on disk before it
// returns. A later one replaces it.
func (j Job) PutRecord(name string, v any) error {
	if err := replace(j.record(name), v); err != nil {
		return err
	}
	return syncAll(j.Dir)
}

// ReadRecord reads such a note; fs.ErrNotExist = there is none.
func (j Job) ReadRecord(name string, into any) error { return readJSON(j.record(name), into) }

// Unmark takes back the point of no return, for who made it and knows that nothing
// was started behind it.
func (j Job) Unmark() error { return os.Remove(j.Started()) }

// Remove takes the whole job away. Dying within leaves either the job or
// nothing under its name: the rename is the act, the rest is sweeping.
func (s State) Remove(j Job) error {
	meta, merr := j.ReadMeta()
	gone, err := os.MkdirTemp(s.Jobs(), ".gone-")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = os.Rename(j.Dir, filepath.Join(gone, j.Key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		os.Remove(gone)
		return err
	}
	err = nil
	if merr == nil {
		os.Remove(s.tokenEntry(meta.RunToken, j.Key))
	}
	// With what earlier calls left that died before this line.
	left, _ := filepath.Glob(filepath.Join(s.Jobs(), ".gone-*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
