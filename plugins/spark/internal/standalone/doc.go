// Package standalone speaks with a Spark standalone cluster over HTTP: the REST API
// of its master, which starts, shows and kills drivers, and the web UIs of master
// and workers, which tell as JSON what runs and as text what a driver printed.
//
// Sources: Spark's documentation, "Spark Standalone Mode" ("REST API"); the classes
// org.apache.spark.deploy.rest.SubmitRestProtocolMessage and
// org.apache.spark.deploy.JsonProtocol; org.apache.spark.deploy.worker.ui.LogPage
// (the path /log).
//
// Invariants:
//
//   - Create sends one request, on a connection of its own: Go's client would send
//     a request again by itself when a connection that it kept turns out to be dead.
//   - An answer that the master gave and that says no is a *RefusedError; a
//     connection that was refused is ErrNotSent; everything else leaves it open.
package standalone
