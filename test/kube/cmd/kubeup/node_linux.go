package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	containerd = "containerd"
	registry   = "registry"
	kubelet    = "kubelet"
	coredns    = "coredns"

	nodeName    = "node1"
	nodeAddress = "10.99.0.1"
	// serviceAddress is the first of the API server's range of Services, which it takes
	// for itself: pods find it in their environment, and it is in its certificate.
	serviceAddress = "10.222.0.1"
	// address6 is the API server's for pods that speak IPv6.
	address6 = "fd00:99::1"
)

// inside starts control plane and node in namespaces of their own, and serves.
func inside(k8s, dir string) error {
	s := newSet(k8s, dir)
	defer s.killAll()
	if err := s.prepareNode(); err != nil {
		return err
	}
	api, err := newRelay()
	if err != nil {
		return err
	}
	images, err := newRelay()
	if err != nil {
		return err
	}
	relays := []*relay{api, {address: api.address, listen: listenHere(net.JoinHostPort(serviceAddress, "443"))}}
	server6 := ""
	if s.dual {
		at := net.JoinHostPort(address6, "443")
		server6, relays = "https://"+at, append(relays, &relay{address: api.address, listen: listenHere(at)})
	}
	for _, r := range relays[1:] {
		if err := r.reopen(); err != nil {
			return err
		}
	}
	s.onKill[apiserver], s.onStart[apiserver] = each(relays, (*relay).close), each(relays, (*relay).reopen)
	s.onKill[registry], s.onStart[registry] = images.close, images.reopen

	if err := s.startRuntime(images.address); err != nil {
		return err
	}
	// In here every port is free.
	if err := s.startControlPlane(api.address, "127.0.0.1:2379", "127.0.0.1:2380"); err != nil {
		return err
	}
	if err := s.startDNS(); err != nil {
		return err
	}
	ref, err := s.importImages(images.address)
	if err != nil {
		return err
	}
	if err := s.startKubelet(api.address); err != nil {
		return err
	}
	say(started{Ready: true, Kubeconfig: s.kubeconfig(), Server: "https://" + api.address, Server6: server6, Registry: images.address, Image: ref, Node: nodeName})
	return serve(s)
}

// each does the same with all relays of the API server.
func each(relays []*relay, do func(*relay) error) func() error {
	return func() error {
		var all []error
		for _, r := range relays {
			all = append(all, do(r))
		}
		return errors.Join(all...)
	}
}

// prepareNode makes the node's network and file systems. There is no bridge to
// the host: what the host may reach is relayed.
func (s *set) prepareNode() error {
	for _, args := range []string{
		"link set lo up",
		"link add node0 type bridge", // a dummy device would do, but not every kernel has it
		"addr add " + nodeAddress + "/24 dev node0",
		"addr add " + serviceAddress + "/32 dev node0",
		"link set node0 up",
		"route add default dev node0", // the kubelet looks for one
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w\n%s", args, err, out)
		}
	}
	if os.Getenv("KUBEUP_DUAL") != "" {
		// Nobody else is on this bridge, so nobody is asked whether the address is free.
		s.dual = exec.Command("ip", "-6", "addr", "add", address6+"/64", "dev", "node0", "nodad").Run() == nil
	}
	for _, dir := range []string{"run/netns", "kubelet", "cni", "log/pods", "net.d", "certs.d"} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{"run": "/run", "kubelet": "/var/lib/kubelet", "cni": "/var/lib/cni"} {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(s.path(from), to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount on %s: %w", to, err)
		}
	}
	return nil
}

func (s *set) socket() string { return s.path("run", "c.sock") }

// 65534 addresses: a pod keeps its own until its sandbox is gone.
const network = `{"cniVersion": "0.4.0", "name": "test", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.98.0.0/16"}]RANGE6], "routes": [{"dst": "0.0.0.0/0"}ROUTE6]}
}]}
`

// range6 and route6 give pods a second address.
const (
	range6 = `, [{"subnet": "fd00:98::/64"}]`
	route6 = `, {"dst": "::/0"}`
)

// restrict_oom_score_adj, because a container without CAP_SYS_RESOURCE cannot
// lower the score, and the sandbox would not start.
const containerdConfig = `version = 2
root = "DIR/containerd"
state = "DIR/run/containerd"
[grpc]
  address = "DIR/run/c.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "DIR/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "SANDBOX"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "DIR/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "DIR/certs.d"
`

const registryConfig = `version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: DIR/registry}
  delete: {enabled: true}
http: {addr: "ADDRESS"}
`

// sandbox is the image of every pod's sandbox. It is in no registry.
const sandbox = "localhost/sandbox:test"

// startRuntime starts containerd and the registry; importImages waits for them.
func (s *set) startRuntime(registryAddress string) error {
	second := [...]string{"RANGE6", "", "ROUTE6", ""}
	if s.dual {
		second = [...]string{"RANGE6", range6, "ROUTE6", route6}
	}
	fill := strings.NewReplacer(append(second[:], "DIR", s.dir, "ADDRESS", registryAddress, "SANDBOX", sandbox)...).Replace
	for name, text := range map[string]string{
		"net.d/10.conflist": fill(network),
		"containerd.toml":   fill(containerdConfig),
		"registry.yml":      fill(registryConfig),
		filepath.Join("certs.d", registryAddress, "hosts.toml"): fmt.Sprintf("server = %q\n", "http://"+registryAddress),
	} {
		if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := s.run(containerd, nil, "containerd", "-c", s.path("containerd.toml")); err != nil {
		return err
	}
	return s.run(registry, nil, "docker-registry", "serve", s.path("registry.yml"))
}

// importImages gives containerd the sandbox image, and the registry the image
// for steps, whose reference it returns.
func (s *set) importImages(registryAddress string) (string, error) {
	if err := s.await(containerd, func() error {
		conn, err := net.Dial("unix", s.socket())
		if err == nil {
			_ = conn.Close()
		}
		return err
	}); err != nil {
		return "", err
	}
	if err := s.await(registry, func() error {
		resp, err := http.Get("http://" + registryAddress + "/v2/")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}); err != nil {
		return "", err
	}
	name := registryAddress + "/stephost/busybox"
	var im *image
	for _, ref := range []string{sandbox, name + ":test"} {
		var err error
		if im, err = newImage(ref); err != nil {
			return "", err
		}
		if err := s.ctr(&im.archive, "import", "-"); err != nil {
			return "", err
		}
	}
	return name + "@" + im.digest, s.ctr(nil, "push", "--plain-http", name+":test")
}

func (s *set) ctr(stdin *bytes.Buffer, args ...string) error {
	cmd := exec.Command("ctr", append([]string{"-a", s.socket(), "-n", "k8s.io", "images"}, args...)...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr images %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// corefile answers for Services, among them the headless ones whose names the
// ranks of a step meet under. There is nothing else to be resolved in here.
const corefile = `cluster.local:53 {
  bind NODE
  errors
  kubernetes cluster.local {
    kubeconfig DIR/kubeconfig admin
    ttl 1
  }
}
`

// startDNS starts the cluster's name server; the kubelet tells the pods.
func (s *set) startDNS() error {
	text := strings.NewReplacer("DIR", s.dir, "NODE", nodeAddress).Replace(corefile)
	if err := os.WriteFile(s.path("Corefile"), []byte(text), 0o600); err != nil {
		return err
	}
	return s.run(coredns, nil, s.k8s, "coredns", "-conf", s.path("Corefile"))
}

// failCgroupV1 and cgroupDriver: version 1 of control groups is what many
// machines still have, this kubelet among the last that accept it.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /GROUP
containerRuntimeEndpoint: unix://DIR/run/c.sock
podLogsDir: DIR/log/pods
readOnlyPort: 0
healthzPort: 0
maxPods: 300
registryPullQPS: 0
serializeImagePulls: false
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
evictionHard: {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"}
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
resolvConf: ""
clusterDomain: cluster.local
clusterDNS: [NODE]
nodeStatusUpdateFrequency: 2s
containerLogMaxSize: LOGSIZE
`

func (s *set) startKubelet(apiAddress string) error {
	logSize := os.Getenv("KUBEUP_LOG_SIZE")
	if logSize == "" {
		logSize = "10Mi" // the kubelet's own
	}
	text := strings.NewReplacer("DIR", s.dir, "GROUP", filepath.Base(s.dir), "NODE", nodeAddress, "LOGSIZE", logSize).Replace(kubeletConfig)
	if err := os.WriteFile(s.path("kubelet.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	ask := s.asker(apiAddress)
	ready := func() error {
		return ask("/api/v1/nodes/"+nodeName, func(body string) error {
			var node struct {
				Status struct {
					Conditions []struct{ Type, Status string }
				}
			}
			if err := json.Unmarshal([]byte(body), &node); err != nil {
				return err
			}
			for _, c := range node.Status.Conditions {
				if c.Type == "Ready" && c.Status == "True" {
					return nil
				}
			}
			return errors.New("the node is not ready")
		})
	}
	return s.run(kubelet, ready, s.k8s, "kubelet", "--config="+s.path("kubelet.yaml"), "--kubeconfig="+s.kubeconfig(),
		"--cert-dir="+s.path("pki"), "--node-ip="+nodeAddress, "--hostname-override="+nodeName)
}
