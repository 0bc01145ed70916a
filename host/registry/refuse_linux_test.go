package registry_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/registry"
)

// A home on a file system that is mounted noexec, for real: a tmpfs in a mount
// namespace of the child's own.
func TestNoexecStore(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	mnt := t.TempDir()
	script := "mount -t tmpfs -o noexec tmpfs " + mnt + ` && exec "$0"`
	cmd := exec.Command("/bin/sh", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{"register", filepath.Join(mnt, "home"), "", path}, "|"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "noexec") && os.Getenv("CI") != "true" {
		t.Skipf("NOT TESTED: this machine lets no process make a mount namespace: %v: %s", err, out)
	}
	require.Error(t, err)
	assert.Equal(t, "programs in "+filepath.Join(mnt, "home", "artifacts")+" cannot be executed: its file system is mounted noexec\n", string(out))
}

// Root reads everything, so a child without rights tries.
func TestUnreadable(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	require.NoError(t, os.Chmod(path, 0o000))
	want := "cannot read " + path + ": open " + path + ": permission denied"
	if os.Getuid() != 0 {
		_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
		require.EqualError(t, err, want)
		return
	}
	const nobody = 65534
	require.NoError(t, os.Chmod(filepath.Dir(s.dir), 0o755)) // the parent of all of this test's directories
	self := filepath.Join(t.TempDir(), "self")
	data, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(self, data, 0o755))
	home := t.TempDir()
	require.NoError(t, os.Chown(home, nobody, nobody))
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{"register", home, "", path}, "|"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, want+"\n", string(out))
}

func TestCancelled(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.reg.PutOperator(ctx, spec(), registry.WriteOptions{})
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(s.home.Root())
	if err == nil {
		for _, e := range entries {
			assert.NoDirExists(t, filepath.Join(s.home.Root(), e.Name(), "alpha"))
		}
	}
}
