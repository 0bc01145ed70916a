// Package pyenv makes the virtual environment in which this repository's tests and
// benchmarks run flavors written in Python.
//
// Invariants:
//   - one environment for each content of python/requirements-dev.txt, each Python
//     and each checkout, below the user's cache directory; nothing is installed
//     anywhere else;
//   - the package stephost_flavor itself is not installed: it is found in the
//     checkout, so that a change of it is there at once;
//   - many processes may ask at once; a half-made environment is never used.
package pyenv
