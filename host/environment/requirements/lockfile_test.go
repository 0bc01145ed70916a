package requirements

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const pylockText = `lock-version = "1.0"
created-by = "test"
[[packages]]
name = "small"
version = "1.0"
index = "https://mirror.example/simple"
wheels = [{ name = "small-1.0-py3-none-any.whl", url = "https://mirror.example/small-1.0-py3-none-any.whl", hashes = { sha256 = "SMALL" } }]
[[packages]]
name = "tiny"
version = "1.0"
index = "https://mirror.example/simple"
marker = "python_version >= '3.8'"
sdist = { name = "tiny-1.0.tar.gz", hashes = { sha256 = "SDIST" } }
wheels = [{ name = "tiny-1.0-py3-none-any.whl", hashes = { sha256 = "TINY" } }]
`

func TestPylock(t *testing.T) {
	dir := t.TempDir()
	file := put(t, dir, "pylock.toml", pylockText+`
[[packages]]
name = "other"
version = "3"
index = "https://user:secret99@other.example/simple"
[[packages]]
name = "fromgit"
vcs = { type = "git", url = "https://git.example/x.git", commit-id = "abc", subdirectory = "py" }
[[packages]]
name = "near"
directory = { path = "near" }
[[packages]]
name = "packed"
archive = { url = "https://files.example/packed-1.zip", hashes = { sha256 = "cc" } }
`)
	lines, err := pylockLines(file)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"--extra-index-url https://user:secret99@other.example/simple",
		"small==1.0 --hash=sha256:SMALL",
		"tiny==1.0 ; python_version >= '3.8' --hash=sha256:SDIST --hash=sha256:TINY",
		"other==3",
		"fromgit @ git+https://git.example/x.git@abc#subdirectory=py",
		filepath.Join(dir, "near"),
		"packed @ https://files.example/packed-1.zip --hash=sha256:cc",
	}, lines)

	for text, want := range map[string]string{
		"lock-version = '2.0'\n": "is not known",
		"lock-version = '1.0'\n[[packages]]\nname = 'x'\nversion = '1'\nmarker = \"'dev' in dependency_groups\"\n": "dependency group",
		"lock-version = '1.0'\n[[packages]]\nname = 'x'\n":                                                         "neither a version nor a place",
		"lock-version = ": "not valid TOML",
	} {
		_, err := pylockLines(put(t, dir, "pylock.bad.toml", text))
		p := kindIs(t, err, Invalid)
		assert.Contains(t, p.Summary, want)
	}
}

func TestTargetFromLockFiles(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		dir, links := t.TempDir(), wheels(t)
		text := strings.ReplaceAll(pylockText, "SDIST", strings.Repeat("0", 64))
		for mark, file := range map[string]string{"SMALL": "small-1.0-py3-none-any.whl", "TINY": "tiny-1.0-py3-none-any.whl"} {
			sum, err := fileHash(filepath.Join(links, file))
			require.NoError(t, err)
			text = strings.ReplaceAll(text, mark, sum)
		}
		put(t, dir, "pylock.toml", text)
		r := TargetRequest{Base: slim(), Dir: dir, CacheDir: t.TempDir(), Environ: environ,
			RequirementsFile: "pylock.toml", Requirements: []string{"--no-index", "-f " + links}}
		assert.Equal(t, []string{"small==1.0", "tiny==1.0"}, names(target(t, r).Packages))
	})
}

// TestUVLock: uv writes the lock file, and a project beside it is built.
func TestUVLock(t *testing.T) {
	uv, err := uvPath()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("NOT TESTED: uv is neither on PATH nor to be had (%v); set CI=true to insist", err)
	}
	require.NoError(t, err)
	dir, links := t.TempDir(), wheels(t)
	pure(t, filepath.Join(dir, "near"), "near", "2", "py3-none-any")
	put(t, dir, "pyproject.toml", "[project]\nname = 'app'\nversion = '0'\nrequires-python = '>=3.8'\ndependencies = ['small', 'near']\n"+
		"[dependency-groups]\ndev = ['tiny>=2']\n[tool.uv.sources]\nnear = { path = 'near' }\n")
	environ := toolEnv(t, filepath.Dir(uv)+string(os.PathListSeparator)+withoutUV(os.Getenv("PATH")))
	cmd := exec.Command(uv, "lock", "--quiet", "--no-index", "--find-links", links)
	cmd.Dir, cmd.Env = dir, environ
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	r := TargetRequest{Base: slim(), Dir: dir, CacheDir: t.TempDir(), Environ: environ,
		RequirementsFile: "uv.lock", Requirements: []string{"--no-index", "-f " + links}}
	assert.Equal(t, []string{"near==2", "small==1.0", "tiny==2.0"}, names(target(t, r).Packages))

	// pyproject.toml alone would lose where near is.
	r.RequirementsFile = "pyproject.toml"
	_, err = ResolveTarget(t.Context(), r)
	p := kindIs(t, err, Invalid)
	assert.Contains(t, p.Next, "uv.lock")

	r.RequirementsFile, r.Environ = "uv.lock", toolEnv(t, withoutUV(os.Getenv("PATH")))
	_, err = ResolveTarget(t.Context(), r)
	p = kindIs(t, err, Invalid)
	assert.Contains(t, p.Next, "install uv")
}
