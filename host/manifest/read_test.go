package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
)

func TestRead(t *testing.T) {
	a, b := minimal("a", ""), minimal("b", "")
	newer := minimal("a", "tls = \"auto\"\n")
	elf := []byte("\x7fELF\x00\x00")
	for _, tc := range []struct {
		name  string
		files map[string][]byte
		path  string
		where string
		file  string
		err   string
	}{
		{"alone", map[string][]byte{"a.hcl": a}, "a.hcl", manifest.Alone, "a.hcl", ""},
		{"beside", map[string][]byte{"p": elf, "p.flavor.hcl": a}, "p", manifest.Beside, "p.flavor.hcl", ""},
		{"beside an exe", map[string][]byte{"p.exe": elf, "p.flavor.hcl": a}, "p.exe", manifest.Beside, "p.flavor.hcl", ""},
		{"directory's", map[string][]byte{"p": elf, "flavor.hcl": a}, "p", manifest.Beside, "flavor.hcl", ""},
		{"own one first", map[string][]byte{"p": elf, "p.flavor.hcl": a, "flavor.hcl": b}, "p", manifest.Beside, "p.flavor.hcl", ""},
		{"inside", map[string][]byte{"p": append(elf, manifest.Stamp(a)...)}, "p", manifest.Inside, "p", ""},
		{"both", map[string][]byte{"p": append(elf, manifest.Stamp(a)...), "p.flavor.hcl": manifest.Stamp(a)}, "p", manifest.Both, "p.flavor.hcl", ""},
		{"both, unstamped beside", map[string][]byte{"p": append(elf, manifest.Stamp(a)...), "flavor.hcl": a}, "p", manifest.Both, "flavor.hcl", ""},
		{"inside, another flavor's file near", map[string][]byte{"p": append(elf, manifest.Stamp(a)...), "flavor.hcl": b}, "p", manifest.Inside, "p", ""},
		{"inside is older", map[string][]byte{"p": append(elf, manifest.Stamp(a)...), "flavor.hcl": newer}, "p", "", "", "Build the flavor again"},
		{"beside differs", map[string][]byte{"p": append(elf, manifest.Stamp(a)...), "p.flavor.hcl": b}, "p", "", "", "Two manifests differ"},
		{"inside differs", map[string][]byte{"p": append(manifest.Stamp(a), manifest.Stamp(b)...)}, "p", "", "", "different flavor manifests"},
		{"directory", map[string][]byte{"d/flavor.hcl": a, "d/main.py": nil}, "d", manifest.Directory, "d/flavor.hcl", ""},
		{"directory with a named one", map[string][]byte{"d/p.flavor.hcl": a, "d/p": elf}, "d", manifest.Directory, "d/p.flavor.hcl", ""},
		{"directory with two", map[string][]byte{"d/p.flavor.hcl": a, "d/q.flavor.hcl": b}, "d", "", "", "p.flavor.hcl, q.flavor.hcl"},
		{"directory with none", map[string][]byte{"d/p": elf}, "d", "", "", "Put a flavor.hcl into it"},
		{"nothing", map[string][]byte{"p": elf}, "p", "", "", "Put p.flavor.hcl beside it"},
		{"UPX", map[string][]byte{"p": append(elf, "....UPX!"...)}, "p", "", "", "compressed (UPX)"},
		{"zip", map[string][]byte{"p": []byte("#!/usr/bin/python3\nPK\x03\x04")}, "p", "", "", "zip archive"},
		{"stale", map[string][]byte{"p": append([]byte("#!/bin/sh\n"), strings.Replace(string(manifest.Stamp(a)), "1.0.0", "1.0.1", 1)...)}, "p", "", "", "changed after it was stamped"},
		{"missing", nil, "p", "", "", "no such file"},
		{"class path", nil, "my_module.MyStepOperatorFlavor", "", "", "flavor init"},
		{"bad manifest", map[string][]byte{"p": elf, "p.flavor.hcl": []byte("x = 1")}, "p", "", "", "Unsupported argument"},
		{"large manifest", map[string][]byte{"p": elf, "p.flavor.hcl": make([]byte, 1<<20)}, "p", "", "", "at most 262144"},
		{"directory as manifest", map[string][]byte{"p": elf, "p.flavor.hcl/x": nil}, "p", "", "", "not a regular file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a [b]*")
			require.NoError(t, os.Mkdir(dir, 0o700))
			for name, data := range tc.files {
				path := filepath.Join(dir, filepath.FromSlash(name))
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, data, 0o700))
			}
			path := filepath.Join(dir, tc.path)
			if tc.name == "class path" {
				path = tc.path
			}
			var src diag.Sources
			m, found, diags := manifest.Read(t.Context(), &src, path)
			if tc.err != "" {
				assert.Nil(t, m)
				assert.Nil(t, found)
				assert.Contains(t, strings.Join(strings.Fields(rendered(t, &src, diags)), " "), tc.err)
				return
			}
			require.Empty(t, diags)
			assert.Equal(t, "a", m.Name)
			assert.Equal(t, manifest.Digest(a), m.Digest)
			assert.Equal(t, tc.where, found.Where)
			assert.Equal(t, filepath.Join(dir, filepath.FromSlash(tc.file)), found.File)
			if tc.where == manifest.Alone {
				assert.Empty(t, found.Artifact)
			} else {
				assert.Equal(t, path, found.Artifact)
			}
		})
	}
}

// TestReadNeverRuns: a script that leaves a trace when it is run.
func TestReadNeverRuns(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "p")
	text := "#!/bin/sh\n" + string(manifest.Comment(minimal("a", ""), "# ")) + "touch " + filepath.Join(dir, "trace") + "\n"
	require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
	m, _, diags := manifest.Read(t.Context(), nil, script)
	require.Empty(t, diags)
	assert.Equal(t, "a", m.Name)
	assert.NoFileExists(t, filepath.Join(dir, "trace"))
}
