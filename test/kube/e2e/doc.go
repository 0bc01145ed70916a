// Package e2e holds the tests of the flavor `kubernetes` on a real cluster: API
// server, scheduler, controllers, kubelet, containerd and a registry, which the
// tests start themselves (test/kube). Everything goes through the stephost
// command line, as a user's step does, and what is at the cluster is told by
// kubectl, never by stephost's records.
//
// They need root on Linux and the packages of test/kubernetes/packages.txt; else
// they are skipped loudly, and fail where CI=true.
package e2e
