package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Buildkitd is a BuildKit daemon of its own.
type Buildkitd struct {
	// Buildctl is its client, Env how that finds it.
	Buildctl string
	Env      []string
	dir      string
	cmd      *exec.Cmd
	ended    chan error
}

// StartBuildkitd starts one that keeps all in dir, which must have a short name: a
// socket lies there. Its containers are runc's, in the network of the machine. The
// registry speaks plain HTTP, as its configuration says.
func StartBuildkitd(ctx context.Context, dir, registry string) (*Buildkitd, error) {
	daemon, client, err := buildkit(ctx)
	if err != nil {
		return nil, err
	}
	socket, config := "unix://"+filepath.Join(dir, "s"), filepath.Join(dir, "buildkitd.toml")
	d := &Buildkitd{Buildctl: client, dir: dir, ended: make(chan error, 1),
		Env: []string{"BUILDKIT_HOST=" + socket, "DOCKER_CONFIG=" + filepath.Join(dir, "config")}}
	if err := os.WriteFile(config, fmt.Appendf(nil, "[registry.%q]\n  http = true\n", registry), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(daemon, "--config", config, "--root", filepath.Join(dir, "root"), "--addr", socket,
		"--containerd-worker=false", "--oci-worker=true", "--oci-worker-net=host")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- d.cmd.Wait() }()
	for deadline := time.Now().Add(startLimit); ; {
		if exec.CommandContext(ctx, d.Buildctl, "--addr", socket, "debug", "workers").Run() == nil {
			return d, nil
		}
		select {
		case err := <-d.ended:
			d.ended <- err // for Close
			text, _ := os.ReadFile(log.Name())
			return nil, errors.Join(fmt.Errorf("buildkitd ended: %w: %s", err, text), d.Close())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), d.Close())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("buildkitd does not answer in %s", startLimit), d.Close())
		}
	}
}

// Log is what it printed.
func (d *Buildkitd) Log() string {
	data, _ := os.ReadFile(filepath.Join(d.dir, "log"))
	return string(data)
}

// Close ends it and removes its directory.
func (d *Buildkitd) Close() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(dockerStop):
		_ = d.cmd.Process.Kill()
		<-d.ended
	}
	return RemoveMounted(d.dir)
}
