package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// dockerStart bounds the start of dockerd, a third of a second as a rule.
	dockerStart = time.Minute
	// dockerStop bounds its end; it stops its own containerd first.
	dockerStop = 30 * time.Second
)

// Dockerd is a Docker daemon of its own.
type Dockerd struct {
	// Env is how docker finds it, with the builder that Debian's package has.
	Env   []string
	dir   string
	cmd   *exec.Cmd
	ended chan error
}

// StartDockerd starts one that keeps all in dir, which must have a short name: a
// socket lies there. Builds use the network of the machine: no bridge, no rules
// of a firewall.
func StartDockerd(ctx context.Context, dir string) (*Dockerd, error) {
	socket := "unix://" + filepath.Join(dir, "s")
	d := &Dockerd{dir: dir, ended: make(chan error, 1),
		Env: []string{"DOCKER_HOST=" + socket, "DOCKER_BUILDKIT=0", "DOCKER_CONFIG=" + filepath.Join(dir, "config")}}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command("dockerd", "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "-H", socket, "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- d.cmd.Wait() }()
	for deadline := time.Now().Add(dockerStart); ; {
		if exec.CommandContext(ctx, "docker", "-H", socket, "info").Run() == nil {
			return d, nil
		}
		select {
		case err := <-d.ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("dockerd ended: %w: %s", err, text)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), d.Close())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("dockerd does not answer in %s", dockerStart), d.Close())
		}
	}
}

// Close ends it and removes its directory.
func (d *Dockerd) Close() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(dockerStop):
		_ = d.cmd.Process.Kill()
		<-d.ended
	}
	return RemoveMounted(d.dir)
}

// RemoveMounted removes a directory in which a container tool left mounts, which
// would keep it from being removed.
func RemoveMounted(dir string) error {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	var errs []error
	for _, line := range slices.Backward(lines) { // the newest first
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			errs = append(errs, exec.Command("umount", "-l", f[1]).Run())
		}
	}
	return errors.Join(errors.Join(errs...), os.RemoveAll(dir))
}
