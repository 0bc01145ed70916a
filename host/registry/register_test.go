package registry_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/registry"
)

func TestRegisterFile(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	f, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Equal(t, "alpha@0.1.0", f.Ref())
	assert.Equal(t, registry.Registered, f.Status)
	assert.Equal(t, registry.KindELF, f.Artifact.Kind)
	assert.Equal(t, "linux", f.Artifact.OS)
	assert.Len(t, f.Artifact.SHA256, 64)
	assert.NoFileExists(t, filepath.Join(s.dir, "ran"), "registering runs nothing")

	info, err := os.Stat(f.Artifact.Path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o500), info.Mode().Perm())
	assert.Equal(t, filepath.Join(s.home.Artifacts(), f.Artifact.SHA256, "stephost-flavor-alpha"), f.Artifact.Path)
	for _, dir := range []string{s.home.Artifacts(), s.home.Flavors(), filepath.Dir(f.Artifact.Path)} {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), dir)
	}

	m, err := f.Manifest(ctx)
	require.NoError(t, err)
	assert.Equal(t, "alpha", m.Name)
	assert.Equal(t, f.ManifestDigest, m.Digest)

	again, err := s.reg.Flavor(ctx, "alpha")
	require.NoError(t, err)
	ex, err := s.reg.Executable(ctx, again)
	require.NoError(t, err)
	defer ex.Close()
	assert.False(t, ex.Hashed, "the stat tuple is enough")
	assert.NotNil(t, ex.File)
	assert.Equal(t, []string{f.Artifact.Path}, ex.Argv)
	assert.Equal(t, "tool\n", run(t, ex))
}

func TestRegisterAgain(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	f1, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	f2, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Equal(t, f1.Artifact.SHA256, f2.Artifact.SHA256)
	assert.Equal(t, f1.At, f2.At)

	plugin(t, s.dir, "alpha", "0.1.0", "other bytes")
	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	p := problemOf(t, err)
	assert.Equal(t, "flavor alpha@0.1.0: it is registered already, with another implementation", p.Error())
	assert.Contains(t, p.Next, "stephost flavor register --replace "+path)

	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{DryRun: true})
	assert.ErrorContains(t, err, "with another implementation")

	f3, err := s.reg.Register(ctx, path, registry.RegisterOptions{Replace: true})
	require.NoError(t, err)
	assert.NotEqual(t, f1.Artifact.SHA256, f3.Artifact.SHA256)
	assert.FileExists(t, f1.Artifact.Path, "a living run may still need it")
	removed, err := s.reg.Prune(ctx, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{f1.Artifact.SHA256}, removed)
	assert.NoFileExists(t, f1.Artifact.Path)

	write(t, path+".flavor.hcl", manifestText("alpha", "0.1.0", "# changed"), 0o644)
	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	assert.ErrorContains(t, err, "with another manifest")
}

func TestRegisterRepairsTheStore(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	f, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	require.NoError(t, os.Remove(f.Artifact.Path))
	write(t, f.Artifact.Path, "damaged", 0o500)
	f, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	require.NoError(t, ex.Close())
	assert.False(t, ex.Hashed)
}

func TestRegisterManifestAlone(t *testing.T) {
	s := setup(t)
	alone := write(t, filepath.Join(s.dir, "elsewhere", "alpha.flavor.hcl"), manifestText("alpha", "0.1.0", ""), 0o644)
	f, err := s.reg.Register(ctx, alone, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Nil(t, f.Artifact)
	_, err = f.Manifest(ctx)
	require.NoError(t, err)
	_, err = s.reg.Executable(ctx, f)
	p := problemOf(t, err)
	assert.Equal(t, "flavor alpha@0.1.0: only its manifest is registered; the implementation is missing", p.Error())
	assert.Contains(t, p.Next, "stephost flavor register")

	full, err := s.reg.Register(ctx, plugin(t, s.dir, "alpha", "0.1.0", ""), registry.RegisterOptions{})
	require.NoError(t, err, "its implementation may come later")
	assert.NotNil(t, full.Artifact)
	kept, err := s.reg.Register(ctx, alone, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.NotNil(t, kept.Artifact, "the manifest alone takes nothing away")
}

func TestRegisterScript(t *testing.T) {
	s := setup(t)
	f, err := s.reg.Register(ctx, python(t, s.dir, "beta", "0.1.0"), registry.RegisterOptions{})
	require.NoError(t, err)
	in := f.Artifact.Interpreter
	require.NotNil(t, in)
	assert.True(t, filepath.IsAbs(in.Path))
	assert.Regexp(t, `^3\.\d+`, in.Version)
	assert.Len(t, in.SHA256, 64)
	assert.Contains(t, f.Unpinned()[0], in.Path)

	t.Setenv("PATH", "/nonexistent") // resolved once: PATH is not asked again
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	defer ex.Close()
	assert.Nil(t, ex.File, "a script runs by its store path")
	assert.Equal(t, []string{in.Path, f.Artifact.Path, "--serve"}, ex.Argv)
	assert.Equal(t, []string{"PYTHONDONTWRITEBYTECODE=1"}, ex.Env)
	assert.Contains(t, run(t, ex), "--serve")
}

func TestRegisterShebang(t *testing.T) {
	s := setup(t)
	path := write(t, filepath.Join(s.dir, "gamma"), "#!/usr/bin/env python3\nopen('ran','w')\n", 0o755)
	write(t, path+".flavor.hcl", manifestText("gamma", "1.0.0", ""), 0o644)
	f, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.Equal(t, []string{f.Artifact.Interpreter.Path, f.Artifact.Path}, ex.Argv)
	assert.NotEqual(t, "env", filepath.Base(ex.Argv[0]))
	run(t, ex)
}

func TestRegisterDirectory(t *testing.T) {
	s := setup(t)
	dir := filepath.Join(s.dir, "delta")
	write(t, filepath.Join(dir, "flavor.hcl"), manifestText("delta", "0.1.0", `
  exec {
    command = ["{interpreter:python3}", "{dir}/main.py"]
  }`), 0o644)
	write(t, filepath.Join(dir, "main.py"), "from pkg import name\nopen('ran','w')\nprint(name)\n", 0o644)
	write(t, filepath.Join(dir, "pkg", "__init__.py"), "name = 'delta'\n", 0o644)
	require.NoError(t, os.Symlink("main.py", filepath.Join(dir, "link.py")))
	f, err := s.reg.Register(ctx, dir, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Equal(t, registry.KindDirectory, f.Artifact.Kind)
	require.NoError(t, os.RemoveAll(dir), "the store's copy is enough")

	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.False(t, ex.Hashed)
	assert.Equal(t, "delta\n", run(t, ex))
	ex, err = s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.False(t, ex.Hashed, "running it changed nothing in the store")

	stored := filepath.Join(f.Artifact.Path, "pkg", "__init__.py")
	require.NoError(t, os.Chmod(stored, 0o600))
	ex, err = s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.True(t, ex.Hashed, "its stat changed, its content did not")
	require.NoError(t, os.WriteFile(stored, []byte("name = 'evil!'\n"), 0o600))
	_, err = s.reg.Executable(ctx, f)
	var pin *registry.PinError
	require.ErrorAs(t, err, &pin)
	assert.Equal(t, f.Artifact.SHA256, pin.Want)
	assert.NotEqual(t, pin.Want, pin.Got)
	require.NoError(t, s.reg.DeleteFlavor(ctx, "delta", nil))
	assert.NoDirExists(t, f.Artifact.Path)
}

func TestRegisterDirectoryWithProgram(t *testing.T) {
	s := setup(t)
	dir := filepath.Join(s.dir, "epsilon")
	write(t, filepath.Join(dir, "flavor.hcl"), manifestText("epsilon", "0.1.0", ""), 0o644)
	_, err := s.reg.Register(ctx, dir, registry.RegisterOptions{})
	p := problemOf(t, err)
	assert.Contains(t, p.Summary, "nothing says which program in")
	program := write(t, filepath.Join(dir, "bin", "epsilon"), string(toolBytes(t)), 0o644)
	_, err = s.reg.Register(ctx, dir, registry.RegisterOptions{})
	p = problemOf(t, err)
	assert.Equal(t, program+" is not executable", p.Summary)
	assert.Equal(t, "run: chmod u+x "+program, p.Next)
	require.NoError(t, os.Chmod(program, 0o755))
	f, err := s.reg.Register(ctx, dir, registry.RegisterOptions{})
	require.NoError(t, err)
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(f.Artifact.Path, "bin", "epsilon"), ex.Argv[0])
	run(t, ex)
}

func TestDev(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	_, err := s.reg.Register(ctx, path, registry.RegisterOptions{Dev: true})
	require.NoError(t, err)
	f, err := s.reg.Flavor(ctx, "alpha")
	require.NoError(t, err)
	assert.Equal(t, registry.Dev, f.Status)
	require.NotEmpty(t, f.Warnings)
	assert.Contains(t, f.Warnings[0], "it is not pinned")
	assert.NoDirExists(t, s.home.Artifacts(), "nothing is copied")

	// Other bytes and another manifest are used without further ado.
	plugin(t, s.dir, "alpha", "0.1.0", "changed")
	write(t, path+".flavor.hcl", strings.Replace(manifestText("alpha", "0.1.0", ""), "in a test", "in another test", 1), 0o644)
	m, err := f.Manifest(ctx)
	require.NoError(t, err)
	assert.Contains(t, m.Summary, "in another test")
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.Equal(t, []string{path}, ex.Argv)
	assert.NotEmpty(t, ex.Warnings)
	run(t, ex)

	write(t, path+".flavor.hcl", manifestText("alpha", "0.2.0", ""), 0o644)
	_, err = f.Manifest(ctx)
	assert.Contains(t, problemOf(t, err).Next, "stephost flavor register --dev "+path)

	// A registration takes its place without --replace.
	write(t, path+".flavor.hcl", manifestText("alpha", "0.1.0", ""), 0o644)
	f, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Equal(t, registry.Registered, f.Status)
}

func TestCrashLeavesNothingVisible(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	// What a process that died while copying, and one that died before the
	// record's rename, leave behind.
	half := filepath.Join(s.home.Artifacts(), ".staging-dead", "stephost-flavor-alpha")
	write(t, half, "half", 0o600)
	write(t, filepath.Join(s.home.Flavors(), "alpha", "0.1.0", "manifest-000000000000.hcl"), "x", 0o600)
	write(t, filepath.Join(s.home.Flavors(), "alpha", "0.1.0", ".staging-1"), "{", 0o600)
	list, err := s.reg.Flavors(ctx)
	require.NoError(t, err)
	assert.Empty(t, list)
	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.FileExists(t, half, "it could be another process's")

	old := fixedTime()
	require.NoError(t, os.Chtimes(filepath.Dir(half), old, old))
	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.NoFileExists(t, half, "after a day it is nobody's")
}

// A copy that is being made is left alone; once its writer is gone, the next
// registration removes it.
func TestDeadWritersCopyIsSwept(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	half := write(t, filepath.Join(s.home.Artifacts(), ".staging-writer", "stephost-flavor-alpha"), "half", 0o600)
	lock := flock.New(filepath.Dir(half) + ".lock")
	require.NoError(t, lock.Lock())
	_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.FileExists(t, half, "its writer lives")
	require.NoError(t, lock.Close())
	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	entries, err := os.ReadDir(s.home.Artifacts())
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing but the artifact")
}

func TestDamagedRecord(t *testing.T) {
	s := setup(t)
	for _, name := range []string{"alpha", "beta"} {
		_, err := s.reg.Register(ctx, plugin(t, s.dir, name, "0.1.0", name), registry.RegisterOptions{})
		require.NoError(t, err)
	}
	rec := filepath.Join(s.home.Flavors(), "alpha", "0.1.0", "record.json")
	for text, want := range map[string]string{
		"{":                         "is damaged",
		`{"record": 99}`:            "was written by a newer stephost",
		`{"record": 1, "name":"x"}`: "is damaged",
		`{"record":1,"name":"alpha","version":"0.1.0","manifest":"m.hcl","artifact":{"path":"../../x"}}`: "outside of the home",
	} {
		require.NoError(t, os.WriteFile(rec, []byte(text), 0o600))
		list, err := s.reg.Flavors(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.ErrorContains(t, list[0].Err, want)
		assert.NoError(t, list[1].Err, "a bad one harms only itself")
		_, err = s.reg.Flavor(ctx, "alpha")
		require.ErrorContains(t, err, want)
		_, err = s.reg.Register(ctx, filepath.Join(s.dir, "stephost-flavor-alpha"), registry.RegisterOptions{})
		require.ErrorContains(t, err, want)
		if want != "was written by a newer stephost" {
			assert.Equal(t, "register the flavor again with --replace, or forget it: stephost flavor delete alpha@0.1.0", problemOf(t, err).Next)
		}
	}
	f, err := s.reg.Register(ctx, filepath.Join(s.dir, "stephost-flavor-alpha"), registry.RegisterOptions{Replace: true})
	require.NoError(t, err)
	assert.NoError(t, f.Err)
}

func TestReadOnlyHome(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "file"), "", 0o600)
	r := registry.New(home.At(filepath.Join(file, "home")), registry.Options{})
	_, err := r.Register(ctx, plugin(t, t.TempDir(), "alpha", "0.1.0", ""), registry.RegisterOptions{})
	assert.Contains(t, problemOf(t, err).Next, "set STEPHOST_HOME")
}
