// Package backend is the backend of the fault flavor: a small cluster of one
// machine that really runs commands and misbehaves on request. It runs in a
// process of its own (test/fault/cmd/fault-backend), so that it survives the
// plugin and the host, as a cloud does.
//
// Invariants:
//
//   - a job is on disk before the answer to its creation leaves;
//   - argv reaches the process unchanged, without a shell;
//   - values of secrets are given to the process only: they are in no file and in
//     no answer;
//   - when the backend is told to end, no process that it began is left.
package backend
