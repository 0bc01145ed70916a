package scaffold_test

import (
	"errors"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/internal/scaffold"
	"github.com/stephost/stephost/pluginsdk"
)

// every is each language with each kind.
func every(f func(scaffold.Options)) {
	for _, l := range scaffold.Languages() {
		for _, k := range scaffold.Kinds() {
			f(scaffold.Options{Name: "my-hive", Language: scaffold.Language(l), Kind: scaffold.Kind(k)})
		}
	}
}

func TestWrite(t *testing.T) {
	every(func(o scaffold.Options) {
		t.Run(string(o.Language)+" "+string(o.Kind), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			require.NoError(t, scaffold.Write(dir, o))
			var files []string
			require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				name, err := filepath.Rel(dir, p)
				files = append(files, filepath.ToSlash(name))
				text, readErr := os.ReadFile(p)
				assert.NotContains(t, string(text), "[[.", p)
				assert.NotContains(t, name, "tmpl")
				if filepath.Ext(p) == ".go" {
					formatted, err := format.Source(text)
					assert.NoError(t, err, p)
					assert.Equal(t, string(formatted), string(text), p)
				}
				return errors.Join(err, readErr)
			}))
			for _, want := range []string{"flavor.hcl", "README.md", "Makefile", ".gitignore"} {
				assert.Contains(t, files, want)
			}
			text, err := os.ReadFile(filepath.Join(dir, "flavor.hcl"))
			require.NoError(t, err)
			assert.True(t, manifest.Stamped(text))
			src := &diag.Sources{}
			m, diags := manifest.Parse(src, "flavor.hcl", text)
			require.Empty(t, diags)
			assert.Equal(t, "my-hive", m.Name)
			assert.ErrorContains(t, scaffold.Write(dir, o), "not empty", "a second time")
		})
	})
}

// The projects ask for the SDK that is released together with this program.
func TestVersion(t *testing.T) {
	assert.Equal(t, pluginsdk.Version, scaffold.Options{}.SDK())
}

func TestWriteRefuses(t *testing.T) {
	good := scaffold.Options{Name: "hive", Language: scaffold.Go, Kind: scaffold.Launch}
	with := func(change func(*scaffold.Options)) scaffold.Options { o := good; change(&o); return o }
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, tc := range []struct {
		name string
		dir  string
		o    scaffold.Options
		want string
	}{
		{"no name", "", with(func(o *scaffold.Options) { o.Name = "" }), "cannot be the name"},
		{"a path", "", with(func(o *scaffold.Options) { o.Name = "../x" }), "cannot be the name"},
		{"capitals", "", with(func(o *scaffold.Options) { o.Name = "Hive" }), "cannot be the name"},
		{"a long name", "", with(func(o *scaffold.Options) { o.Name = strings.Repeat("a", 41) }), "cannot be the name"},
		{"a template", "", with(func(o *scaffold.Options) { o.Name = "[[.Name]]" }), "cannot be the name"},
		{"language", "", with(func(o *scaffold.Options) { o.Language = "rust" }), "no SDK"},
		{"kind", "", with(func(o *scaffold.Options) { o.Kind = "other" }), "no kind"},
		{"a file in the way", file, good, "is a file"},
		{"below a file", filepath.Join(file, "x"), good, "cannot write"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := tc.dir
			if dir == "" {
				dir = filepath.Join(t.TempDir(), "new")
			}
			err := scaffold.Write(dir, tc.o)
			assert.ErrorContains(t, err, tc.want)
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			assert.NotEmpty(t, p.Next)
			if tc.dir == "" {
				assert.NoFileExists(t, dir, "nothing was written")
				assert.NoDirExists(t, dir, "nothing was written")
			}
		})
	}
}

func TestSteps(t *testing.T) {
	every(func(o scaffold.Options) {
		steps := scaffold.Steps("hive", o)
		require.GreaterOrEqual(t, len(steps), 4)
		for _, s := range steps {
			assert.NotEmpty(t, s.Command)
			assert.NotEmpty(t, s.Why)
		}
	})
}
