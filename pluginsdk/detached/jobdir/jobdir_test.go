//go:build unix

package jobdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const key = "abcdefghijklmnopqrstuvwxyz"

func newJob(t *testing.T) (State, Job) {
	s := At(t.TempDir())
	j, err := s.Job(key)
	require.NoError(t, err)
	return s, j
}

func TestOnlyKeysBecomePaths(t *testing.T) {
	s := At("/state")
	for _, bad := range []string{"", "../../../../../../../etc", strings.Repeat("a", 25), strings.Repeat("a", 27),
		strings.Repeat("A", 26), strings.Repeat("1", 26), strings.Repeat("/", 26), strings.Repeat("a", 25) + "\x00"} {
		_, err := s.Job(bad)
		assert.Error(t, err, "%q", bad)
	}
	j, err := s.Job(key)
	require.NoError(t, err)
	assert.Equal(t, "/state/jobs/"+key, j.Dir)
	for _, bad := range []string{key, "/state/jobs/x", "/"} {
		_, err := JobAt(bad)
		assert.Error(t, err, bad)
	}
}

func TestOneOfManyCreates(t *testing.T) {
	s, j := newJob(t)
	var mu sync.Mutex
	made := 0
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			held, created, err := s.Create(j, Meta{RunToken: "token", RequestDigest: fmt.Sprint(i)})
			mu.Lock()
			defer mu.Unlock()
			assert.NoError(t, err)
			if created {
				made++
				assert.Equal(t, fmt.Sprint(i), held.RequestDigest)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, made)
	keys, err := s.Keys("token")
	require.NoError(t, err)
	assert.Equal(t, []string{key}, keys)
	keys, err = s.Keys("another")
	require.NoError(t, err)
	assert.Empty(t, keys)
}

func TestAfterAPowerCut(t *testing.T) {
	t.Run("meta damaged before the start counts as absent", func(t *testing.T) {
		s, j := newJob(t)
		_, _, err := s.Create(j, Meta{RunToken: "token"})
		require.NoError(t, err)
		require.NoError(t, os.Truncate(j.Meta(), 0))
		_, err = j.ReadMeta()
		require.ErrorIs(t, err, fs.ErrNotExist)
		held, created, err := s.Create(j, Meta{RunToken: "token", RunID: "second"})
		require.NoError(t, err)
		assert.True(t, created)
		assert.Equal(t, "second", held.RunID)
	})
	t.Run("meta damaged behind the start is an error, never absent", func(t *testing.T) {
		s, j := newJob(t)
		_, _, err := s.Create(j, Meta{RunToken: "token"})
		require.NoError(t, err)
		require.NoError(t, s.MarkStarted(j, Started{}))
		require.NoError(t, os.Truncate(j.Meta(), 0))
		_, err = j.ReadMeta()
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("started cut short still counts", func(t *testing.T) {
		s, j := newJob(t)
		_, _, err := s.Create(j, Meta{})
		require.NoError(t, err)
		require.NoError(t, s.MarkStarted(j, Started{Place: Place{Boot: "b"}}))
		require.ErrorIs(t, s.MarkStarted(j, Started{}), ErrExists)
		require.NoError(t, os.Truncate(j.Started(), 3))
		v, err := j.View()
		require.NoError(t, err)
		require.NotNil(t, v.Started)
		assert.Empty(t, v.Started.Boot)
		assert.Nil(t, v.Child)
	})
}

func TestChild(t *testing.T) {
	s, j := newJob(t)
	_, err := j.ReadChild()
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = s.Create(j, Meta{})
	require.NoError(t, err)
	require.NoError(t, s.MarkStarted(j, Started{Place: Place{Boot: "b"}}))
	_, err = j.ReadChild()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, j.WriteChild(Child{PID: 17, Ticks: 1 << 60}))
	v, err := j.View()
	require.NoError(t, err)
	assert.Equal(t, "b", v.Started.Boot)
	assert.Equal(t, 17, v.Child.PID)
	assert.EqualValues(t, 1<<60, v.Child.Ticks)
	info, err := os.Stat(j.Started())
	require.NoError(t, err)
	require.NoError(t, os.Truncate(j.Started(), info.Size()-1))
	_, err = j.ReadChild()
	require.ErrorIs(t, err, fs.ErrNotExist, "a line without its end is none")
}

func TestNewerFormatIsRefused(t *testing.T) {
	_, j := newJob(t)
	require.NoError(t, os.MkdirAll(j.Dir, 0o700))
	require.NoError(t, os.WriteFile(j.Meta(), fmt.Appendf(nil, `{"format":%d}`, Format+1), 0o600))
	_, err := j.ReadMeta()
	require.ErrorContains(t, err, "newer version")
}

func TestTheFirstVerdictHolds(t *testing.T) {
	s, j := newJob(t)
	_, err := j.View()
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = s.Create(j, Meta{})
	require.NoError(t, err)
	code := 3
	require.NoError(t, j.WriteExit(Exit{Phase: Failed, Code: &code}, nil))
	require.ErrorIs(t, j.WriteExit(Exit{Phase: Succeeded}, func() { t.Error("it is not the verdict") }), ErrExists)
	v, err := j.View()
	require.NoError(t, err)
	assert.Equal(t, Failed, v.Exit.Phase)
	assert.Equal(t, 3, *v.Exit.Code)
	assert.False(t, v.Exit.EndedAt.IsZero())
}

func TestForceIsNeverTakenBack(t *testing.T) {
	s, j := newJob(t)
	_, _, err := s.Create(j, Meta{})
	require.NoError(t, err)
	at := time.Now().UTC()
	require.NoError(t, j.WriteCancel(Cancel{At: at, Force: true}))
	require.NoError(t, j.WriteCancel(Cancel{At: at.Add(time.Second), Grace: time.Minute}))
	c, err := j.ReadCancel()
	require.NoError(t, err)
	assert.True(t, c.Force)
	assert.True(t, c.At.Equal(at))
}

func TestRemove(t *testing.T) {
	s, j := newJob(t)
	require.NoError(t, s.Remove(j), "what was never there is gone")
	_, _, err := s.Create(j, Meta{RunToken: "token"})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(j.Output(), "deep"), 0o700))
	require.NoError(t, s.Remove(j))
	require.NoError(t, s.Remove(j))
	left, err := os.ReadDir(s.Jobs())
	require.NoError(t, err)
	assert.Empty(t, left)
	left, err = os.ReadDir(s.Tokens())
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A lock is of a process, so the other one here is a real one.
func TestLock(t *testing.T) {
	const helper = "JOBDIR_TEST_LOCK"
	if path := os.Getenv(helper); path != "" {
		f, err := TryLock(path)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		defer f.Close()
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test is done with it
		return
	}
	path := filepath.Join(t.TempDir(), "lock")
	locked, err := Locked(path)
	require.NoError(t, err)
	require.False(t, locked, "no file, no lock")

	cmd := exec.Command(os.Args[0], "-test.run=^TestLock$")
	cmd.Env = append(os.Environ(), helper+"="+path)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said := make([]byte, 4)
	_, err = out.Read(said)
	require.NoError(t, err)
	require.Equal(t, "held", string(said))

	locked, err = Locked(path)
	require.NoError(t, err)
	assert.True(t, locked)
	_, err = TryLock(path)
	assert.ErrorIs(t, err, ErrBusy)

	require.NoError(t, cmd.Process.Kill())
	in.Close()
	_ = cmd.Wait()
	locked, err = Locked(path)
	require.NoError(t, err)
	assert.False(t, locked, "a lock ends with its process")
	f, err := TryLock(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.False(t, errors.Is(err, ErrBusy))
}

// TestRecords: what a flavor notes is there, whole, until it is replaced.
func TestRecords(t *testing.T) {
	s, j := newJob(t)
	_, _, err := s.Create(j, Meta{RunToken: "t"})
	require.NoError(t, err)
	var got map[string]string
	require.ErrorIs(t, j.ReadRecord("app", &got), fs.ErrNotExist)
	for _, id := range []string{"one", "two"} {
		require.NoError(t, j.PutRecord("app", map[string]string{"id": id}))
		require.NoError(t, j.ReadRecord("app", &got))
		assert.Equal(t, id, got["id"])
	}
	require.NoError(t, s.MarkStarted(j, Started{}))
	require.NoError(t, j.Unmark())
	_, err = j.ReadStarted()
	assert.ErrorIs(t, err, fs.ErrNotExist, "as if nothing had begun")
	require.NoError(t, s.MarkStarted(j, Started{}))
}
