package registry_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/registry"
)

func TestPin(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	f, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	stored := f.Artifact.Path

	t.Run("touched", func(t *testing.T) {
		require.NoError(t, os.Chtimes(stored, fixedTime(), fixedTime()))
		ex, err := s.reg.Executable(ctx, f)
		require.NoError(t, err)
		assert.True(t, ex.Hashed, "another stat tuple means a full hash")
		run(t, ex)
		require.NoError(t, ex.Close())
		f, err = s.reg.Flavor(ctx, "alpha")
		require.NoError(t, err)
		ex, err = s.reg.Executable(ctx, f)
		require.NoError(t, err)
		assert.False(t, ex.Hashed, "the new tuple was recorded")
		require.NoError(t, ex.Close())
	})
	t.Run("replaced after the check", func(t *testing.T) {
		ex, err := s.reg.Executable(ctx, f)
		require.NoError(t, err)
		good, err := os.ReadFile(stored)
		require.NoError(t, err)
		require.NoError(t, os.Rename(stored, stored+".away"))
		write(t, stored, "#!/bin/false\n", 0o500)
		assert.Equal(t, "tool\n", run(t, ex), "the checked descriptor runs, not what took its name")
		require.NoError(t, ex.Close())
		require.NoError(t, os.Remove(stored))
		write(t, stored, string(good), 0o500)
	})
	t.Run("writable by others", func(t *testing.T) {
		require.NoError(t, os.Chmod(stored, 0o722))
		_, err := s.reg.Executable(ctx, f)
		var pin *registry.PinError
		require.ErrorAs(t, err, &pin)
		assert.Equal(t, "others may change it now", pin.What)
		assert.Equal(t, "find out who changed its mode; then run: chmod go-w "+stored, problemOf(t, err).Next)
		require.NoError(t, os.Chmod(stored, 0o500))
	})
	t.Run("tampered", func(t *testing.T) {
		good, err := os.ReadFile(stored)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(stored, 0o700))
		bad := append([]byte(nil), good...)
		bad[len(bad)-1] ^= 1
		require.NoError(t, os.WriteFile(stored, bad, 0o700))
		_, err = s.reg.Executable(ctx, f)
		var pin *registry.PinError
		require.ErrorAs(t, err, &pin)
		assert.Equal(t, "its content changed", pin.What)
		assert.Equal(t, "flavor alpha@0.1.0: "+stored+" is not what was pinned: its content changed", err.Error())
		p := problemOf(t, err)
		assert.Equal(t, "Pinned was sha256:"+pin.Want+", found was sha256:"+pin.Got+". It was not started.", p.Detail)
		assert.Equal(t, "find out who changed it; to restore what was pinned, run: stephost flavor register "+path+
			" (if that file changed too, --replace accepts it)", p.Next)

		results, err := s.reg.Verify(ctx, "alpha")
		require.NoError(t, err)
		require.Len(t, results, 1)
		assert.ErrorAs(t, results[0].Err, &pin)
	})
	t.Run("missing", func(t *testing.T) {
		require.NoError(t, os.Remove(stored))
		_, err := s.reg.Executable(ctx, f)
		var pin *registry.PinError
		require.ErrorAs(t, err, &pin)
		assert.Equal(t, "it is missing", pin.What)
	})
	t.Run("manifest changed", func(t *testing.T) {
		dir := filepath.Join(s.home.Flavors(), "alpha", "0.1.0")
		matches, err := filepath.Glob(filepath.Join(dir, "manifest-*.hcl"))
		require.NoError(t, err)
		require.Len(t, matches, 1)
		require.NoError(t, os.WriteFile(matches[0], []byte(manifestText("alpha", "0.1.0", "# hm")), 0o600))
		f, err := s.reg.Flavor(ctx, "alpha@0.1.0")
		require.NoError(t, err)
		_, err = f.Manifest(ctx)
		var pin *registry.PinError
		require.ErrorAs(t, err, &pin)
		assert.Equal(t, "the manifest was changed", pin.What)
	})
}

func TestVerify(t *testing.T) {
	s := setup(t)
	for _, name := range []string{"alpha", "beta"} {
		_, err := s.reg.Register(ctx, plugin(t, s.dir, name, "0.1.0", name), registry.RegisterOptions{VerifyAlways: name == "beta"})
		require.NoError(t, err)
	}
	_, err := s.reg.Register(ctx, plugin(t, s.dir, "gamma", "0.1.0", ""), registry.RegisterOptions{Dev: true})
	require.NoError(t, err)
	results, err := s.reg.Verify(ctx, "")
	require.NoError(t, err)
	require.Len(t, results, 2)
	for _, v := range results {
		assert.NoError(t, v.Err)
	}
	_, err = s.reg.Verify(ctx, "gamma")
	assert.ErrorContains(t, err, "there is nothing to verify: it is dev, not pinned")
	_, err = s.reg.Verify(ctx, "nothing")
	assert.ErrorContains(t, err, `there is no flavor "nothing"`)

	f, err := s.reg.Flavor(ctx, "beta")
	require.NoError(t, err)
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.True(t, ex.Hashed, "its registration asked for it")
	require.NoError(t, ex.Close())
}

func TestInterpreterChanges(t *testing.T) {
	s := setup(t)
	bin := t.TempDir()
	fake := func(version string) {
		write(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho Python "+version+"\n", 0o755)
	}
	fake("3.9.1")
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	path := filepath.Join(s.dir, "beta.py")
	write(t, path, "x = 1\n", 0o644)
	write(t, path+".flavor.hcl", manifestText("beta", "0.1.0", `
  exec {
    command = ["{interpreter:python3>=3.9,<3.12}", "-u", "{file}"]
  }`), 0o644)
	f, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Equal(t, "3.9.1", f.Artifact.Interpreter.Version)

	fake("3.11.20") // the system's update
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(bin, "python3"), "-u", f.Artifact.Path}, ex.Argv)
	require.Len(t, ex.Warnings, 1)
	assert.Contains(t, ex.Warnings[0], "changed since it was registered")
	f, err = s.reg.Flavor(ctx, "beta")
	require.NoError(t, err)
	assert.Equal(t, "3.11.20", f.Artifact.Interpreter.Version, "said once, then recorded")
	ex, err = s.reg.Executable(ctx, f)
	require.NoError(t, err)
	assert.Empty(t, ex.Warnings)

	fake("3.12.0")
	_, err = s.reg.Executable(ctx, f)
	assert.ErrorContains(t, err, "the interpreter is version 3.12.0 now, >=3.9,<3.12 is needed")
	require.NoError(t, os.Remove(filepath.Join(bin, "python3")))
	_, err = s.reg.Executable(ctx, f)
	var pin *registry.PinError
	require.ErrorAs(t, err, &pin)
	assert.Equal(t, "the interpreter is missing", pin.What)
}

func TestInterpreterTooOld(t *testing.T) {
	s := setup(t)
	bin := t.TempDir()
	write(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho Python 3.6.8 >&2\n", 0o755)
	t.Setenv("PATH", bin)
	path := write(t, filepath.Join(s.dir, "beta.py"), "x = 1\n", 0o644)
	write(t, path+".flavor.hcl", manifestText("beta", "0.1.0", "exec {\n command = [\"{interpreter:python3>=3.10}\", \"{file}\"]\n}"), 0o644)
	_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	p := problemOf(t, err)
	assert.Equal(t, "the flavor needs the interpreter python3>=3.10", p.Error())
	assert.Equal(t, "Found: "+filepath.Join(bin, "python3")+" is 3.6.8.", p.Detail)
	write(t, filepath.Join(bin, "python3.11"), "#!/bin/sh\necho Python 3.11.2\n", 0o755)
	f, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(bin, "python3.11"), f.Artifact.Interpreter.Path)
}
