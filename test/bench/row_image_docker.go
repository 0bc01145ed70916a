package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stephost/stephost/test/bench/internal/lab"
)

const (
	// dockerStart bounds the start of dockerd, a third of a second as a rule.
	dockerStart = time.Minute
	// dockerStop bounds its end; it stops its own containerd first.
	dockerStop = 30 * time.Second
)

// dockerfile is what a person writes who cares about the cache: requirements
// first, source last. %s is the base.
const dockerfile = `FROM %s
COPY requirements.txt /tmp/requirements.txt
RUN python3 -m pip install --no-cache-dir --break-system-packages --root-user-action=ignore -r /tmp/requirements.txt
WORKDIR /stephost/src
COPY . /stephost/src
`

// dockerBuilder is `docker build` and `docker push`, with a dockerd of its own and
// the builder that Debian's package has.
type dockerBuilder struct {
	*imageWorld
	dir    string
	daemon *exec.Cmd
	ended  chan error
	env    []string
	file   string
	tag    string
	cold   bool
}

func startDocker(ctx context.Context, w *imageWorld) (*dockerBuilder, error) {
	dir, err := w.TempDir("d")
	if err != nil {
		return nil, err
	}
	socket := "unix://" + filepath.Join(dir, "s")
	d := &dockerBuilder{imageWorld: w, dir: dir, ended: make(chan error, 1), file: filepath.Join(dir, "Dockerfile"),
		env: append(os.Environ(), "DOCKER_HOST="+socket, "DOCKER_BUILDKIT=0", "DOCKER_CONFIG="+filepath.Join(dir, "config"))}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Builds use the network of the machine: no bridge, no rules of a firewall.
	d.daemon = exec.Command("dockerd", "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "-H", socket, "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
	d.daemon.Stdout, d.daemon.Stderr = log, log
	if err := d.daemon.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- d.daemon.Wait() }()
	for deadline := time.Now().Add(dockerStart); ; {
		if exec.CommandContext(ctx, "docker", "-H", socket, "info").Run() == nil {
			return d, nil
		}
		select {
		case err := <-d.ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("dockerd ended: %w: %s", err, text)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), d.close())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("dockerd does not answer in %s", dockerStart), d.close())
		}
	}
}

func (d *dockerBuilder) close() error {
	_ = d.daemon.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(dockerStop):
		_ = d.daemon.Process.Kill()
		<-d.ended
	}
	return errors.Join(unmountBelow(d.dir), os.RemoveAll(d.dir))
}

func (d *dockerBuilder) name() string { return "docker" }

func (d *dockerBuilder) fresh(ctx context.Context, base, push string) error {
	d.tag, d.cold = push+":bench", true
	if err := os.WriteFile(d.file, []byte(fmt.Sprintf(dockerfile, base)), 0o644); err != nil {
		return err
	}
	_, err := d.docker(ctx, "pull", "--quiet", base)
	return err
}

func (d *dockerBuilder) docker(ctx context.Context, argv ...string) (float64, error) {
	ran, err := d.Run(ctx, lab.Command{Argv: append([]string{"docker"}, argv...), Env: d.env, Dir: d.app})
	if err != nil {
		err = fmt.Errorf("docker %s: %w: %s", argv[0], err, ran.Stderr)
	}
	return lab.Milliseconds(ran.Wall), err
}

func (d *dockerBuilder) build(ctx context.Context) (float64, error) {
	argv := []string{"build", "--quiet", "--network=host", "-t", d.tag, "-f", d.file}
	if d.cold {
		argv, d.cold = append(argv, "--no-cache"), false
	}
	built, err := d.docker(ctx, append(argv, ".")...)
	if err != nil {
		return 0, err
	}
	pushed, err := d.docker(ctx, "push", "--quiet", d.tag)
	return built + pushed, err
}
