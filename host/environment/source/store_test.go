package source_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
)

func pack(t *testing.T, store *source.Store, dir string) *source.Tree {
	t.Helper()
	tree, err := store.Pack(t.Context(), []source.Root{{Path: dir}}, source.Options{})
	require.NoError(t, err)
	return tree
}

func TestDigestIsOfContentAlone(t *testing.T) {
	content := map[string]string{"a.py": "print()", "d/b": "1", "e/": ""}
	one, two := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	write(t, one, content)
	write(t, two, content)
	require.NoError(t, os.Chtimes(filepath.Join(two, "a.py"), time.Unix(1, 0), time.Unix(1, 0)))
	require.NoError(t, os.Chmod(filepath.Join(two, "d/b"), 0o600))
	first := pack(t, source.NewStore(t.TempDir()), one)
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", first.Digest)
	assert.Equal(t, first.Digest, pack(t, source.NewStore(t.TempDir()), two).Digest)
	store := source.NewStore(filepath.Join(t.TempDir(), "never"))
	only, err := store.Digest(t.Context(), []source.Root{{Path: one}}, source.Options{})
	require.NoError(t, err)
	assert.Equal(t, first.Digest, only)

	for name, change := range map[string]func(dir string) error{
		"content":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "a.py"), []byte("print ()"), 0o644) },
		"same size": func(dir string) error { return os.WriteFile(filepath.Join(dir, "d/b"), []byte("2"), 0o644) },
		"mode":      func(dir string) error { return os.Chmod(filepath.Join(dir, "a.py"), 0o755) },
		"name":      func(dir string) error { return os.Rename(filepath.Join(dir, "a.py"), filepath.Join(dir, "b.py")) },
		"directory": func(dir string) error { return os.Remove(filepath.Join(dir, "e")) },
		"link":      func(dir string) error { return os.Symlink("a.py", filepath.Join(dir, "l")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, content)
			require.NoError(t, change(dir))
			assert.NotEqual(t, first.Digest, pack(t, source.NewStore(t.TempDir()), dir).Digest)
		})
	}
	assert.Equal(t, "sha256:"+emptyTree, pack(t, source.NewStore(t.TempDir()), t.TempDir()).Digest, "the form of the digest is fixed")
}

// emptyTree is sha256("stephost/source/1\n").
const emptyTree = "a92912aa8e5e76eff8cc9c4cdb1836a46488a4a26e1bcb859876b75746361e50"

func TestCopyIsTheStepsOwn(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"a": "one", "d/b": "two"})
	require.NoError(t, os.Symlink("d/b", filepath.Join(dir, "l")))
	store := source.NewStore(t.TempDir())
	tree := pack(t, store, dir)
	require.NoError(t, store.CopyTo(t.Context(), tree, out))
	data, err := os.ReadFile(filepath.Join(out, "l"))
	require.NoError(t, err)
	assert.Equal(t, "two", string(data))

	require.NoError(t, os.WriteFile(filepath.Join(out, "a"), []byte("overwritten"), 0o644))
	again := t.TempDir()
	require.NoError(t, store.CopyTo(t.Context(), tree, again))
	data, err = os.ReadFile(filepath.Join(again, "a"))
	require.NoError(t, err)
	assert.Equal(t, "one", string(data), "a step cannot write into the cache")
	data, err = os.ReadFile(filepath.Join(dir, "a"))
	require.NoError(t, err)
	assert.Equal(t, "one", string(data))
}

// age makes every file older than the time for which hashes are not trusted.
// Only ctime cannot be set, so the test waits for it.
func settle(t *testing.T, dir string) {
	t.Helper()
	var newest time.Time
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if fi, ierr := d.Info(); ierr == nil && fi.ModTime().After(newest) {
			newest = fi.ModTime()
		}
		return err
	}))
	require.Eventually(t, func() bool { return time.Since(newest) > 2100*time.Millisecond }, 30*time.Second, 20*time.Millisecond)
}

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"a": "content", "b": "other"})
	settle(t, dir)
	store := source.NewStore(cache)
	want := pack(t, store, dir).Digest
	names, err := filepath.Glob(filepath.Join(cache, "hashes", "*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	assert.Equal(t, want, pack(t, store, dir).Digest)

	// A torn or foreign cache counts as none.
	for _, junk := range []string{"", "x", "stephost hashes 1 00000000\nzz", string(make([]byte, 100))} {
		require.NoError(t, os.WriteFile(names[0], []byte(junk), 0o600))
		assert.Equal(t, want, pack(t, store, dir).Digest)
	}
	// A change with the same size and modification time is still seen (ctime).
	fi, err := os.Stat(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("CONTENT"), 0o644))
	require.NoError(t, os.Chtimes(filepath.Join(dir, "a"), fi.ModTime(), fi.ModTime()))
	assert.NotEqual(t, want, pack(t, store, dir).Digest)
}

func TestMissingAndDamagedBlobs(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"a": "content"})
	store := source.NewStore(cache)
	tree := pack(t, store, dir)
	blobs, err := filepath.Glob(filepath.Join(cache, "blobs", "*", "*"))
	require.NoError(t, err)
	require.Len(t, blobs, 1)
	for name, harm := range map[string]func() error{
		"gone":      func() error { return os.Remove(blobs[0]) },
		"truncated": func() error { return os.Truncate(blobs[0], 0) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.Chmod(blobs[0], 0o600))
			require.NoError(t, harm())
			var missing *source.MissingBlobError
			require.ErrorAs(t, store.CopyTo(t.Context(), tree, t.TempDir()), &missing)
			tree = pack(t, store, dir)
			assert.NoError(t, store.CopyTo(t.Context(), tree, t.TempDir()))
		})
	}
}

func TestFilesThatChange(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("x"), 3<<20)
	for name, change := range map[string]func(path string) error{
		"written": func(p string) error { return os.WriteFile(p, append(big, 'y'), 0o644) },
		"same size, later": func(p string) error {
			if err := os.WriteFile(p, bytes.ToUpper(big), 0o644); err != nil {
				return err
			}
			return os.Chtimes(p, time.Now(), time.Now().Add(time.Second))
		},
		"removed":        os.Remove,
		"became a link":  func(p string) error { os.Remove(p); return os.Symlink("/etc/hostname", p) },
		"other file":     func(p string) error { os.Remove(p); return os.WriteFile(p, []byte("z"), 0o644) },
		"became a chest": func(p string) error { os.Remove(p); return os.Mkdir(p, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(dir, name)
			require.NoError(t, os.Mkdir(dir, 0o755))
			path := filepath.Join(dir, "f")
			require.NoError(t, os.WriteFile(path, big, 0o644))
			tree, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{})
			require.NoError(t, err)
			require.NoError(t, change(path))
			var changed *source.ChangedError
			require.ErrorAs(t, source.NewStore(t.TempDir()).Add(t.Context(), tree), &changed)
			assert.Equal(t, "f", filepath.Base(changed.Path))
		})
	}
}

func TestAFileThatNeverRests(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "train.log")
	// Reading it takes much longer than a tick of the file system's clock.
	write(t, dir, map[string]string{"train.log": ""})
	require.NoError(t, os.Truncate(path, 64<<20))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(0); ; i++ {
			_, _ = f.WriteAt([]byte("x"), i%(64<<20))
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	_, err = source.NewStore(t.TempDir()).Pack(t.Context(), []source.Root{{Path: dir}}, source.Options{})
	close(stop)
	wg.Wait()
	var changed *source.ChangedError
	require.ErrorAs(t, err, &changed)
	assert.Equal(t, path, changed.Path)
}

func TestManyPackersAtOnce(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	content := map[string]string{}
	for i := range 50 {
		content[fmt.Sprintf("d%d/f%d", i%5, i)] = fmt.Sprint(i % 40)
	}
	write(t, dir, content)
	var wg sync.WaitGroup
	digests := make([]string, 8)
	errs := make([]error, 8)
	for i := range digests {
		out := t.TempDir()
		wg.Go(func() {
			store := source.NewStore(cache)
			tree, err := store.Pack(context.Background(), []source.Root{{Path: dir}}, source.Options{})
			if err == nil {
				digests[i] = tree.Digest
				err = store.CopyTo(context.Background(), tree, out)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i := range digests {
		require.NoError(t, errs[i])
		assert.Equal(t, digests[0], digests[i])
	}
	left, err := os.ReadDir(filepath.Join(cache, "tmp"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestAddEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "x"})
	tree, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, source.NewStore(t.TempDir()).Add(ctx, tree), context.Canceled)
	assert.ErrorIs(t, source.NewStore(t.TempDir()).CopyTo(ctx, tree, t.TempDir()), context.Canceled)
}
