package limit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoMemoryLimit: no control group may be made here that limits memory.
var ErrNoMemoryLimit = errors.New("memory cannot be limited here: it needs cgroup v2 with the memory controller and a group in which this user may make another one (systemd gives every login such a group)")

// HaveMemory is the memory of the machine in bytes; 0 = not known.
func HaveMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit))
}

// MemoryParent finds the control group in which a leaf with a memory limit can
// be made, and makes nothing. ErrNoMemoryLimit when there is none.
func MemoryParent() (string, error) {
	mount, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", ErrNoMemoryLimit
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", ErrNoMemoryLimit
	}
	root, path, ok := locate(string(mount), string(own))
	if !ok {
		return "", ErrNoMemoryLimit
	}
	return memoryParent(root, path)
}

// locate finds where cgroup v2 is mounted and which group this process is in.
func locate(mountinfo, cgroup string) (mount, path string, ok bool) {
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if found && len(fields) >= 5 && len(kind) > 0 && kind[0] == "cgroup2" {
			mount = fields[4]
		}
	}
	for line := range strings.Lines(cgroup) {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			path = rest
		}
	}
	return mount, path, mount != "" && strings.HasPrefix(path, "/")
}

// memoryParent goes up from the own group: a group with processes in it (the
// own one) may not have limited children, its parent may.
func memoryParent(mount, path string) (string, error) {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		at := filepath.Join(mount, dir)
		control, err := os.ReadFile(filepath.Join(at, "cgroup.subtree_control"))
		if err == nil && slices.Contains(strings.Fields(string(control)), "memory") &&
			unix.Access(at, unix.W_OK) == nil && unix.Access(filepath.Join(at, "cgroup.procs"), unix.W_OK) == nil {
			return at, nil
		}
		if dir == "/" {
			return "", ErrNoMemoryLimit
		}
	}
}

// Group is a control group of one step.
type Group struct{ Dir string }

// MakeGroup makes the leaf for a key with a limit in bytes. It may be there
// already from a runner that died before it started the step.
func MakeGroup(key string, bytes int64) (*Group, error) {
	parent, err := MemoryParent()
	if err != nil {
		return nil, err
	}
	g := &Group{Dir: filepath.Join(parent, "stephost-"+key)}
	if err := os.Mkdir(g.Dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w (%v)", ErrNoMemoryLimit, err)
	}
	if err := g.write("memory.max", strconv.FormatInt(bytes, 10)); err != nil {
		g.Remove()
		return nil, err
	}
	// Without this the limit would be kept by swapping. Absent where the kernel
	// does not account for swap.
	if err := g.write("memory.swap.max", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
		g.Remove()
		return nil, err
	}
	return g, nil
}

// Open opens the group for a clone into it; the caller closes it.
func (g *Group) Open() (*os.File, error) { return os.Open(g.Dir) }

// OutOfMemory tells whether the kernel ended a process of the group because of
// the limit.
func (g *Group) OutOfMemory() bool {
	f, err := os.Open(filepath.Join(g.Dir, "memory.events"))
	if err != nil {
		return false
	}
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if n, ok := strings.CutPrefix(scan.Text(), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// Remove removes the group; it works only when no process is left in it.
func (g *Group) Remove() { _ = os.Remove(g.Dir) }

func (g *Group) write(name, value string) error {
	f, err := os.OpenFile(filepath.Join(g.Dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
