package python

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/gobuild"
)

// wheelLimit is what a wheel may weigh: package indexes take 100 MB of a project
// that nobody knows (https://pypi.org/help/#file-size-limit).
const wheelLimit = 100 << 20

// TestForeignWheels builds the wheels of another platform and reads them: nothing of
// it can run here. The flags are those of `make cross` and `make build`, so that
// nothing is compiled twice.
func TestForeignWheels(t *testing.T) {
	t.Parallel()
	bin, dist := filepath.Join(place(t), "bin"), t.TempDir()
	mac, quick := []string{"GOOS=darwin", "GOARCH=arm64"}, []string{"-gcflags=all=-N -l"}
	for _, p := range []gobuild.Program{
		{Dir: ".", Pkg: "./cmd/stephost", Out: "stephost", Tags: []string{"front"}, Env: mac, Flags: quick},
		{Dir: ".", Pkg: "./cmd/stephost", Out: "stephost-host", Env: mac, Flags: quick},
		{Dir: "plugins/local", Out: "plugins/stephost-flavor-local", Env: mac, Flags: quick},
		{Dir: "examples/hello-flavor", Out: "plugins/stephost-flavor-hello", Env: mac, Flags: quick},
		{Dir: ".", Pkg: "./cmd/stephost-init", Out: "shim/stephost-init-linux-amd64", Env: []string{"GOOS=linux", "GOARCH=amd64"}},
		{Dir: ".", Pkg: "./cmd/stephost-init", Out: "shim/stephost-init-linux-arm64", Env: []string{"GOOS=linux", "GOARCH=arm64"}},
	} {
		p.Dir, p.Out = absolute(t, filepath.Join("../..", p.Dir)), filepath.Join(bin, p.Out)
		require.NoError(t, gobuild.Build(testContext(t), p))
	}
	output(t, os.Environ(), t.TempDir(), newest(t).Path, absolute(t, "../../python/wheel/build.py"),
		"--bin", bin, "--dist", dist, "--platform", "darwin/arm64", "--flavor", "hello")

	version, err := os.ReadFile("../../VERSION")
	require.NoError(t, err)
	v := string(bytes.TrimSpace(version))
	for wheel, programs := range map[string][]string{
		"stephost":              {"data/scripts/stephost", "data/data/libexec/stephost/stephost-host", "data/data/libexec/stephost/plugins/stephost-flavor-local"},
		"stephost_flavor_hello": {"data/data/libexec/stephost/plugins/stephost-flavor-hello"},
	} {
		stem := wheel + "-" + v
		files := readWheel(t, filepath.Join(dist, stem+"-py3-none-macosx_12_0_arm64.whl"), stem)
		assert.Contains(t, string(files[stem+".dist-info/WHEEL"].data), "Root-Is-Purelib: false\nTag: py3-none-macosx_12_0_arm64\n")
		for _, name := range programs {
			f, ok := files[stem+"."+name]
			require.True(t, ok, name)
			assert.Equal(t, os.FileMode(0o755), f.mode.Perm(), name)
			m, err := macho.NewFile(bytes.NewReader(f.data))
			require.NoError(t, err, name)
			assert.Equal(t, macho.CpuArm64, m.Cpu, name)
		}
		if wheel != "stephost" {
			continue
		}
		// Images are Linux's wherever they are built.
		for _, arch := range []string{"amd64", "arm64"} {
			assert.Equal(t, "\x7fELF", string(files[stem+".data/data/libexec/stephost/shim/stephost-init-linux-"+arch].data[:4]))
		}
		assert.Contains(t, files, "stephost/__init__.py")
		assert.Contains(t, files, "stephost/py.typed")
	}
}

type wheelFile struct {
	data []byte
	mode os.FileMode
}

// readWheel reads a wheel and holds it against its RECORD.
func readWheel(t *testing.T, path, stem string) map[string]wheelFile {
	t.Helper()
	fi, err := os.Stat(path)
	require.NoError(t, err)
	assert.Less(t, fi.Size(), int64(wheelLimit))
	z, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer z.Close()
	files := map[string]wheelFile{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		files[f.Name] = wheelFile{data, f.Mode()}
	}
	record := stem + ".dist-info/RECORD"
	rows, err := csv.NewReader(bytes.NewReader(files[record].data)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, len(files), "every file is in the RECORD, and no other")
	for _, row := range rows {
		f, ok := files[row[0]]
		require.True(t, ok, row[0])
		if row[0] == record {
			continue
		}
		sum := sha256.Sum256(f.data)
		assert.Equal(t, []string{"sha256=" + base64.RawURLEncoding.EncodeToString(sum[:]), fmt.Sprint(len(f.data))}, row[1:], row[0])
	}
	return files
}
