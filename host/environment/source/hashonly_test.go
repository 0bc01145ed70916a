package source

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHash: the same digest as Add gives, and no copy of anything.
func TestHash(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644))
	roots := []Root{{Path: dir}}
	hashed, err := NewStore(cache).Hash(t.Context(), roots, Options{})
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Join(cache, "blobs"))
	packed, err := NewStore(t.TempDir()).Pack(t.Context(), roots, Options{})
	require.NoError(t, err)
	assert.Equal(t, packed.Digest, hashed.Digest)
	for i := range hashed.Entries {
		e := &hashed.Entries[i]
		f, err := e.OpenOrigin()
		require.NoError(t, err)
		text, err := io.ReadAll(f)
		require.NoError(t, err)
		assert.Len(t, text, int(e.Size))
		require.NoError(t, f.Close())
	}
}

// TestOpenOriginReadsWhatWasHashed: whatever happens to a file after it was hashed,
// nobody takes other bytes for it.
func TestOpenOriginReadsWhatWasHashed(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string){
		"replaced": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path+".new", []byte("other text"), 0o644))
			require.NoError(t, os.Rename(path+".new", path))
		},
		"gone":    func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"shorter": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 2)) },
		"longer": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte("some text and more"), 0o644))
		},
		"a link": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink("/etc/passwd", path))
		},
	} {
		for _, opened := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "a")
				require.NoError(t, os.WriteFile(path, []byte("some text"), 0o644))
				tree, err := NewStore(t.TempDir()).Hash(t.Context(), []Root{{Path: dir}}, Options{})
				require.NoError(t, err)
				require.Len(t, tree.Entries, 1)
				var f io.ReadCloser
				if opened {
					f, err = tree.Entries[0].OpenOrigin()
					require.NoError(t, err)
				}
				change(t, path)
				if !opened {
					f, err = tree.Entries[0].OpenOrigin()
				}
				var text []byte
				if f != nil {
					text, err = io.ReadAll(f)
					require.NoError(t, f.Close())
				}
				if opened && (name == "replaced" || name == "gone" || name == "a link") {
					require.NoError(t, err)
					assert.Equal(t, "some text", string(text), "the file that was opened is what it was")
					return
				}
				var changed *ChangedError
				require.ErrorAs(t, err, &changed)
			})
		}
	}
}
