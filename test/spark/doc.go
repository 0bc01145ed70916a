// Package spark gives tests and benchmarks a real Spark: the one that the package
// pyspark carries, in a virtual environment that is made once (package pyenv), and
// a standalone cluster of it on the loopback address.
//
// Invariants:
//
//   - it needs Java and a package index; what is missing is an error, not a skip;
//   - everything that a cluster starts is in process groups of its own, and ends
//     with Stop;
//   - all of it listens on 127.0.0.1 alone.
package spark
