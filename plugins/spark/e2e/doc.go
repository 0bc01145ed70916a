// Package e2e tests the flavor `spark` with the stephost command line, the plugin's
// real binary and a real Spark: on a local master, and on a standalone cluster of
// one master and two workers, in client and in cluster mode. Where hundreds of deaths
// are the matter, a stand-in of spark-submit, or of the master and a worker (package
// internal/fake), saves the Javas; the boundaries around a submission are crossed on
// a real master, too.
package e2e
