// Package handover lets the front go on as the host program.
//
// The `stephost` that people start is the front: the command line without what starts
// plugins and keeps runs, whose initialisation takes longer than any command that needs
// nothing of it (docs/benchmarks.md). What the front does not have it hands over: the
// same process executes the host program, a file that comes with it, with the same
// arguments, which are parsed there anew. Whoever waits for the process, signals it or
// reads its streams sees one process.
//
// The host program is the same source built without the tag "front", and complete: it
// is a `stephost` too.
//
// This package imports little, so that package early is initialised before what is
// slow.
package handover
