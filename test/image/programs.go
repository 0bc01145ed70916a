package image

import (
	"context"
	"path/filepath"

	"github.com/stephost/stephost/test/internal/prebuilt"
)

// The servers that Debian has not, or not in this version.

// program is one of a module below test, which are in no workspace: nothing else needs
// what they require.
func program(root, module, name, pkg string, hash ...string) prebuilt.Program {
	return prebuilt.Program{Name: name, Dir: filepath.Join(root, "test", module), Pkg: pkg, Hash: append(hash, "go.mod", "go.sum"),
		Env:  []string{"GOWORK=off", "CGO_ENABLED=0"},
		Args: func(context.Context, string) ([]string, error) { return []string{"-ldflags", "-s -w"}, nil }}
}

// CurrentRegistry is the path of CNCF's registry in its current version: the one
// before, which is Debian's, forgets an upload that breaks off within a request
// (https://github.com/distribution/distribution/pull/3755).
func CurrentRegistry(ctx context.Context) (string, error) {
	root, err := prebuilt.Repository()
	if err != nil {
		return "", err
	}
	return program(root, "registry", "registry", "./cmd/registry", "cmd").Built(ctx)
}

// buildkit are the paths of BuildKit's daemon and client.
func buildkit(ctx context.Context) (daemon, client string, err error) {
	root, err := prebuilt.Repository()
	if err != nil {
		return "", "", err
	}
	if daemon, err = program(root, "buildkit", "buildkitd", "github.com/moby/buildkit/cmd/buildkitd").Built(ctx); err != nil {
		return "", "", err
	}
	client, err = program(root, "buildkit", "buildctl", "github.com/moby/buildkit/cmd/buildctl").Built(ctx)
	return daemon, client, err
}

// Build builds them all, which takes minutes the first time.
func Build(ctx context.Context) error {
	if _, err := CurrentRegistry(ctx); err != nil {
		return err
	}
	_, _, err := buildkit(ctx)
	return err
}
