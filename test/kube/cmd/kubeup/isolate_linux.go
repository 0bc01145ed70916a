package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroups is where the hierarchies of control groups are mounted.
const cgroups = "/sys/fs/cgroup"

// hostNetwork is the descriptor of the network namespace that kubeup was
// started in; the processes inside inherit it.
const hostNetwork = 3

// outside makes the namespaces and waits for their end.
func outside(k8s, dir string) error {
	held, err := hold(dir)
	if err != nil {
		return err
	}
	defer held.Close()
	group := filepath.Base(dir)
	if err := makeGroup(group); err != nil {
		return err
	}
	defer removeGroup(group)
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", "init", k8s, dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{network}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
		// Ctrl-C ends a test by its own clean-up.
		Setpgid: true,
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	say(map[string]int{"pid": cmd.Process.Pid})
	return cmd.Wait()
}

// initProcess is PID 1 of the namespaces: it reaps what containerd's shims
// leave behind, and with its end the kernel kills everything inside.
func initProcess(k8s, dir string) error {
	// Nothing that is mounted here may be seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	child, err := os.StartProcess("/proc/self/exe", []string{"kubeup", "inside", k8s, dir}, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(hostNetwork, "network")},
	})
	if err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case pid == child.Pid && status.ExitStatus() != 0:
			return errors.New("the start inside failed")
		case pid == child.Pid:
			return nil
		}
	}
}

// hierarchies are the directories that hold control groups: one for each
// version 1 controller, or the only one of version 2.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}
	}
	entries, err := os.ReadDir(cgroups)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "unified" {
			out = append(out, filepath.Join(cgroups, e.Name()))
		}
	}
	return out
}

// makeGroup makes the control group below which the kubelet makes its own.
func makeGroup(name string) error {
	for _, h := range hierarchies() {
		group := filepath.Join(h, name)
		if err := os.Mkdir(group, 0o755); err != nil {
			return err
		}
		switch {
		case filepath.Base(h) == "cpuset":
			// No process may enter a cpuset whose lists are empty.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				data, err := os.ReadFile(filepath.Join(h, file))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(group, file), data, 0o644); err != nil {
					return err
				}
			}
		case h == cgroups:
			// Version 2 (assumption: no machine of ours has it): the kubelet
			// wants these controllers in its root group.
			const all = "+cpu +cpuset +memory +pids +io"
			for _, g := range []string{h, group} {
				if err := os.WriteFile(filepath.Join(g, "cgroup.subtree_control"), []byte(all), 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// removeGroup removes a control group with all below it; their processes are
// dead by then.
func removeGroup(name string) {
	for _, h := range hierarchies() {
		var dirs []string
		_ = filepath.WalkDir(filepath.Join(h, name), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.Remove(dirs[i])
		}
	}
}
