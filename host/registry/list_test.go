package registry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/registry"
)

func refs(list []*registry.Flavor) []string {
	var out []string
	for _, f := range list {
		bad := ""
		if f.Err != nil {
			bad = " !"
		}
		out = append(out, f.Ref()+" "+string(f.Status)+bad)
	}
	return out
}

func TestVersionsSideBySide(t *testing.T) {
	s := setup(t)
	for _, v := range []string{"0.9.0", "0.10.0", "0.10.0-rc.1"} {
		_, err := s.reg.Register(ctx, plugin(t, s.dir, "alpha", v, v), registry.RegisterOptions{})
		require.NoError(t, err)
	}
	list, err := s.reg.Flavors(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"alpha@0.10.0 registered", "alpha@0.10.0-rc.1 registered", "alpha@0.9.0 registered"}, refs(list))
	f, err := s.reg.Flavor(ctx, "alpha")
	require.NoError(t, err)
	assert.Equal(t, "0.10.0", f.Version)
	_, err = s.reg.Register(ctx, plugin(t, s.dir, "alpha", "1.0.0-rc.1", "rc"), registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = s.reg.Register(ctx, plugin(t, s.dir, "young", "1.0.0-rc.1", ""), registry.RegisterOptions{})
	require.NoError(t, err)
	f, err = s.reg.Flavor(ctx, "alpha")
	require.NoError(t, err)
	assert.Equal(t, "0.10.0", f.Version, "no pre-release beside a release")
	f, err = s.reg.Flavor(ctx, "young")
	require.NoError(t, err)
	assert.Equal(t, "1.0.0-rc.1", f.Version, "where there is nothing else")
	f, err = s.reg.Flavor(ctx, "alpha@0.9.0")
	require.NoError(t, err)
	assert.Equal(t, "0.9.0", f.Version)

	_, err = s.reg.Flavor(ctx, "alpha@7.0.0")
	p := problemOf(t, err)
	assert.Equal(t, `there is no flavor "alpha@7.0.0"`, p.Error())
	assert.Equal(t, "Of alpha there is: 1.0.0-rc.1, 0.10.0, 0.10.0-rc.1, 0.9.0.", p.Detail)
	_, err = s.reg.Flavor(ctx, "alhpa")
	assert.Equal(t, "did you mean alpha?", problemOf(t, err).Next)
	_, err = s.reg.Flavor(ctx, "./alpha")
	assert.Error(t, err)
}

func TestDropIns(t *testing.T) {
	s := setup(t)
	drop := s.home.Plugins()
	plugin(t, drop, "alpha", "0.1.0", "")
	plugin(t, drop, "beta", "0.1.0", "")
	write(t, filepath.Join(drop, "gamma.flavor.hcl"), manifestText("gamma", "0.1.0", ""), 0o644)
	dir := filepath.Join(drop, "delta")
	write(t, filepath.Join(dir, "flavor.hcl"), manifestText("delta", "0.1.0", "exec {\n command = [\"{interpreter:python3}\", \"{dir}/main.py\"]\n}"), 0o644)
	write(t, filepath.Join(dir, "main.py"), "", 0o644)
	write(t, filepath.Join(drop, "README.md"), "not a plugin", 0o644)
	write(t, filepath.Join(drop, "stephost-flavor-broken"), "garbage", 0o755)
	bad := write(t, filepath.Join(drop, "stephost-flavor-worse"), string(toolBytes(t)), 0o755)
	write(t, bad+".flavor.hcl", "flavor \"worse\" {\n", 0o644)
	mkfifo(t, filepath.Join(drop, "stephost-flavor-pipe"))

	want := []string{"alpha@0.1.0 available", "beta@0.1.0 available", "broken available !", "delta@0.1.0 available",
		"gamma@0.1.0 available", "pipe available !", "worse available !"}
	for range 2 { // scanned, then from the cache
		list, err := s.reg.Flavors(ctx)
		require.NoError(t, err)
		assert.Equal(t, want, refs(list))
	}
	f, err := s.reg.Flavor(ctx, "alpha")
	require.NoError(t, err)
	m, err := f.Manifest(ctx)
	require.NoError(t, err)
	assert.Equal(t, "alpha", m.Name, "an available flavor can be described")
	_, err = s.reg.Executable(ctx, f)
	assert.Equal(t, "register it: stephost flavor register "+f.From, problemOf(t, err).Next)
	_, err = s.reg.Flavor(ctx, "broken")
	assert.Error(t, err)

	results, err := s.reg.RegisterAll(ctx, registry.RegisterOptions{})
	require.NoError(t, err)
	good := 0
	for _, res := range results {
		if res.Err == nil {
			good++
		}
	}
	assert.Equal(t, 4, good)
	assert.Len(t, results, 7)
	list, err := s.reg.Flavors(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{"alpha@0.1.0 registered", "beta@0.1.0 registered", "broken available !", "delta@0.1.0 registered",
		"gamma@0.1.0 registered", "pipe available !", "worse available !"}, refs(list))

	// A cleared cache costs a scan, nothing else.
	require.NoError(t, os.RemoveAll(s.home.Cache()))
	plugin(t, drop, "zeta", "0.1.0", "")
	f, err = s.reg.Flavor(ctx, "zeta")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(s.home.Cache()))
	_, err = f.Manifest(ctx)
	require.NoError(t, err)
}

// A drop-in that changed without a new version is said, and only until it is known
// to be the same.
func TestDropInChanged(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.home.Plugins(), "alpha", "0.1.0", "")
	note := func() string {
		list, err := s.reg.Flavors(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"alpha@0.1.0 registered"}, refs(list))
		return list[0].Note
	}
	_, err := s.reg.RegisterAll(ctx, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Empty(t, note())

	write(t, path, string(toolBytes(t)), 0o755)
	assert.Equal(t, path+" was written anew since it was registered as alpha@0.1.0. To see whether it changed, run: stephost flavor register "+path, note())
	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.NoError(t, err)
	assert.Empty(t, note())

	write(t, path, string(toolBytes(t))+"more", 0o755)
	assert.Contains(t, note(), "stephost flavor register --replace "+path)
	write(t, path, string(toolBytes(t)), 0o755)
	write(t, path+".flavor.hcl", manifestText("alpha", "0.1.0", "# more"), 0o644)
	assert.Contains(t, note(), "has other bytes than alpha@0.1.0")
}

func TestScanCacheSeesChanges(t *testing.T) {
	s := setup(t)
	drop := s.home.Plugins()
	path := plugin(t, drop, "alpha", "0.1.0", "")
	old := fixedTime()
	for _, p := range []string{path, path + ".flavor.hcl"} {
		require.NoError(t, os.Chtimes(p, old, old))
	}
	version := func() string {
		list, err := s.reg.Flavors(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0].Version
	}
	require.Equal(t, "0.1.0", version())
	// The same size and time: inode and change time still differ.
	write(t, path+".flavor.hcl", manifestText("alpha", "0.2.0", ""), 0o644)
	require.NoError(t, os.Chtimes(path+".flavor.hcl", old, old))
	assert.Equal(t, "0.2.0", version())
}

func TestShipped(t *testing.T) {
	s := setup(t)
	shipped := filepath.Join(s.dir, "shipped")
	host := write(t, filepath.Join(shipped, "stephost"), "the host itself", 0o755)
	path := plugin(t, shipped, "alpha", "0.1.0", "")
	r := registry.New(s.home, registry.Options{Shipped: shipped, Host: host})
	get := func() *registry.Flavor {
		f, err := r.Flavor(ctx, "alpha")
		require.NoError(t, err)
		return f
	}
	f := get()
	assert.Equal(t, registry.Shipped, f.Status)
	_, err := f.Manifest(ctx)
	require.NoError(t, err)
	assert.NoDirExists(t, s.home.Artifacts(), "looking pins nothing")

	ex, err := r.Executable(ctx, f)
	require.NoError(t, err)
	run(t, ex)
	first := ex.SHA256
	require.NoError(t, ex.Close())
	f = get()
	assert.Equal(t, registry.Shipped, f.Status)
	assert.Equal(t, first, f.Artifact.SHA256, "pinned at its first use")

	// Touched, with the same bytes: still fine.
	require.NoError(t, os.Chtimes(path, fixedTime(), fixedTime()))
	ex, err = r.Executable(ctx, get())
	require.NoError(t, err)
	require.NoError(t, ex.Close())

	// Swapped alone: refused.
	plugin(t, shipped, "alpha", "0.1.0", "swapped")
	_, err = r.Executable(ctx, get())
	var pin *registry.PinError
	require.ErrorAs(t, err, &pin)
	assert.Equal(t, "it changed since its first use, and stephost did not", pin.What)
	assert.Equal(t, first, pin.Want)
	assert.Equal(t, "find out who changed it; to accept it, run: stephost flavor register --replace "+path, problemOf(t, err).Next)

	// Together with stephost: an update.
	write(t, host, "a newer host", 0o755)
	ex, err = r.Executable(ctx, get())
	require.NoError(t, err)
	assert.NotEqual(t, first, ex.SHA256)
	require.NoError(t, ex.Close())

	// A person's registration of the same version wins.
	own := plugin(t, s.dir, "alpha", "0.1.0", "own")
	_, err = r.Register(ctx, own, registry.RegisterOptions{Replace: true})
	require.NoError(t, err)
	assert.Equal(t, registry.Registered, get().Status)
	require.NoError(t, r.DeleteFlavor(ctx, "alpha@0.1.0", nil))
	assert.Equal(t, registry.Shipped, get().Status, "and without it the shipped one is back")
}

// TestShippedUnderUmask002: an installer leaves stephost and its flavors alike.
func TestShippedUnderUmask002(t *testing.T) {
	for _, tc := range []struct {
		name         string
		host, plugin os.FileMode
		refused      bool
	}{
		{"both writable for their group", 0o775, 0o775, false},
		{"the flavor alone", 0o755, 0o775, true},
		{"the flavor for everybody", 0o777, 0o777, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			host := write(t, filepath.Join(s.dir, "bin", "stephost"), "the host itself", 0o755)
			shipped := filepath.Join(s.dir, "libexec")
			require.NoError(t, os.Chmod(host, tc.host))
			require.NoError(t, os.Chmod(plugin(t, shipped, "alpha", "0.1.0", ""), tc.plugin))
			r := registry.New(s.home, registry.Options{Shipped: shipped, Host: host})
			f, err := r.Flavor(ctx, "alpha")
			require.NoError(t, err)
			ex, err := r.Executable(ctx, f)
			if tc.refused {
				require.ErrorContains(t, err, "can be changed by others")
				return
			}
			require.NoError(t, err)
			require.NoError(t, ex.Close())
		})
	}
}

func TestDeleteFlavor(t *testing.T) {
	s := setup(t)
	for _, v := range []string{"0.1.0", "0.2.0"} {
		_, err := s.reg.Register(ctx, plugin(t, s.dir, "alpha", v, "same"), registry.RegisterOptions{})
		require.NoError(t, err)
	}
	err := s.reg.DeleteFlavor(ctx, "alpha", nil)
	assert.ErrorContains(t, err, "there are several versions of alpha")
	err = s.reg.DeleteFlavor(ctx, "alpha@0.1.0", func(name, version string) bool { return name == "alpha" && version == "0.1.0" })
	assert.EqualError(t, err, "flavor alpha@0.1.0: it is in use by a run")
	_, err = s.reg.PutOperator(ctx, registry.OperatorSpec{Name: "gpu", Flavor: "alpha@0.2.0"}, registry.WriteOptions{})
	require.NoError(t, err)
	err = s.reg.DeleteFlavor(ctx, "alpha@0.2.0", nil)
	assert.EqualError(t, err, "flavor alpha@0.2.0: it is in use by operator gpu")

	f, err := s.reg.Flavor(ctx, "alpha@0.2.0")
	require.NoError(t, err)
	require.NoError(t, s.reg.DeleteFlavor(ctx, "alpha@0.1.0", nil))
	assert.FileExists(t, f.Artifact.Path, "both versions have the same bytes")
	require.NoError(t, s.reg.DeleteOperator(ctx, "gpu", nil))
	require.NoError(t, s.reg.DeleteFlavor(ctx, "alpha", nil))
	assert.NoFileExists(t, f.Artifact.Path)
	for _, ref := range []string{"alpha", "../alpha", "alpha@../..", "alpha@0.1.0"} {
		assert.ErrorContains(t, s.reg.DeleteFlavor(ctx, ref, nil), "there is no flavor", ref)
	}
}

func TestEmptyHome(t *testing.T) {
	h := home.At(filepath.Join(t.TempDir(), "home"))
	r := registry.New(h, registry.Options{})
	list, err := r.Flavors(ctx)
	require.NoError(t, err)
	assert.Empty(t, list)
	_, err = r.Flavor(ctx, "local")
	assert.Equal(t, "register one: stephost flavor register PATH", problemOf(t, err).Next)
	operators, err := r.Operators(ctx)
	require.NoError(t, err)
	assert.Empty(t, operators)
	assert.NoDirExists(t, h.Root(), "reading creates nothing")
}

func BenchmarkFlavors(b *testing.B) {
	h := home.At(filepath.Join(b.TempDir(), "home"))
	defer writable(h.Root())
	dir := b.TempDir()
	r := registry.New(h, registry.Options{Shipped: dir})
	for i := range 7 {
		path := filepath.Join(dir, fmt.Sprintf("f%d", i))
		write(b, path+".flavor.hcl", manifestText(fmt.Sprintf("flavor%d", i), "0.1.0", ""), 0o644)
		write(b, path, "#!/usr/bin/env python3\n", 0o755)
		_, err := r.Register(ctx, path, registry.RegisterOptions{})
		require.NoError(b, err)
	}
	b.ResetTimer()
	for range b.N {
		list, err := r.Flavors(ctx)
		if err != nil || len(list) != 7 {
			b.Fatal(len(list), err)
		}
	}
}

func BenchmarkFlavorsDropIn(b *testing.B) {
	h := home.At(filepath.Join(b.TempDir(), "home"))
	r := registry.New(h, registry.Options{})
	old := fixedTime()
	for i := range 7 {
		path := plugin(b, h.Plugins(), fmt.Sprintf("flavor%d", i), "0.1.0", "")
		require.NoError(b, os.Chtimes(path, old, old))
	}
	waitRacy(b, r)
	b.ResetTimer()
	for range b.N {
		list, err := r.Flavors(ctx)
		if err != nil || len(list) != 7 {
			b.Fatal(len(list), err)
		}
	}
}

// waitRacy lists until the files are old enough for the cache to keep them.
func waitRacy(b *testing.B, r *registry.Registry) {
	b.Helper()
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		if _, err := r.Flavors(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutOperator(b *testing.B) {
	r := registry.New(home.At(filepath.Join(b.TempDir(), "home")), registry.Options{})
	for i := range b.N {
		s := spec()
		s.Attrs[2].Value = cty.NumberIntVal(int64(i))
		if _, err := r.PutOperator(ctx, s, registry.WriteOptions{Replace: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExecutable(b *testing.B) {
	h := home.At(filepath.Join(b.TempDir(), "home"))
	defer writable(h.Root())
	r := registry.New(h, registry.Options{})
	f, err := r.Register(ctx, plugin(b, b.TempDir(), "alpha", "0.1.0", ""), registry.RegisterOptions{})
	require.NoError(b, err)
	for range b.N {
		ex, err := r.Executable(ctx, f)
		if err != nil || ex.Hashed {
			b.Fatal(err)
		}
		_ = ex.Close()
	}
}
