package container

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
)

// layer packs entries as they are; a regular file holds its own name.
func layer(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		require.NoError(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(h.Name))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return &out
}

func TestUnpack(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, unpack(layer(t,
		tar.Header{Name: "bin", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "bin/sh", Typeflag: tar.TypeReg, Mode: 0o755},
		tar.Header{Name: "bin/hard", Linkname: "bin/sh", Typeflag: tar.TypeLink},
		tar.Header{Name: "sh", Linkname: "bin/sh", Typeflag: tar.TypeSymlink},
		tar.Header{Name: "etc/deep/conf", Typeflag: tar.TypeReg, Mode: 0o600},
	), root))
	for path, want := range map[string]string{"bin/sh": "bin/sh", "bin/hard": "bin/sh", "sh": "bin/sh", "etc/deep/conf": "etc/deep/conf"} {
		got, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), path)
	}
	info, err := os.Stat(filepath.Join(root, "bin/sh"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o755), info.Mode().Perm())
}

// TestUnpackStaysInside: neither a name nor a link of an image leads out.
func TestUnpackStaysInside(t *testing.T) {
	above := t.TempDir()
	outside := filepath.Join(above, "outside")
	require.NoError(t, os.Mkdir(outside, 0o700))
	require.NoError(t, unpack(layer(t, tar.Header{Name: "../../outside/evil", Typeflag: tar.TypeReg, Mode: 0o600}), filepath.Join(above, "a")))
	require.Error(t, unpack(layer(t,
		tar.Header{Name: "link", Linkname: outside, Typeflag: tar.TypeSymlink},
		tar.Header{Name: "link/evil", Typeflag: tar.TypeReg, Mode: 0o600},
	), filepath.Join(above, "b")))
	found, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, found)
}

func TestCommand(t *testing.T) {
	i := &Image{config: &v1.ConfigFile{Config: v1.Config{Env: []string{"PATH=/bin", "A=image", "E="}, WorkingDir: "/work", Entrypoint: []string{"/init"}}}}
	assert.Equal(t, []string{"/init"}, i.Entrypoint())
	assert.Equal(t, cloudfake.Command{
		Argv: []string{"a", ""}, Env: map[string]string{"PATH": "/bin", "A": "job", "E": "", "B": "x=y"}, Root: "/r", Dir: "/work",
	}, i.Command("/r", []string{"a", ""}, map[string]string{"A": "job", "B": "x=y"}))
	i.config.Config.WorkingDir = ""
	assert.Equal(t, "/", i.Command("/r", nil, nil).Dir)
}

// TestElsewhere: what is in no registry of this machine is not asked for.
func TestElsewhere(t *testing.T) {
	i, err := Pull(t.Context(), "registry.invalid/x:1", nil)
	require.NoError(t, err)
	assert.Nil(t, i)
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, i.Unpack(root))
	assert.NoDirExists(t, root)
}
