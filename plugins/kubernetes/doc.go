// Command stephost-flavor-kubernetes is the flavor `kubernetes`: it runs a step
// as a Kubernetes Job.
//
// Rooms: job makes Jobs of steps and statuses of Jobs, for other flavors too;
// internal/kube asks the API server, internal/observe watches all runs of a
// namespace at once, internal/podlog reads the log of a container. What is here is
// the manifest alone.
//
// The binary has 21.4 MB (linux/amd64, stripped): of client-go only its REST client
// and the loader of kubeconfigs, and of the API groups core, batch and authorization;
// an empty plugin on the SDK has 12.
package main
