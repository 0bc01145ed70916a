// Package e2e tests the flavor `spark` with the stephost command line, the plugin's
// real binary and a real Spark: on a local master, and on a standalone cluster of
// one master and two workers, in client and in cluster mode.
package e2e
