package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRoomIsLookedForFirst(t *testing.T) {
	const mib = 1 << 20
	for name, tc := range map[string]struct {
		free  int64
		copy  bool
		known bool // the store has the file already
		fits  bool
	}{
		"enough":                  {free: 3 * mib, fits: true},
		"just not":                {free: 2 * mib},
		"not for the copy":        {free: 3 * mib, copy: true},
		"enough for both":         {free: 5 * mib, copy: true, fits: true},
		"it is there already":     {free: 0, known: true, fits: true},
		"there, but for the copy": {free: mib, known: true, copy: true},
		"there, and for the copy": {free: 3 * mib, known: true, copy: true, fits: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cache := t.TempDir(), t.TempDir()
			if sharesBlocks(cache) && tc.copy { // a copy takes no room here
				tc.fits, tc.copy = tc.known || tc.free >= 3*mib, false
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "big"), make([]byte, 2*mib), 0o600))
			s := NewStore(filepath.Join(cache, "source"))
			o := Options{}
			if tc.copy {
				o.CopyDir = filepath.Join(cache, "not", "yet")
			}
			if tc.known {
				_, err := s.Pack(t.Context(), []Root{{Path: dir}}, o)
				require.NoError(t, err)
			}
			s.free = func(at string) (free, total int64, ok bool) {
				assert.DirExists(t, at)
				return tc.free, 0, true
			}
			_, err := s.Pack(t.Context(), []Root{{Path: dir}}, o)
			if tc.fits {
				require.NoError(t, err)
				return
			}
			var no *NoSpaceError
			require.ErrorAs(t, err, &no)
			assert.Equal(t, tc.free, no.Free)
			assert.Greater(t, no.Need, no.Free)
			assert.Equal(t, tc.copy && !tc.known, no.Twice)
			assert.Equal(t, []Size{{Path: "big", Bytes: 2 * mib}}, no.Biggest)
			if !tc.known {
				assert.NoDirExists(t, filepath.Join(cache, "source", "tmp"), "nothing was written")
			}
		})
	}
}
