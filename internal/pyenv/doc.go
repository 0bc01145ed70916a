// Package pyenv makes the virtual environments in which this repository's tests and
// benchmarks run flavors written in Python, and what else they need from a package
// index (Spark).
//
// Invariants:
//   - one environment for each content of a file of pinned requirements (Make:
//     python/requirements-dev.txt), each Python and, with Make, each checkout, below
//     the user's cache directory; nothing is installed anywhere else;
//   - the package stephost_flavor itself is not installed: it is found in the
//     checkout, so that a change of it is there at once;
//   - many processes may ask at once; a half-made environment is never used.
package pyenv
