// Package kube gives tests a real Kubernetes: the API server, the controllers
// and the scheduler of the release that test/kubernetes/go.mod names, and, where
// a test needs its pods to run, a kubelet with containerd, runc and a registry.
//
//	k := kube.ControlPlane(t)   // no root; ready in 3 s; pods stay Pending
//	k := kube.Node(t)           // root; ready in 5 s; pods run
//	k := kube.OldNode(t)        // the same with a containerd that loses ends of logs
//	k := kube.RoomyNode(t)      // with a kubelet that rotates no log below 200 MiB
//	k := kube.Start(...)        // the same for a TestMain
//	k := kube.StartDual(...)    // with pods that have an IPv6 address, too
//
//	k.Kubeconfig   context "admin" (current) may do all, "limited" nothing
//	k.Registry     127.0.0.1:PORT, plain HTTP, the same name for host and kubelet
//	k.Image        a busybox image there, by digest: it has /bin/sh
//	k.Expose(inside, outside)  what the test serves, for the node and its pods
//	k.Kill(t, kube.APIServer), k.Restart(...), k.Freeze(...), k.Thaw(...)
//	k.Kubectl(ctx, "get", "pods"), k.Command(ctx, "ps", "aux")
//
// This package links nothing of Kubernetes. The server is one binary of 140 MB
// which is built once and kept in the user's cache directory, under a name that
// holds the hash of its sources: some minutes the first time, nothing later. A
// process of its own (cmd/kubeup) starts and watches the servers.
//
// Invariants:
//
//   - Nothing outlives the test process, however it ends.
//   - A cluster is private to who started it: free ports of the loopback
//     interface, state in a temporary directory, and with a node network, mount
//     and PID namespaces of their own. Any number of them may live at once.
//   - The test stays outside of the namespaces; what it serves is relayed inside only
//     where it says so. API server and registry are relayed to the host's loopback
//     interface, at the ports that they have inside, so that one kubeconfig and one
//     image reference hold on both sides. A killed server's port refuses connections.
//     Pods reach the API server at the address of its Service, as on any cluster.
//   - The node shares the host's file system (but for /run, /var/lib/kubelet and
//     /var/lib/cni): a hostPath volume is a directory of the test.
//   - What a machine lacks is a loud skip, and a failure where CI=true.
package kube
