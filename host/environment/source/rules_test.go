package source_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
)

func TestIgnoreRules(t *testing.T) {
	type m = map[string]string
	for _, tc := range []struct {
		name    string
		files   m
		root    string // below the directory
		exclude []string
		want    []string
	}{
		{"nothing ignored", m{"a.py": "", "d/b.py": ""}, "", nil, []string{"a.py", "d/b.py"}},
		{"version control is never copied", m{".git/config": "x", "sub/.git": "gitdir: x", ".hg/x": "", "a": "", ".stephostignore": "!.git\n!/.git/config"},
			"", []string{"!.git"}, []string{".stephostignore", "a"}},
		{"what tools make", m{"a.py": "", "__pycache__/a.pyc": "", ".venv/pyvenv.cfg": "", ".venv/lib/x.py": "", "env/conda-meta/history": "", "env/x": ""},
			"", nil, []string{"a.py"}},
		{"brought back by the exclude list", m{"__pycache__/a.pyc": "", "a": ""}, "", []string{"!__pycache__"}, []string{"__pycache__/a.pyc", "a"}},

		{"gitignore: name at any depth", m{".gitignore": "*.csv\n", "a.csv": "", "d/b.csv": "", "c.py": ""}, "", nil, []string{".gitignore", "c.py"}},
		{"gitignore: anchored", m{".gitignore": "/a.csv\nd/e\n", "a.csv": "", "d/a.csv": "", "d/e/x": "", "x/d/e/y": ""}, "", nil,
			[]string{".gitignore", "d/a.csv", "x/d/e/y"}},
		{"gitignore: directories only", m{".gitignore": "data/\n", "data/x": "", "d/data": ""}, "", nil, []string{".gitignore", "d/data"}},
		{"gitignore: last match wins", m{".gitignore": "*.csv\n!keep.csv\n", "a.csv": "", "keep.csv": ""}, "", nil, []string{".gitignore", "keep.csv"}},
		{"gitignore: nothing comes back out of an ignored directory", m{".gitignore": "data\n!data/keep\n", "data/keep": ""}, "", nil, []string{".gitignore"}},
		{"gitignore: but out of one whose content is ignored", m{".gitignore": "data/*\n!data/keep\n", "data/keep": "", "data/x": ""}, "", nil,
			[]string{".gitignore", "data/keep"}},
		{"gitignore: nested, deeper wins", m{".gitignore": "*.csv\n", "d/.gitignore": "!*.csv\n", "a.csv": "", "d/b.csv": ""}, "", nil,
			[]string{".gitignore", "d/.gitignore", "d/b.csv"}},
		{"gitignore: stars", m{".gitignore": "**/logs\na/**/z\nx/**\n", "logs/1": "", "b/logs/1": "", "a/z": "", "a/b/c/z": "", "x/y/1": "", "q": ""}, "", nil,
			[]string{".gitignore", "q"}},
		{"gitignore: classes and escapes", m{".gitignore": "[!a].txt\n\\#x\n\\!y\ntrailing\\ \n# comment\n\nblank \n",
			"a.txt": "", "b.txt": "", "#x": "", "!y": "", "trailing ": "", "blank": ""}, "", nil, []string{".gitignore", "a.txt"}},
		{"gitignore: carriage returns and byte order mark", m{".gitignore": "\xef\xbb\xbfa\r\nb\r\n", "a": "", "b": "", "c": ""}, "", nil, []string{".gitignore", "c"}},
		{"gitignore: parents up to the repository", m{".git/info/exclude": "secret\n", ".gitignore": "*.csv\n/sub/top\n", "sub/a.csv": "", "sub/top": "", "sub/b": "", "sub/secret": ""},
			"sub", nil, []string{"b"}},
		{"gitignore: not beyond the repository", m{".gitignore": "*\n", "sub/.git/HEAD": "", "sub/a": ""}, "sub", nil, []string{"a"}},
		{"gitignore: a source that is itself ignored is wanted", m{".git/HEAD": "", ".gitignore": "build/\n", "build/a": ""}, "build", nil, []string{"a"}},

		{"dockerignore: anchored at the root", m{".dockerignore": "a\n*/b\n**/c\n", "a": "", "d/a": "", "d/b": "", "d/e/b": "", "x/y/c": ""}, "", nil,
			[]string{".dockerignore", "d/a", "d/e/b"}},
		{"dockerignore: exceptions open directories", m{".dockerignore": "*\n!src\n!data/keep\n", "src/a": "", "src/b/c": "", "data/keep": "", "data/x": "", "z": ""}, "", nil,
			[]string{"data/keep", "src/a", "src/b/c"}},
		{"dockerignore and gitignore add up", m{".dockerignore": "a\n", ".gitignore": "b\n", "a": "", "b": "", "c": ""}, "", nil, []string{".dockerignore", ".gitignore", "c"}},

		{"stephostignore brings back", m{".gitignore": "models/\n*.pt\n", ".stephostignore": "!/models/base.pt\n", "models/base.pt": "", "models/old.pt": "", "x.pt": ""}, "", nil,
			[]string{".gitignore", ".stephostignore", "models/base.pt"}},
		{"stephostignore brings a directory back, other patterns hold in it", m{".gitignore": "out/\n*.tmp\n", ".stephostignore": "!out/\n", "out/a": "", "out/b.tmp": ""}, "", nil,
			[]string{".gitignore", ".stephostignore", "out/a"}},
		{"stephostignore after dockerignore", m{".dockerignore": "out\n", ".stephostignore": "!out\n", "out/a": "", "out/b/c": ""}, "", nil,
			[]string{".dockerignore", ".stephostignore", "out/a", "out/b/c"}},
		{"stephostignore leaves out, nested too", m{".stephostignore": "a\n", "d/.stephostignore": "/b\n", "a": "", "d/b": "", "d/c": ""}, "", nil,
			[]string{".stephostignore", "d/.stephostignore", "d/c"}},

		{"exclude", m{"data/x": "", "data/y/z": "", "a.csv": "", "a": ""}, "", []string{"data/**", "*.csv"}, []string{"a"}},
		{"exclude with an exception", m{"data/x": "", "data/keep/y": ""}, "", []string{"data", "!data/keep"}, []string{"data/keep/y"}},
		{"exclude beats stephostignore", m{".stephostignore": "!a\n", "a": "", "b": ""}, "", []string{"a", ".stephostignore"}, []string{"b"}},
		{"exclude is relative to the source", m{".git/HEAD": "", "sub/a": "", "sub/b": ""}, "sub", []string{"/a"}, []string{"b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, tc.files)
			tree, err := source.Scan(t.Context(), []source.Root{{Path: filepath.Join(dir, tc.root), Exclude: tc.exclude}}, source.Options{})
			require.NoError(t, err)
			assert.Equal(t, tc.want, files(tree))
			assert.Empty(t, tree.Warnings)
		})
	}
}

func TestInvalidPatterns(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{".gitignore": "[a\nb\n", "a": "", "b": ""})
	tree, err := source.Scan(t.Context(), []source.Root{{Path: dir}}, source.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{".gitignore", "a"}, files(tree))
	require.Len(t, tree.Warnings, 1)
	assert.Contains(t, tree.Warnings[0], `"[a" is not a valid pattern`)

	_, err = source.Scan(t.Context(), []source.Root{{Path: dir, Exclude: []string{"[a"}}}, source.Options{})
	assert.ErrorContains(t, err, `"[a" is not a valid pattern`, "one that a person wrote for this step is an error")
}
