package kube

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stephost/stephost/test/internal/prebuilt"
)

// Component is a process of the cluster.
type Component string

// The components of every cluster, and those of a node.
const (
	Etcd        Component = "etcd"
	APIServer   Component = "apiserver"
	Controllers Component = "controllers"
	Scheduler   Component = "scheduler"

	Kubelet    Component = "kubelet"
	Containerd Component = "containerd"
	Registry   Component = "registry"
	CoreDNS    Component = "coredns"
)

// Cluster is a running Kubernetes.
type Cluster struct {
	// Kubeconfig is a file, Server the URL in it.
	Kubeconfig, Server string
	// Server6 is the API server's URL for pods alone, with an IPv6 literal; empty where
	// the kernel has no IPv6, and in clusters that were not started with StartDual.
	Server6 string
	// Registry is the address of an image registry, Image a reference by digest
	// of an image there, NodeName the node. All are empty without a node.
	Registry, Image, NodeName string
	// PID is the first process of the node's namespaces.
	PID int
	// Dir holds the state; log/COMPONENT below it what each one wrote.
	Dir string
	// KubectlPath is a kubectl of the server's release.
	KubectlPath string

	up *supervisor
}

// startBound is for a machine under load; it includes no build.
const startBound = 5 * time.Minute

// ControlPlane starts a Kubernetes without a node for one test: Jobs get Pods,
// and the Pods stay Pending.
func ControlPlane(t testing.TB) *Cluster { return start(t, options{}) }

// Node starts a Kubernetes with one node, whose pods run, for one test.
func Node(t testing.TB) *Cluster { return start(t, options{node: true}) }

// OldNode is Node with the containerd that Debian has: it loses ends of logs.
func OldNode(t testing.TB) *Cluster { return start(t, options{node: true, debian: true}) }

// RoomyNode is Node with a kubelet that rotates no log below 200 MiB.
func RoomyNode(t testing.TB) *Cluster { return start(t, options{node: true, logSize: "200Mi"}) }

// options are what clusters differ in.
type options struct {
	node    bool
	debian  bool   // the containerd that Debian has
	dual    bool   // pods have an IPv6 address, too
	logSize string // the kubelet's containerLogMaxSize; "" = its own, 10Mi
}

func start(t testing.TB, o options) *Cluster {
	t.Helper()
	if lacks := Lacks(o.node); lacks != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a real Kubernetes is impossible here: %s", lacks)
		}
		t.Skipf("SKIPPED, nothing of this was tested: a real Kubernetes is impossible here: %s", lacks)
	}
	c, err := startWith(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			c.dump(t)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// programs are the files that a cluster is started with. containerd is only built
// for a node.
type programs struct{ k8s, kubectl, kubeup, containerd string }

func build(ctx context.Context, node bool) (p programs, err error) {
	root, err := prebuilt.Repository()
	if err != nil {
		return p, err
	}
	all := map[*string]prebuilt.Program{&p.k8s: serverProgram(root), &p.kubectl: kubectlProgram(root), &p.kubeup: kubeupProgram(root)}
	if node {
		all[&p.containerd] = containerdProgram()
	}
	for to, what := range all {
		if *to, err = what.Built(ctx); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Build builds what Start needs, so that Start need not.
func Build(ctx context.Context) error {
	_, err := build(ctx, true)
	return err
}

// Start builds what is not built yet, and starts a cluster that lives until
// Close, or until this process ends. Ask Lacks first.
func Start(ctx context.Context, node bool) (*Cluster, error) {
	return startWith(ctx, options{node: node})
}

// StartDual is Start with a node whose pods have an IPv6 address besides the other, if
// the kernel can: then there is Server6.
func StartDual(ctx context.Context) (*Cluster, error) {
	return startWith(ctx, options{node: true, dual: true})
}

func startWith(ctx context.Context, o options) (*Cluster, error) {
	p, err := build(ctx, o.node)
	if err != nil {
		return nil, err
	}
	kind, path := "control-plane", os.Getenv("PATH")
	if o.node {
		kind = "node"
		if !o.debian {
			path = filepath.Dir(p.containerd) + string(os.PathListSeparator) + path
		}
	}
	dir, err := os.MkdirTemp("", "stephost-kube-"+kind+"-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	c := &Cluster{Dir: dir, KubectlPath: p.kubectl}
	env := []string{"PATH=" + path, "KUBEUP_LOG_SIZE=" + o.logSize, "KUBEUP_DUAL="}
	if o.dual {
		env[2] += "yes"
	}
	c.up, err = startSupervisor(ctx, p.kubeup, []string{kind, p.k8s, dir}, env, c)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

// Close kills the cluster and removes its state.
func (c *Cluster) Close() error {
	err := c.up.close()
	if rm := os.RemoveAll(c.Dir); err == nil {
		err = rm
	}
	return err
}

// Kill kills a component as SIGKILL does. Its port refuses connections.
func (c *Cluster) Kill(t testing.TB, name Component) { t.Helper(); c.must(t, "kill", name) }

// Restart starts a killed component again, on the same state, and returns when
// it is ready.
func (c *Cluster) Restart(t testing.TB, name Component) { t.Helper(); c.must(t, "start", name) }

// Freeze stops a component as SIGSTOP does: it holds its connections and answers
// nothing until Thaw.
func (c *Cluster) Freeze(t testing.TB, name Component) { t.Helper(); c.must(t, "freeze", name) }

// Thaw lets a frozen component go on.
func (c *Cluster) Thaw(t testing.TB, name Component) { t.Helper(); c.must(t, "thaw", name) }

func (c *Cluster) must(t testing.TB, verb string, name Component) {
	t.Helper()
	if err := c.up.command(verb, string(name)); err != nil {
		t.Fatalf("%s %s: %v", verb, name, err)
	}
}

// Kubectl is a command of kubectl, as administrator.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.KubectlPath, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	return cmd
}

// Command runs a program of the host inside of the node's namespaces.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(c.PID), "-n", "-m", "-p", "--", name}, args...)...)
}

// Log is what a component has written so far.
func (c *Cluster) Log(name Component) string {
	data, err := os.ReadFile(filepath.Join(c.Dir, "log", string(name)))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// dump shows the ends of the logs behind a test that failed.
func (c *Cluster) dump(t testing.TB) {
	const most = 2 << 10
	for _, name := range []Component{APIServer, Controllers, Scheduler, Kubelet, Containerd} {
		text := c.Log(name)
		t.Logf("end of the log of %s:\n%s", name, text[max(0, len(text)-most):])
	}
}
