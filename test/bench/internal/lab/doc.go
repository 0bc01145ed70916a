// Package lab builds what the benchmarks measure and runs it, in a temporary
// directory.
//
// Invariants:
//
//   - everything lies in one directory, which Close removes: programs, homes,
//     sockets, logs;
//   - the environment of a measured process is made here and is the same for
//     all that are compared;
//   - standard output and error of a measured process are files, so that no
//     goroutine of the bench takes part.
package lab
