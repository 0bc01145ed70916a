package runs

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
