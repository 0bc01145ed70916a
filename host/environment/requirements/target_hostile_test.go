package requirements

import (
	"archive/zip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTargetHostileWheels: a wheel that would write beside its place, be a link out of it
// or run as its owner is refused by the installer, or what it brings is made harmless.
func TestTargetHostileWheels(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		for name, odd := range map[string][]*zip.FileHeader{
			"a path above":          {{Name: "../../../../evil.py"}},
			"an absolute path":      {{Name: "/tmp/stephost-evil.py"}},
			"a path in its data":    {{Name: "hostile-1.0.data/purelib/../../../../../evil.py"}},
			"a link out and setuid": {withMode("link.py", fs.ModeSymlink|0o777), withMode("tool.py", fs.ModeSetuid|fs.ModeSetgid|0o755)},
			"a name of two lines":   {{Name: "two\nlines.py"}},
		} {
			links, cache := t.TempDir(), t.TempDir()
			hostileWheel(t, filepath.Join(links, "hostile-1.0-py3-none-any.whl"), odd...)
			out, err := ResolveTarget(t.Context(), TargetRequest{Base: slim(), CacheDir: cache, Environ: environ,
				Requirements: []string{"--no-index", "-f " + links, "hostile"}})
			assert.NoFileExists(t, "/tmp/stephost-evil.py", name)
			require.NoError(t, filepath.WalkDir(cache, func(p string, d fs.DirEntry, err error) error {
				if err == nil && d.Name() == "evil.py" { // inside of a tree it is a file like any other
					assert.True(t, strings.HasPrefix(p, filepath.Join(cache, "packages", "trees")), "%s: %s", name, p)
				}
				return err
			}))
			if err != nil {
				t.Logf("%s: refused: %v", name, err)
				continue
			}
			t.Logf("%s: taken", name)
			require.NoError(t, filepath.WalkDir(out.Tree, func(p string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				fi, err := d.Info()
				require.NoError(t, err)
				assert.True(t, d.IsDir() || fi.Mode().IsRegular(), "%s: %s is %s", name, p, fi.Mode())
				assert.Zero(t, fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky), "%s: %s is %s", name, p, fi.Mode())
				return nil
			}))
		}
	})
}

func withMode(name string, mode fs.FileMode) *zip.FileHeader {
	h := &zip.FileHeader{Name: name}
	h.SetMode(mode)
	return h
}

// hostileWheel writes a wheel with odd files: for a link its content is where it leads.
func hostileWheel(t *testing.T, file string, odd ...*zip.FileHeader) {
	t.Helper()
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	z := zip.NewWriter(f)
	const info = "hostile-1.0.dist-info/"
	record := ""
	add := func(h *zip.FileHeader, text string) {
		w, err := z.CreateHeader(h)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
		record += `"` + h.Name + "\",,\n"
	}
	for _, h := range odd {
		add(h, "/etc/passwd")
	}
	add(&zip.FileHeader{Name: "hostile.py"}, "x = 1\n")
	add(&zip.FileHeader{Name: info + "METADATA"}, "Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
	add(&zip.FileHeader{Name: info + "WHEEL"}, "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
	add(&zip.FileHeader{Name: info + "RECORD"}, record+info+"RECORD,,\n")
	require.NoError(t, z.Close())
}
