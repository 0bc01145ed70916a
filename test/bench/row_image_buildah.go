package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stephost/stephost/test/bench/internal/lab"
	testimage "github.com/stephost/stephost/test/image"
)

// buildahBuilder is `buildah bud` and `buildah push`. Its processes run in a
// chroot: containers of their own need more than the build machines allow.
type buildahBuilder struct {
	*imageWorld
	dir, file, tag string
	global         []string
	cold           bool
}

func newBuildah(w *imageWorld) (*buildahBuilder, error) {
	dir, err := w.TempDir("b")
	if err != nil {
		return nil, err
	}
	b := &buildahBuilder{imageWorld: w, dir: dir, file: filepath.Join(dir, "Dockerfile"),
		global: []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "overlay"}}
	for name, text := range map[string]string{
		"policy.json":     `{"default": [{"type": "insecureAcceptAnything"}]}`,
		"registries.conf": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// works says why it does not, if so.
func (b *buildahBuilder) works(ctx context.Context) error {
	if _, err := exec.LookPath("buildah"); err != nil {
		return err
	}
	_, err := b.buildah(ctx, "images")
	return err
}

func (b *buildahBuilder) close() error { return testimage.RemoveMounted(b.dir) }

func (b *buildahBuilder) name() string { return "buildah" }

func (b *buildahBuilder) fresh(ctx context.Context, base, push string) error {
	b.tag, b.cold = push+":bench", true
	if err := os.WriteFile(b.file, []byte(fmt.Sprintf(dockerfile, base)), 0o644); err != nil {
		return err
	}
	_, err := b.buildah(ctx, "pull", "--quiet", "--tls-verify=false", "--signature-policy", filepath.Join(b.dir, "policy.json"), base)
	return err
}

func (b *buildahBuilder) buildah(ctx context.Context, argv ...string) (float64, error) {
	env := append(os.Environ(), "CONTAINERS_REGISTRIES_CONF="+filepath.Join(b.dir, "registries.conf"), "BUILDAH_ISOLATION=chroot", "HOME="+b.dir)
	ran, err := b.Run(ctx, lab.Command{Argv: append(append([]string{"buildah"}, b.global...), argv...), Env: env, Dir: b.app})
	if err != nil {
		err = fmt.Errorf("buildah %s: %w: %s", argv[0], err, ran.Stderr)
	}
	return lab.Milliseconds(ran.Wall), err
}

func (b *buildahBuilder) build(ctx context.Context) (float64, error) {
	policy := filepath.Join(b.dir, "policy.json")
	argv := []string{"bud", "--quiet", "--layers", "--isolation", "chroot", "--network", "host", "--tls-verify=false", "--signature-policy", policy, "-t", b.tag, "-f", b.file}
	if b.cold {
		argv, b.cold = append(argv, "--no-cache"), false
	}
	built, err := b.buildah(ctx, append(argv, ".")...)
	if err != nil {
		return 0, err
	}
	pushed, err := b.buildah(ctx, "push", "--quiet", "--tls-verify=false", "--signature-policy", policy, b.tag)
	return built + pushed, err
}
