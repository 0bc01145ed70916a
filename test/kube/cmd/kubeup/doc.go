// Command kubeup starts Kubernetes for tests and keeps it until its standard
// input ends. Linux only.
//
//	kubeup control-plane K8S DIR
//	kubeup node K8S DIR
//
// K8S is the server binary (test/kubernetes), DIR an empty directory for state
// and logs. `control-plane` is etcd, API server, controllers and scheduler on
// free ports of the loopback interface; it needs no privilege. `node` adds a
// kubelet with containerd, runc and CNI, and an image registry, all in network,
// mount and PID namespaces of their own; it needs root.
//
// On stdout it writes JSON, a line each: first {"pid":...} of the namespaces'
// first process, then {"ready":true,...}, then one {"done":...} or
// {"error":...} for each command. Commands are lines on stdin, "VERB
// COMPONENT": kill, start, freeze, thaw.
//
// Nothing outlives it, whoever dies how:
//
//   - its standard input ends (the test process is gone): it kills all and ends;
//   - it is killed: PR_SET_PDEATHSIG kills its children; with a node the first
//     of them is the init of the PID namespace, and takes the rest along, with
//     the mounts;
//   - control groups and DIR are left then, and swept by the next start.
package main
