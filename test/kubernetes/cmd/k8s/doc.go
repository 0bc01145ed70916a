// Command k8s is etcd, the servers of Kubernetes and CoreDNS in one static
// binary, for the tests: `k8s apiserver --flags`, or by a link that is named so.
// One binary, because they share most of what is linked.
package main
