// Package smalldisk gives tests a file system of a few MiB, to see what happens when it
// is full.
//
// Invariants:
//
//   - mounting needs root: without it a test is skipped with words that say what was not
//     tested, and under CI=true it fails;
//   - the file system goes with its test.
package smalldisk
