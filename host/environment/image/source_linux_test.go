package image

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
)

// sourceOf builds and reads the source layer.
func sourceOf(t *testing.T, w *world) map[string]tarFile {
	t.Helper()
	layers, err := w.s.pull(t, w.mustBuild().Reference).Layers()
	require.NoError(t, err)
	out := map[string]tarFile{}
	for _, f := range untar(t, layers[len(layers)-1]) {
		out[strings.TrimPrefix(f.Name, "stephost/src/")] = f
	}
	return out
}

// TestHostileSource: what must not reach a layer is refused or made harmless, seen
// in the layer that was pushed.
func TestHostileSource(t *testing.T) {
	t.Run("setuid, setgid and sticky bits do not enter", func(t *testing.T) {
		w := newWorld(t)
		p := w.file("tool", "#!/bin/sh\n")
		require.NoError(t, os.Chmod(p, 0o755|os.ModeSetuid|os.ModeSetgid|os.ModeSticky))
		require.NoError(t, os.Chmod(filepath.Join(w.app, "pkg"), 0o777|os.ModeSetgid|os.ModeSticky))
		files := sourceOf(t, w)
		assert.Equal(t, int64(0o755), files["tool"].Mode)
		assert.Equal(t, int64(0o777), files["pkg/"].Mode)
	})
	t.Run("owners and capabilities do not enter", func(t *testing.T) {
		w := newWorld(t)
		for name, f := range sourceOf(t, w) {
			assert.Equal(t, 0, f.Uid+f.Gid, name)
			assert.Empty(t, f.Uname+f.Gname, name)
			assert.Empty(t, f.PAXRecords, name)
		}
	})
	t.Run("a name with a line break is one file", func(t *testing.T) {
		w := newWorld(t)
		w.file("a\nb c\r/x\ny", "text")
		assert.Equal(t, "text", sourceOf(t, w)["a\nb c\r/x\ny"].text)
	})
	t.Run("a name that is no text is one file", func(t *testing.T) {
		w := newWorld(t)
		w.file("bad\xff name", "text")
		assert.Equal(t, "text", sourceOf(t, w)["bad\xff name"].text)
	})
	t.Run("a link inside stays a link", func(t *testing.T) {
		w := newWorld(t)
		require.NoError(t, os.Symlink(filepath.Join(w.app, "train.py"), filepath.Join(w.app, "pkg", "same.py")))
		assert.Equal(t, "../train.py", sourceOf(t, w)["pkg/same.py"].Linkname)
	})
	t.Run("a hard link is a copy", func(t *testing.T) {
		w := newWorld(t)
		require.NoError(t, os.Link(filepath.Join(w.app, "train.py"), filepath.Join(w.app, "twin.py")))
		assert.Equal(t, "print('hi')\n", sourceOf(t, w)["twin.py"].text)
	})
	for name, tc := range map[string]struct {
		make func(t *testing.T, w *world)
		want string
	}{
		"a link out of the tree": {func(t *testing.T, w *world) { require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(w.app, "p"))) }, "points out of"},
		"a link through a link": {func(t *testing.T, w *world) {
			require.NoError(t, os.Symlink(".", filepath.Join(w.app, "d")))
			require.NoError(t, os.Symlink("d/../../x", filepath.Join(w.app, "p")))
		}, "points out of"},
		"a FIFO": {func(t *testing.T, w *world) { require.NoError(t, syscall.Mkfifo(filepath.Join(w.app, "p"), 0o600)) }, "a FIFO"},
		"a device": {func(t *testing.T, w *world) {
			if err := syscall.Mknod(filepath.Join(w.app, "p"), syscall.S_IFCHR|0o600, 1<<8|3); err != nil {
				require.NoError(t, syscall.Mkfifo(filepath.Join(w.app, "p"), 0o600)) // who may not make devices has none
			}
		}, "which cannot be copied"},
		"a target above the tree": {func(t *testing.T, w *world) { w.request.Sources[0].Target = "../../etc" }, "does not stay inside"},
		"an absolute target":      {func(t *testing.T, w *world) { w.request.Sources[0].Target = "/etc" }, "does not stay inside"},
		"a whiteout":              {func(t *testing.T, w *world) { w.file(".wh.passwd", "") }, "remove files in a layer"},
		"an opaque whiteout":      {func(t *testing.T, w *world) { w.file("pkg/.wh..wh..opq", "") }, "remove files in a layer"},
		"too large": {func(t *testing.T, w *world) {
			require.NoError(t, os.Truncate(w.file("data.bin", ""), source.SizeLimit+1))
		}, "over the limit of 1.0 GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.make(t, w)
			lines := w.s.since(func() {
				_, err := w.build()
				assert.ErrorContains(t, err, tc.want)
			})
			assert.NotContains(t, strings.Join(lines, "\n"), "POST", "nothing was sent")
		})
	}
}

func TestIgnoreFiles(t *testing.T) {
	w := newWorld(t)
	w.file(".gitignore", "*.log\n")
	w.file(".dockerignore", "data\n")
	w.file("x.log", "")
	w.file("data/big", "")
	w.file("notes/n.md", "")
	w.file(".git/config", "url = https://user:token@host/")
	w.request.Sources[0].Exclude = []string{"notes/"}
	files := sourceOf(t, w)
	for _, name := range []string{"x.log", "data/", "data/big", "notes/", ".git/", ".git/config"} {
		assert.NotContains(t, files, name)
	}
	assert.Contains(t, files, "train.py")
}

// TestSeveralRoots: a library beside the project.
func TestSeveralRoots(t *testing.T) {
	w := newWorld(t)
	lib := filepath.Join(w.dir, "lib")
	require.NoError(t, os.MkdirAll(lib, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(lib, "shared.py"), []byte("s = 1\n"), 0o644))
	w.request.Sources = append(w.request.Sources, source.Root{Path: lib, Target: "vendored/lib"})
	assert.Equal(t, "s = 1\n", sourceOf(t, w)["vendored/lib/shared.py"].text)
}

func TestLargeSourceIsTold(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Truncate(w.file("data/big.bin", ""), source.SizeWarning+1))
	p, err := Describe(t.Context(), w.request, false)
	require.NoError(t, err)
	require.Len(t, p.Warnings, 1)
	assert.Contains(t, p.Warnings[0], `"data/big.bin"`)
	require.NoError(t, os.Truncate(filepath.Join(w.app, "data/big.bin"), source.SizeLimit+1))
	p, err = Describe(t.Context(), w.request, false)
	require.NoError(t, err)
	assert.True(t, p.TooLarge)
}
