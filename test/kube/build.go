package kube

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// buildBound is for the server's first build on a machine under load: four to
// seven minutes of two processors are normal.
const buildBound = 30 * time.Minute

// lockEvery is how often a build by another process is asked after.
const lockEvery = 200 * time.Millisecond

// program is a Go program that is built once for one state of its sources.
type program struct {
	name string
	dir  string   // of its module
	pkg  string   // within the module
	hash []string // files and directories of the module that make it what it is
	args func(ctx context.Context, dir string) ([]string, error)
	env  []string
	// release: instead of all that, packages of this module at its version.
	release  string
	packages []string
}

// containerdProgram is the container runtime, with its shim and client beside it.
// Debian's, 1.6.20, loses the ends of logs: it closes the output of a container
// that has ended before it has read all of it
// (https://github.com/containerd/containerd/pull/8643, in 1.6.22 and 1.7.3).
func containerdProgram() program {
	return program{
		name: "containerd", release: "github.com/containerd/containerd/v2@v2.4.2",
		packages: []string{"cmd/containerd", "cmd/containerd-shim-runc-v2", "cmd/ctr"}, env: []string{"GOWORK=off", "CGO_ENABLED=0"},
	}
}

// serverProgram is the multi-call binary of Kubernetes. Its module is in no workspace,
// because it needs the replacements that Kubernetes itself builds with.
func serverProgram(root string) program {
	return program{
		name: "k8s", dir: filepath.Join(root, "test", "kubernetes"), pkg: "./cmd/k8s", hash: []string{"go.mod", "go.sum", "cmd/k8s"},
		args: versionFlags, env: []string{"GOWORK=off", "CGO_ENABLED=0"},
	}
}

// kubectlProgram is that of the same release. It is a program of its own, because the
// benchmarks measure it: starting the server's binary takes longer.
func kubectlProgram(root string) program {
	p := serverProgram(root)
	p.name, p.pkg, p.hash = "kubectl", "./cmd/kubectl", []string{"go.mod", "go.sum", "cmd/kubectl"}
	return p
}

// kubeupProgram is the supervisor.
func kubeupProgram(root string) program {
	return program{
		name: "kubeup", dir: root, pkg: "./test/kube/cmd/kubeup", hash: []string{"go.mod", "go.sum", "test/kube/cmd/kubeup"},
		env: []string{"CGO_ENABLED=0"},
	}
}

// versionFlags make the server tell its release, which clients look at.
func versionFlags(ctx context.Context, dir string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the release of Kubernetes: %w", err)
	}
	version := strings.TrimSpace(string(out))
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 3 {
		return nil, fmt.Errorf("the release of Kubernetes: %q", version)
	}
	flags := "-s -w"
	for name, value := range map[string]string{"gitVersion": version, "gitMajor": parts[0], "gitMinor": parts[1]} {
		flags += fmt.Sprintf(" -X k8s.io/component-base/version.%s=%s", name, value)
	}
	return []string{"-ldflags", flags}, nil
}

// built is the path of the program, which it builds if that was never done.
func (p program) built(ctx context.Context) (string, error) {
	sum, err := p.sum()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "stephost-test", p.name+"-"+sum)
	path := filepath.Join(dir, p.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, buildBound)
	defer cancel()
	// Test packages run at the same time; one of them builds.
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		return "", fmt.Errorf("waiting for another build of %s: %w", p.name, err)
	}
	defer lock.Close()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if p.release != "" {
		return path, p.install(ctx, dir)
	}
	args := []string{"build", "-trimpath", "-o", path + ".new"}
	if p.args != nil {
		more, err := p.args(ctx, p.dir)
		if err != nil {
			return "", err
		}
		args = append(args, more...)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), p.env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", p.name, err, text)
	}
	return path, os.Rename(path+".new", path)
}

// install builds the packages of a release. The one that is looked for is moved
// into place last.
func (p program) install(ctx context.Context, dir string) error {
	fresh := filepath.Join(dir, "new")
	module, version, _ := strings.Cut(p.release, "@")
	args := []string{"install", "-trimpath", "-ldflags", "-s -w"}
	for _, pkg := range p.packages {
		args = append(args, module+"/"+pkg+"@"+version)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), p.env...), "GOBIN="+fresh)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", p.release, err, text)
	}
	for _, pkg := range slices.Backward(p.packages) {
		name := filepath.Base(pkg)
		if err := os.Rename(filepath.Join(fresh, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.Remove(fresh)
}

// sum is a hash over the sources and the toolchain.
func (p program) sum() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, p.release)
	for _, name := range p.hash {
		err := filepath.WalkDir(filepath.Join(p.dir, name), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			fmt.Fprintln(h, filepath.Base(path))
			_, err = io.Copy(h, f)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// repository is the root of the repository: the nearest directory above the
// current one that holds go.work.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.work was found above the current directory")
		}
		dir = filepath.Dir(dir)
	}
}

// Lacks says what is missing on this machine for a cluster; empty = nothing.
func Lacks(node bool) string {
	if runtime.GOOS != "linux" {
		return "it needs Linux"
	}
	if !node {
		return ""
	}
	if os.Geteuid() != 0 {
		return "a node needs root"
	}
	programs := []string{"containerd", "ctr", "runc", "docker-registry", "ip", "nsenter", "/bin/busybox", "/usr/lib/cni/bridge", "/usr/lib/cni/host-local"}
	missing := slices.DeleteFunc(programs, func(name string) bool {
		_, err := exec.LookPath(name)
		return err == nil
	})
	if len(missing) > 0 {
		return "a node needs " + strings.Join(missing, ", ") + " (the packages of test/kubernetes/packages.txt)"
	}
	return ""
}
