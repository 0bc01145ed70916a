//go:build unix

package source_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
)

func TestLinks(t *testing.T) {
	for _, tc := range []struct {
		name    string
		links   map[string]string // path -> target; "ROOT" is the root
		refused string            // path of the link that is refused
		want    map[string]string
	}{
		{"inside", map[string]string{"l": "d/f", "d/up": "../top"}, "", map[string]string{"l": "d/f", "d/up": "../top"}},
		{"absolute inside becomes relative", map[string]string{"d/l": "ROOT/top"}, "", map[string]string{"d/l": "../top"}},
		{"to nothing inside", map[string]string{"l": "gone"}, "", map[string]string{"l": "gone"}},
		{"circle", map[string]string{"a": "b", "b": "a"}, "", map[string]string{"a": "b", "b": "a"}},
		{"up", map[string]string{"l": "../x"}, "l", nil},
		{"absolute", map[string]string{"l": "/etc/passwd"}, "l", nil},
		{"to nothing outside", map[string]string{"l": "/nowhere/at/all"}, "l", nil},
		{"out and in again", map[string]string{"l": "../" + "BASE" + "/top"}, "l", nil},
		{"through another link, whose text seems inside", map[string]string{"d/e/deep": "../../d", "l": "d/e/deep/../../x"}, "l", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"top": "", "d/f": "", "d/e/g": ""})
			for path, target := range tc.links {
				if len(target) >= 4 && target[:4] == "ROOT" {
					target = dir + target[4:]
				}
				if target == "../BASE/top" {
					target = "../" + filepath.Base(dir) + "/top"
				}
				require.NoError(t, os.Symlink(target, filepath.Join(dir, path)))
			}
			tree, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{})
			if tc.refused != "" {
				var link *source.LinkError
				require.ErrorAs(t, err, &link)
				assert.Equal(t, tc.refused, link.Path)
				_, err = source.Scan(t.Context(), []source.Root{{Path: dir, Exclude: []string{"/l"}}}, source.Options{})
				assert.NoError(t, err, "one that is left out harms nobody")
				return
			}
			require.NoError(t, err)
			got := map[string]string{}
			for _, e := range tree.Entries {
				if e.Kind == source.Link {
					got[e.Path] = e.Target
				}
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestRootMayBeALink(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"real/a": ""})
	require.NoError(t, os.Symlink("real", filepath.Join(dir, "link")))
	tree, err := source.Scan(t.Context(), []source.Root{{Path: filepath.Join(dir, "link")}}, source.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, files(tree))
}

func TestSpecialFilesAreRefused(t *testing.T) {
	for _, tc := range []struct {
		what string
		make func(path string) error
	}{
		{"a FIFO", func(p string) error { return syscall.Mkfifo(p, 0o600) }},
		{"a socket", func(p string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			return syscall.Bind(fd, &syscall.SockaddrUnix{Name: p})
		}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			dir, err := os.MkdirTemp("/tmp", "stephost-source-") // a socket's path is short
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			require.NoError(t, tc.make(filepath.Join(dir, "odd")))
			_, err = source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{})
			var special *source.SpecialError
			require.ErrorAs(t, err, &special)
			assert.Equal(t, "odd", special.Path)
			assert.Equal(t, tc.what, special.What)
			_, err = source.Scan(t.Context(), []source.Root{{Path: filepath.Join(dir, "odd")}}, source.Options{})
			assert.ErrorAs(t, err, &special, "also as a root of its own")
		})
	}
}

func TestModesAndNamesArriveInTheCopy(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	odd := "new\nline \"quoted\" \xff"
	write(t, dir, map[string]string{"run.sh": "#!/bin/sh", "setuid": "x", odd: "y", "empty/": "", "closed": "z"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "run.sh"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(dir, "setuid"), 0o755|os.ModeSetuid|os.ModeSetgid))
	require.NoError(t, os.Chmod(filepath.Join(dir, "empty"), 0o777|os.ModeSticky))
	require.NoError(t, os.Chmod(filepath.Join(dir, "closed"), 0o400))
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)

	store := source.NewStore(t.TempDir())
	tree, err := store.Pack(t.Context(), []source.Root{{Path: dir}}, source.Options{})
	require.NoError(t, err)
	require.NoError(t, store.CopyTo(t.Context(), tree, out))
	for name, mode := range map[string]os.FileMode{"run.sh": 0o755, "setuid": 0o755, odd: 0o644, "empty": 0o755 | os.ModeDir, "closed": 0o644} {
		fi, err := os.Lstat(filepath.Join(out, name))
		require.NoError(t, err)
		assert.Equal(t, mode, fi.Mode(), "%q", name)
	}
	data, err := os.ReadFile(filepath.Join(out, odd))
	require.NoError(t, err)
	assert.Equal(t, "y", string(data))
}
