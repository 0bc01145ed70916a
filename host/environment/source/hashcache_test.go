package source

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHashesAreTrustedOnlyWhenSettled(t *testing.T) {
	dir := t.TempDir()
	odd := "new\nline \xff"
	for _, name := range []string{"a", odd} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	s := NewStore(t.TempDir())
	known := func() int {
		tree, err := s.Pack(t.Context(), []Root{{Path: dir}}, Options{})
		require.NoError(t, err)
		n := 0
		h := s.loadHashes(tree)
		for i := range tree.Entries {
			if sum, ok := h.lookup(&tree.Entries[i]); ok {
				assert.Equal(t, tree.Entries[i].Hash, sum)
				n++
			}
		}
		return n
	}
	assert.Zero(t, known(), "a file that was just written may change within the same tick")
	require.Eventually(t, func() bool { return known() == 2 }, 30*time.Second, 100*time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), nil, 0o644))
	assert.Equal(t, 2, known(), "another file in the directory is no other set of roots")
}
