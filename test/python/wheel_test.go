package python

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/python/venvs"
)

const fourLines = `import stephost
@stephost.step(step_operator="here")
def add(a: int, b: int) -> int: return a + b
if __name__ == "__main__": print(add.remote(2, 3))
`

// TestFourLines: an empty environment outside of the repository, the wheel, and the
// example of its description.
func TestFourLines(t *testing.T) {
	readme, err := os.ReadFile("../../python/wheel/README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), fourLines)
	for _, p := range ends(pythons(t)) {
		t.Run(filepath.Base(p.Path), func(t *testing.T) {
			dir := place(t)
			// As a person does it: venv, pip.
			python := filepath.Join(dir, "venv", "bin", "python3")
			e := venvs.Env{Dir: filepath.Join(dir, "venv"), Bin: filepath.Dir(python), Python: python}
			env := environ(t, e)
			output(t, env, dir, p.Path, "-m", "venv", "venv")
			output(t, env, dir, python, "-m", "pip", "install", "--quiet", "--no-index", wheels(t, "stephost")[0])
			assert.Equal(t, "No broken requirements found.\n", output(t, env, dir, python, "-m", "pip", "check"))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "add.py"), []byte(fourLines), 0o600))
			// By its full name: nobody activates an environment in a cron job.
			output(t, env, dir, filepath.Join(e.Bin, "stephost"), "operator", "register", "here", "--flavor=local")
			assert.Equal(t, "5\n", output(t, env, dir, python, "add.py"))
		})
	}
}

// TestExtraFlavor: another wheel brings a flavor that is there without registration,
// and leaves nothing but the program in bin/.
func TestExtraFlavor(t *testing.T) {
	e := installed(t, newest(t), wheels(t, "stephost", "stephost_flavor_hello"))
	env := environ(t, e)
	dir := place(t)
	stephost := filepath.Join(e.Bin, "stephost")
	list := output(t, env, dir, stephost, "flavor", "list")
	for _, name := range []string{"local", "hello"} {
		assert.Regexp(t, `(?m)^`+name+` .* shipped `, list)
	}
	output(t, env, dir, stephost, "operator", "register", "hi", "--flavor=hello")
	output(t, env, dir, stephost, "launch", "--operator", "hi", "--", "true")
	programs, err := filepath.Glob(filepath.Join(e.Bin, "stephost*"))
	require.NoError(t, err)
	assert.Equal(t, []string{stephost}, programs)
	assert.FileExists(t, filepath.Join(e.Dir, "libexec", "stephost", "plugins", "stephost-flavor-hello"))

	// No Python stands between the person and the program.
	head, err := os.ReadFile(stephost)
	require.NoError(t, err)
	assert.NotEqual(t, "#!", string(head[:2]))
	// A link from elsewhere (pipx, uv tool) finds the same flavors.
	link := filepath.Join(dir, "stephost")
	require.NoError(t, os.Symlink(stephost, link))
	assert.Equal(t, list, output(t, env, dir, link, "flavor", "list"))
	assert.Contains(t, output(t, env, dir, e.Python, "-m", "stephost", "--version"), "stephost ")
}

// TestTarget: `pip install --target` moves what it installs; program and flavors
// still find each other, and the package its program.
func TestTarget(t *testing.T) {
	e := installed(t, newest(t), wheels(t, "stephost"))
	dir := place(t)
	target := filepath.Join(dir, "target")
	output(t, environ(t, e), dir, newest(t).Path, "-m", "pip", "install", "--quiet", "--no-index", "--target", target, wheels(t, "stephost")[0])
	bare, err := venvs.Fresh(testContext(t), newest(t), filepath.Join(dir, "bare"), nil)
	require.NoError(t, err)
	env := environ(t, bare, "PYTHONPATH="+target)
	assert.Equal(t, filepath.Join(target, "bin", "stephost")+"\n", output(t, env, dir, bare.Python, "-c", "import stephost; print(stephost.binary())"))
	assert.Contains(t, output(t, env, dir, filepath.Join(target, "bin", "stephost"), "flavor", "list"), "local")
}

// TestGroupWritable: with umask 002 an installer leaves programs that their group may
// write.
func TestGroupWritable(t *testing.T) {
	e := installed(t, newest(t), wheels(t, "stephost"))
	for _, path := range []string{filepath.Join(e.Bin, "stephost"), filepath.Join(e.Dir, "libexec/stephost/stephost-host"), filepath.Join(e.Dir, "libexec/stephost/plugins/stephost-flavor-local")} {
		require.NoError(t, os.Chmod(path, 0o775))
	}
	env := environ(t, e)
	stephost := filepath.Join(e.Bin, "stephost")
	output(t, env, t.TempDir(), stephost, "operator", "register", "here", "--flavor=local")
	assert.Equal(t, "ok\n", output(t, env, t.TempDir(), stephost, "launch", "--operator", "here", "--", "echo", "ok"))
}

// TestReproducible: the same programs give the same bytes, and SOURCE_DATE_EPOCH is
// the only time in them.
func TestReproducible(t *testing.T) {
	first := wheels(t)
	sums := func(epoch string) (sums [][32]byte) {
		t.Setenv("SOURCE_DATE_EPOCH", epoch)
		dist := t.TempDir()
		require.NoError(t, makeWheels(testContext(t), absolute(t, "../.."), filepath.Join(programs, "bin"), dist))
		for _, w := range first {
			data, err := os.ReadFile(filepath.Join(dist, filepath.Base(w)))
			require.NoError(t, err)
			sums = append(sums, sha256.Sum256(data))
		}
		return sums
	}
	a := sums("1700000000")
	assert.Equal(t, a, sums("1700000000"))
	assert.NotEqual(t, a, sums("1800000000"))
}

// TestWheelsAreRight: what index and installers check.
func TestWheelsAreRight(t *testing.T) {
	p := ofMinor(t, 11, 14)
	e, err := venvs.Pinned(testContext(t), p, "pins/lint.txt")
	require.NoError(t, err)
	all := wheels(t)
	env := append(os.Environ(), "PYTHONWARNINGS=ignore")
	// W007 speaks of a wheel without a package, which a flavor's wheel is meant to be.
	for _, w := range all {
		argv := []string{filepath.Join(e.Bin, "check-wheel-contents"), w}
		if strings.Contains(filepath.Base(w), "_flavor_") {
			argv = append(argv, "--ignore", "W007")
		}
		output(t, env, t.TempDir(), argv...)
	}
	output(t, env, t.TempDir(), append([]string{filepath.Join(e.Bin, "twine"), "check", "--strict"}, all...)...)
	// RECORD and the tags as a library reads them.
	for _, w := range all {
		output(t, env, t.TempDir(), e.Python, "-m", "wheel", "unpack", "--dest", t.TempDir(), w)
	}
	for _, tag := range []string{"manylinux_2_17_x86_64", "musllinux_1_1_x86_64"} {
		script := "import sys; from packaging.utils import parse_wheel_filename as p; from packaging.tags import parse_tag\n" +
			"tags = p(sys.argv[1])[3]; sys.exit(not parse_tag('py3-none-" + tag + "') <= tags)"
		for _, w := range all {
			if strings.Contains(filepath.Base(w), "x86_64") {
				output(t, env, t.TempDir(), e.Python, "-c", script, filepath.Base(w))
			}
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	require.NoError(t, err)
	return abs
}

func newest(t *testing.T) venvs.Python {
	all := pythons(t)
	return all[len(all)-1]
}

// ends are the oldest and the newest.
func ends(all []venvs.Python) []venvs.Python {
	if len(all) == 1 {
		return all
	}
	return []venvs.Python{all[0], all[len(all)-1]}
}
