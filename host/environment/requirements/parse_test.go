package requirements

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
)

func newParser(t *testing.T) *parser {
	return &parser{ctx: t.Context(), seen: map[string]bool{}, store: source.NewStore(t.TempDir())}
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestRequirementsFile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "base.txt", "six==1.16.0\n")
	put(t, dir, "limits/c.txt", "numpy<2 # a comment\n-r more.txt\n")
	put(t, dir, "limits/more.txt", "scipy<2\n")
	put(t, dir, "wheels/a-1-py3-none-any.whl", "not read")
	put(t, dir, "lib/pyproject.toml", "[project]\nname='lib'\n")
	main := put(t, dir, "requirements.txt", strings.Join([]string{
		"\xef\xbb\xbf# the head",
		"--index-url https://me:s3cret@index.example/simple",
		"  requests  [socks] >= 2 ; python_version > '3'   # why",
		"-r base.txt",
		"--constraint=limits/c.txt",
		"pinned==1 \\",
		"    --hash=sha256:abc \\",
		"    --hash=sha256:def",
		"git+https://tok3n@git.example/x.git@v1#egg=x",
		"named @ https://files.example/named.whl",
		"./wheels/a-1-py3-none-any.whl",
		"-e ./lib[fast]",
		"-r requirements.txt",
		"-f wheels",
		"private @ https://${TOKEN}@index.example/p.whl",
		"",
	}, "\n"))
	p := newParser(t)
	require.NoError(t, p.file(main, false))

	var texts []string
	for _, it := range p.items {
		texts = append(texts, it.text+it.suffix)
	}
	assert.Equal(t, []string{
		"--index-url https://me:s3cret@index.example/simple",
		"requests  [socks] >= 2 ; python_version > '3'",
		"six==1.16.0",
		"pinned==1      --hash=sha256:abc      --hash=sha256:def",
		"git+https://tok3n@git.example/x.git@v1#egg=x",
		"named @ https://files.example/named.whl",
		filepath.Join(dir, "wheels/a-1-py3-none-any.whl"),
		"[fast]",
		"--find-links " + filepath.Join(dir, "wheels"),
		"private @ https://${TOKEN}@index.example/p.whl",
	}, texts)
	require.Len(t, p.constraints, 2)
	assert.Equal(t, "numpy<2", p.constraints[0].text)
	assert.Equal(t, "scipy<2", p.constraints[1].text)
	require.Len(t, p.projects, 1)
	assert.Equal(t, filepath.Join(dir, "lib"), p.projects[0].path)

	all := strings.Join(keys(p.items), "\n")
	assert.NotContains(t, all, "s3cret")
	assert.NotContains(t, all, "tok3n")
	assert.NotContains(t, all, dir, "the place of a checkout is no content")
	assert.Contains(t, all, "requests [socks] >= 2 ; python_version > '3'")
	assert.Contains(t, all, "a-1-py3-none-any.whl sha256:")
}

func TestLocalPath(t *testing.T) {
	for text, want := range map[string]string{
		"six": "", "six>=1": "", "six[a,b]>=1; python_version<'4'": "", "a @ https://x/y.whl": "", "git+ssh://git@h/x.git": "",
		"https://h/x.tar.gz": "", "x==1.tar": "", "${HERE}/x": "", "a.b": "",
		".": ".", "./x": "./x", "../x[fast]": "../x|[fast]", "/abs/x.whl": "/abs/x.whl", "x-1-py3-none-any.whl": "x-1-py3-none-any.whl",
		"lib/x": "lib/x", "./x ; sys_platform == 'linux'": "./x| ; sys_platform == 'linux'", "./x --hash=sha256:a": "./x| --hash=sha256:a",
		"name @ file:///abs/x": "/abs/x", "name[e] @ file:///abs/x": "/abs/x|[e]", "file:///abs/a%20b.whl": "/abs/a b.whl", "name @ ./x": "./x",
		"file://other/x": "",
	} {
		path, suffix, ok := localPath(text)
		got := path
		if suffix != "" {
			got += "|" + suffix
		}
		if !ok {
			got = ""
		}
		assert.Equal(t, want, got, "%q", text)
	}
}

func TestRefusedInput(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "uv.lock", "")
	put(t, dir, "environment.yml", "")
	put(t, dir, "utf16.txt", "\xff\xfes\x00i\x00x\x00")
	put(t, dir, "empty/readme", "")
	for i := range 2 * includeLimit {
		put(t, dir, fmt.Sprintf("chain/%d.txt", i), fmt.Sprintf("-r %d.txt\n", i+1))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "huge.txt"), nil, 0o644))
	require.NoError(t, os.Truncate(filepath.Join(dir, "huge.txt"), fileLimit+1))
	for _, tc := range []struct{ line, summary, next string }{
		{"-r none.txt", "cannot read the requirements file", "correct"},
		{"-r uv.lock", "uv.lock", "uv"},
		{"-r environment.yml", "not a requirements file", "name a requirements.txt"},
		{"-r utf16.txt", "not a text file in UTF-8", "correct"},
		{"-r huge.txt", "cannot read the requirements file", "correct"},
		{"-r .", "cannot read the requirements file", "correct"},
		{"-r chain/0.txt", "more than 100 files", "correct"},
		{"./none", "no such file or directory", "correct"},
		{"./empty", "no Python project in", "pyproject.toml or a setup.py"},
		{"-f none", "--find-links", "correct"},
	} {
		err := newParser(t).line(dir, "requirements", tc.line, false)
		var p *problem.Error
		require.ErrorAs(t, err, &p, tc.line)
		assert.Contains(t, p.Summary, tc.summary)
		assert.Contains(t, p.Next, tc.next)
		var e *Error
		require.True(t, errors.As(err, &e))
		assert.Equal(t, Invalid, e.Kind)
	}
}

func TestDigestIgnoresOrderAndCredentials(t *testing.T) {
	set := func(env string, lines ...string) string {
		p := newParser(t)
		for _, l := range lines {
			require.NoError(t, p.line("/", "requirements", l, false))
		}
		s := &Set{Interpreter: &Interpreter{Path: "/python", Version: "3.11.7"}, items: p.items, environ: newEnviron([]string{env})}
		return s.digest()
	}
	a := set("PIP_INDEX_URL=https://u:one@h/simple", "six", "-i https://u:one@h/simple", "numpy >=1")
	assert.Equal(t, a, set("PIP_INDEX_URL=https://u:two@h/simple", "numpy  >=1", "-i https://u:two@h/simple", "six", "six"))
	assert.NotEqual(t, a, set("PIP_INDEX_URL=https://u:one@other/simple", "six", "-i https://u:one@h/simple", "numpy >=1"), "another index")
	assert.NotEqual(t, a, set("PIP_INDEX_URL=https://u:one@h/simple", "six", "-i https://u:one@h/simple", "numpy >=2"))
}

func FuzzLines(f *testing.F) {
	for _, s := range []string{"six", "-e .", "-r x", "a @ file:///x", "x --hash=y \\\n z", "-", "--", "-f", "git+https://a@b@c/d", "[", "]", "@"} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		p := newParser(t)
		for _, l := range logicalLines(text) {
			_ = p.line(dir, "fuzz", l, false)
		}
	})
}
