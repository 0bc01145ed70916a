// Package shim is what the SDK and the static init process of built images say
// to each other: names of environment variables, the packed form of values that
// a backend cannot carry, and the text that carries an exit code.
//
// Invariants:
//
//   - it imports nothing outside the standard library, and little of that: the
//     init process is a layer of every image;
//   - what one version of the SDK writes, every later init process reads: an
//     image that is built stays in registries for years. Names are added, their
//     meaning never changes.
package shim
