package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stephost/stephost/test/bench/internal/lab"
	testimage "github.com/stephost/stephost/test/image"
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
	daemon *testimage.Dockerd
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
	daemon, err := testimage.StartDockerd(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &dockerBuilder{imageWorld: w, daemon: daemon, env: append(os.Environ(), daemon.Env...), file: filepath.Join(dir, "Dockerfile")}, nil
}

func (d *dockerBuilder) close() error { return d.daemon.Close() }

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
