// Command stephost-flavor-spark is the flavor `spark`: it runs a step as an Apache
// Spark application.
//
// In client mode the driver is a process of this machine: spark-submit, which
// belongs to a runner (package pluginsdk/detached) and so outlives plugin and
// host. In cluster mode the driver runs on a worker of a standalone cluster, and the
// master's REST API starts it, tells how it is, and kills it (package
// internal/standalone). On Kubernetes the driver is a Job, as the flavor `kubernetes`
// makes one (package plugins/kubernetes/job): spark-submit runs in its pod, in client
// mode, and makes executors from a template of a pod (kube*.go; the scripts beside
// them run in the pods).
//
// Why not `spark-submit --deploy-mode cluster` on the launching machine: it needs a
// Java and a Spark there, its process would have to be kept alive and recovered until
// there is a driver's pod, and the pod has no name before. A Job is made with one call
// under the attempt's key, and what is promised of Jobs holds for the driver.
//
// Invariants:
//
//   - Plan and Submit share one function (build), so a plan is what runs.
//   - The step's arguments are never joined and go through no shell; those that
//     Spark's scripts or Java would change reach the driver encoded (app.go).
//   - No secret is a property of Spark or an argument. In client mode it is in the
//     environment of the driver's process alone.
//   - Submit is idempotent on the key in both modes. The REST API takes no key: the
//     record on this disk is made before the one request that creates a driver, and
//     that request is never sent again. Lost answers leave the run unknown.
//   - A driver is started once: no supervision, one attempt on YARN. One that the
//     master has given up, because it lost the worker, is lost and not failed: it may
//     run on, so no further attempt is made beside it.
//   - Cancelled means that driver and executors are gone, as the standalone master
//     and its workers, or the API server, tell it. A worker ends Java alone: what the
//     command has started there ends by lookafter.py, moments after Java.
//   - On Kubernetes executors get neither the step's variables nor its secrets nor a
//     token, and go with the driver's pod, which owns them.
//
// The binary weighs what that of the flavor `kubernetes` does, of which it has all
// that asks the API server; without that it would weigh what that of `local` does.
package main
