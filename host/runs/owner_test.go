package runs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwnerFile(t *testing.T) {
	s := newStore(t)
	n, err := DeadOwners(s.owners)
	require.NoError(t, err, "no directory, no owners")
	assert.Zero(t, n)
	o := newOwner(t, s)
	path := filepath.Join(s.owners, o.ID()+lockSuffix)
	assert.Equal(t, lockHeld, lockState(path))
	if runtime.GOOS != "windows" {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		var info OwnerInfo
		require.NoError(t, json.Unmarshal(b, &info))
		assert.Equal(t, o.Info(), info)
		assert.Equal(t, os.Getpid(), info.PID)
	}
	n, err = DeadOwners(s.owners)
	require.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, o.Close())
	require.NoError(t, o.Close())
	assert.NoFileExists(t, path)
	assert.Equal(t, lockMissing, lockState(path))
}

// Looking at a lock does not take part in it: two who look at once do not take
// each other for the owner.
func TestLookingIsNoOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	looking := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := looking.TryRLock()
	require.NoError(t, err)
	require.True(t, got)
	assert.Equal(t, lockFree, lockState(path))
	require.NoError(t, looking.Close())
}

func TestJudge(t *testing.T) {
	s := newStore(t)
	me := s.me()
	require.NoError(t, os.MkdirAll(s.owners, 0o700))
	free := func(id string) string {
		require.NoError(t, os.WriteFile(filepath.Join(s.owners, id+lockSuffix), nil, 0o600))
		return id
	}
	alive := newOwner(t, s)
	for _, tc := range []struct {
		name             string
		was              func() OwnerInfo
		alive, elsewhere bool
	}{
		{"holds its lock", func() OwnerInfo { return alive.Info() }, true, false},
		{"lock is free", func() OwnerInfo { w := me; w.ID = free("FREE"); return w }, false, false},
		{"closed properly", func() OwnerInfo { w := me; w.ID = "GONE"; w.PID = 0; return w }, false, false},
		{"another machine", func() OwnerInfo { w := me; w.ID = free("OTHER"); w.Machine = "x"; w.Host = "x"; return w }, false, true},
		{"another pid namespace", func() OwnerInfo { w := me; w.ID = free("NS"); w.PIDNamespace = "pid:[1]"; return w }, false, true},
		{"another pid namespace, holds its lock", func() OwnerInfo { w := alive.Info(); w.PIDNamespace = "pid:[1]"; return w }, true, true},
		{"before a restart of the machine", func() OwnerInfo { w := me; w.ID = free("BOOT"); w.Boot = "x"; return w }, false, false},
		{"nothing known but the ID", func() OwnerInfo { return OwnerInfo{ID: free("BARE")} }, false, true},
		{"a path as an ID", func() OwnerInfo { w := me; w.ID = "../../etc/passwd"; w.PID = 0; return w }, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			alive, elsewhere := s.judge(tc.was())
			assert.Equal(t, tc.alive, alive, "alive")
			assert.Equal(t, tc.elsewhere, elsewhere, "elsewhere")
		})
	}
	if me.StartTime != "" {
		w := me
		w.ID = "REMOVED"
		isAlive, _ := s.judge(w)
		assert.True(t, isAlive, "lock files removed by hand: the process still runs")
		w.StartTime = "1"
		isAlive, _ = s.judge(w)
		assert.False(t, isAlive, "its PID has another process")
	}
	unsafe := openStore(t, s.dir, Options{UnsafeStore: true})
	w := me
	w.ID, w.Boot = free("BOOT2"), "x"
	_, elsewhere := unsafe.judge(w)
	assert.True(t, elsewhere, "on a network file system it may be a twin")
}

func TestElsewhereIsTakenOverByHandOnly(t *testing.T) {
	s := newStore(t)
	o := newOwner(t, s)
	o.info.Machine, o.info.Host = "another", "another" // as from a shared volume
	c, r, err := s.CreateClaimed(t.Context(), NewRun{}, o)
	require.NoError(t, err)
	require.NoError(t, o.Close())
	list, err := s.Ownerless(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
	me := newOwner(t, s)
	var owned *OwnedError
	_, err = s.Claim(t.Context(), r.ID, me, ClaimOptions{})
	require.ErrorAs(t, err, &owned)
	assert.True(t, owned.Elsewhere)
	assert.Contains(t, owned.Error(), "cannot be judged")
	_, err = s.Claim(t.Context(), r.ID, me, ClaimOptions{TakeOver: true})
	require.NoError(t, err)
	var fenced *FencedError
	require.ErrorAs(t, to(t, c, Preparing), &fenced)
}

// The hint goes away once a dead owner has left nothing.
func TestOwnerlessForgets(t *testing.T) {
	s := newStore(t)
	require.NoError(t, os.MkdirAll(s.owners, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(s.owners, "DEAD"+lockSuffix), nil, 0o600))
	_, err := s.Ownerless(t.Context())
	require.NoError(t, err)
	n, err := DeadOwners(s.owners)
	require.NoError(t, err)
	assert.Zero(t, n)

	c := claimed(t, s, NewRun{})
	require.NoError(t, c.Release(t.Context()))
	list, err := s.Ownerless(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1, "released, and nobody's")
	c2, err := s.Claim(t.Context(), c.id, c.owner, ClaimOptions{})
	require.NoError(t, err)
	require.NoError(t, to(t, c2, Preparing, Ended, Drained, Cleaned, Closed))
	list, err = s.Ownerless(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list, "closed")
}
