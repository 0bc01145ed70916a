package limit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestPartsOfACoreAreRoundedUp(t *testing.T) {
	for millis, want := range map[int64]int64{0: 0, 1: 1, 999: 1, 1000: 1, 1001: 2, 1500: 2, 4000: 4} {
		assert.Equal(t, want, Cores(millis), millis)
	}
}

// allowed are the cores that a child process may use.
func allowed(t *testing.T) int {
	out, err := exec.Command("grep", "Cpus_allowed:", "/proc/self/status").Output()
	require.NoError(t, err)
	count := 0
	for _, digit := range strings.Fields(string(out))[1] {
		n, err := strconv.ParseUint(strings.Trim(string(digit), ","), 16, 8)
		if err == nil {
			for ; n > 0; n &= n - 1 {
				count++
			}
		}
	}
	return count
}

func TestPin(t *testing.T) {
	have := HaveCPUs()
	require.NoError(t, Pin(1, "key", func() error {
		assert.Equal(t, 1, allowed(t))
		return nil
	}))
	require.NoError(t, Pin(0, "key", func() error {
		assert.EqualValues(t, have, allowed(t), "and afterwards all are back")
		return nil
	}))
	var much *TooMuchError
	require.ErrorAs(t, Pin(have+1, "key", func() error { t.Error("started"); return nil }), &much)
	assert.Equal(t, have, much.Have)
}

func TestKeysSpreadOverTheCores(t *testing.T) {
	var all unix.CPUSet
	for i := range 16 {
		all.Set(2 * i)
	}
	seen := map[int]bool{}
	for i := range 200 {
		set := choose(&all, 3, strconv.Itoa(i))
		assert.Equal(t, 3, set.Count())
		for c := range 64 {
			if set.IsSet(c) {
				assert.True(t, all.IsSet(c))
				seen[c] = true
			}
		}
	}
	assert.Len(t, seen, 16)
}

func TestLocate(t *testing.T) {
	const v2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	for name, c := range map[string]struct {
		mounts, own, mount, path string
		ok                       bool
	}{
		"v2":       {v2, "0::/user.slice/a.scope\n", "/sys/fs/cgroup", "/user.slice/a.scope", true},
		"optional": {"29 23 0:26 / /cg rw shared:4 master:1 - cgroup2 none rw\n", "0::/\n", "/cg", "/", true},
		"v1":       {"30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "4:memory:/x\n", "", "", false},
		"garbage":  {"\n - \nx", "::", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			mount, path, ok := locate(c.mounts, c.own)
			assert.Equal(t, c.ok, ok)
			if ok {
				assert.Equal(t, c.mount, mount)
				assert.Equal(t, c.path, path)
			}
		})
	}
}

func TestMemoryParentIsTheNearestThatMayLimit(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "user", "app", "own")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	control := func(at, controllers string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, at, "cgroup.subtree_control"), []byte(controllers), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(root, at, "cgroup.procs"), nil, 0o600))
	}
	_, err := memoryParent(root, "/user/app/own")
	require.ErrorIs(t, err, ErrNoMemoryLimit)
	control("", "cpu memory")
	got, err := memoryParent(root, "/user/app/own")
	require.NoError(t, err)
	assert.Equal(t, root, got)
	control("user/app", "cpu memory pids")
	control("user/app/own", "memory") // the own group has processes in it
	got, err = memoryParent(root, "/user/app/own")
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(root, "user/app"), got)
	control("user/app", "cpu memoryless")
	got, err = memoryParent(root, "/user/app/own")
	require.NoError(t, err)
	assert.Equal(t, root, got)
}

func TestGPUsAreTakenByOneOnly(t *testing.T) {
	dev, locks := t.TempDir(), filepath.Join(t.TempDir(), "gpu")
	for _, name := range []string{"nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"} {
		require.NoError(t, os.WriteFile(filepath.Join(dev, name), nil, 0o600))
	}
	m := Machine{Devices: dev}
	assert.Equal(t, []int{0, 1, 10}, m.GPUs())
	first, err := m.TakeGPUs(2, locks)
	require.NoError(t, err)
	assert.Equal(t, "0,1", first.Visible())
	_, err = m.TakeGPUs(2, locks)
	var free *NoFreeGPUError
	require.ErrorAs(t, err, &free)
	assert.Equal(t, 1, free.Free)
	second, err := m.TakeGPUs(1, locks)
	require.NoError(t, err)
	assert.Equal(t, "10", second.Visible())
	_, err = m.TakeGPUs(4, locks)
	var much *TooMuchError
	require.ErrorAs(t, err, &much)
	first.Close()
	third, err := m.TakeGPUs(2, locks)
	require.NoError(t, err)
	third.Close()
	second.Close()
	assert.Contains(t, (&TooMuchError{What: "gpu", Asked: 1}).Error(), "no NVIDIA GPU")
}
