package registry_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/registry"
)

// processes starts n copies of this binary at once and returns what each says.
func processes(t *testing.T, n int, args func(i int) []string) (out []string, errs []error) {
	t.Helper()
	out, errs = make([]string, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args(i), "|"))
		wg.Go(func() {
			text, err := cmd.CombinedOutput()
			out[i], errs[i] = string(text), err
		})
	}
	wg.Wait()
	return out, errs
}

func TestManyProcessesSameFlavor(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	out, errs := processes(t, 20, func(int) []string { return []string{"register", s.home.Root(), "", path} })
	for i := range out {
		require.NoError(t, errs[i], out[i])
		assert.Equal(t, out[0], out[i])
	}
	entries, err := os.ReadDir(s.home.Artifacts())
	require.NoError(t, err)
	assert.Len(t, entries, 1, "one artifact, no staging")
	f, err := s.reg.Flavor(ctx, "alpha")
	require.NoError(t, err)
	ex, err := s.reg.Executable(ctx, f)
	require.NoError(t, err)
	run(t, ex)
	require.NoError(t, ex.Close())
}

func TestManyProcessesOtherBytes(t *testing.T) {
	s := setup(t)
	paths := make([]string, 20)
	for i := range paths {
		paths[i] = plugin(t, filepath.Join(s.dir, fmt.Sprint(i)), "alpha", "0.1.0", fmt.Sprint("tail", i))
	}
	out, errs := processes(t, 20, func(i int) []string { return []string{"register", s.home.Root(), "", paths[i]} })
	won := 0
	for i := range out {
		if errs[i] == nil {
			won++
			continue
		}
		assert.Contains(t, out[i], "it is registered already, with another implementation")
	}
	assert.Equal(t, 1, won)
	entries, err := os.ReadDir(s.home.Artifacts())
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the losers left nothing")
}

func TestManyProcessesFirstUse(t *testing.T) {
	s := setup(t)
	shipped := filepath.Join(s.dir, "shipped")
	plugin(t, shipped, "alpha", "0.1.0", "")
	out, errs := processes(t, 10, func(int) []string { return []string{"start", s.home.Root(), shipped, "alpha"} })
	for i := range out {
		require.NoError(t, errs[i], out[i])
		assert.Len(t, out[i], 64)
		assert.Equal(t, out[0], out[i])
	}
}

// Registering writes executables while other goroutines fork. A child forked
// between open and close of such a file would hold it for writing, and its
// start would fail with "text file busy".
func TestNoTextFileBusy(t *testing.T) {
	s := setup(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("/bin/true").Run()
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for i := range 25 {
		f, err := s.reg.Register(ctx, plugin(t, s.dir, "alpha", fmt.Sprintf("0.1.%d", i), fmt.Sprint(i)), registry.RegisterOptions{})
		require.NoError(t, err)
		ex, err := s.reg.Executable(ctx, f)
		require.NoError(t, err)
		cmd := exec.Command(f.Artifact.Path)
		cmd.Dir = t.TempDir()
		require.NoError(t, cmd.Run())
		require.NoError(t, ex.Close())
	}
}

// Readers need no lock: while a flavor is replaced again and again, every look
// sees a whole record with its own manifest.
func TestReadersWhileReplacing(t *testing.T) {
	s := setup(t)
	var paths []string
	for i := range 2 {
		dir := filepath.Join(s.dir, fmt.Sprint(i))
		path := plugin(t, dir, "alpha", "0.1.0", fmt.Sprint(i))
		write(t, path+".flavor.hcl", manifestText("alpha", "0.1.0", fmt.Sprintf("# %d", i)), 0o644)
		paths = append(paths, path)
	}
	_, err := s.reg.Register(ctx, paths[0], registry.RegisterOptions{})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		for i := range 20 {
			if _, err := s.reg.Register(ctx, paths[i%2], registry.RegisterOptions{Replace: true}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for looks := 0; ; looks++ {
		select {
		case err := <-done:
			require.NoError(t, err)
			assert.Positive(t, looks)
			return
		default:
		}
		f, err := s.reg.Flavor(ctx, "alpha")
		require.NoError(t, err)
		_, err = f.Manifest(ctx)
		require.NoError(t, err)
		ex, err := s.reg.Executable(ctx, f)
		require.NoError(t, err)
		require.NoError(t, ex.Close())
	}
}

// Nothing in the home is open to anybody else.
func TestModesInTheStore(t *testing.T) {
	s := setup(t)
	_, err := s.reg.Register(ctx, plugin(t, s.dir, "alpha", "0.1.0", ""), registry.RegisterOptions{})
	require.NoError(t, err)
	_, err = s.reg.PutOperator(ctx, registry.OperatorSpec{Name: "gpu", Flavor: "alpha@0.1.0"}, registry.WriteOptions{})
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(s.home.Root(), func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, path)
		return nil
	}))
}
