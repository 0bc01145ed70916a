package kube

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/stephost/stephost/test/internal/prebuilt"
)

// containerdProgram is the container runtime, with its shim and client beside it.
// Debian's, 1.6.20, loses the ends of logs: it closes the output of a container
// that has ended before it has read all of it
// (https://github.com/containerd/containerd/pull/8643, in 1.6.22 and 1.7.3).
func containerdProgram() prebuilt.Program {
	return prebuilt.Program{
		Name: "containerd", Release: "github.com/containerd/containerd/v2@v2.4.2",
		Packages: []string{"cmd/containerd", "cmd/containerd-shim-runc-v2", "cmd/ctr"}, Env: []string{"GOWORK=off", "CGO_ENABLED=0"},
	}
}

// serverProgram is the multi-call binary of Kubernetes. Its module is in no workspace,
// because it needs the replacements that Kubernetes itself builds with.
func serverProgram(root string) prebuilt.Program {
	return prebuilt.Program{
		Name: "k8s", Dir: filepath.Join(root, "test", "kubernetes"), Pkg: "./cmd/k8s", Hash: []string{"go.mod", "go.sum", "cmd/k8s"},
		Args: versionFlags, Env: []string{"GOWORK=off", "CGO_ENABLED=0"},
	}
}

// kubectlProgram is that of the same release. It is a program of its own, because the
// benchmarks measure it: starting the server's binary takes longer.
func kubectlProgram(root string) prebuilt.Program {
	p := serverProgram(root)
	p.Name, p.Pkg, p.Hash = "kubectl", "./cmd/kubectl", []string{"go.mod", "go.sum", "cmd/kubectl"}
	return p
}

// kubeupProgram is the supervisor.
func kubeupProgram(root string) prebuilt.Program {
	return prebuilt.Program{
		Name: "kubeup", Dir: root, Pkg: "./test/kube/cmd/kubeup", Hash: []string{"go.mod", "go.sum", "test/kube/cmd/kubeup"},
		Env: []string{"CGO_ENABLED=0"},
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
