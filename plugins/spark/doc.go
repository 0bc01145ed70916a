// Command stephost-flavor-spark is the flavor `spark`: it runs a step as an Apache
// Spark application.
//
// In client mode the driver is a process of this machine: spark-submit, which
// belongs to a runner (package pluginsdk/detached) and so outlives plugin and
// host. In cluster mode the driver runs on a worker of a standalone cluster, and the
// master's REST API starts it, tells how it is, and kills it (package
// internal/standalone).
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
//   - A driver is started once: no supervision, one attempt on YARN.
//   - Cancelled means that driver and executors are gone, as the standalone master
//     and its workers tell it.
package main
