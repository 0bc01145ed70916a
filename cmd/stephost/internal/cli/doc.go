// Package cli is the command line: one file per noun, parsing and printing
// only. What a command does lies in package host.
//
// Invariants:
//
//   - stdout carries what was asked for (a list, a document, the step's stdout),
//     stderr everything else;
//   - with --output json stdout is JSON alone: one document, or NDJSON whose last
//     line is the result where a command goes on for a while;
//   - every error ends with what to do next, and its exit code is 125 unless it
//     is a step's own;
//   - nothing is opened before a command needs it.
//
// With the build tag "front" the commands that start plugins or look at runs are left
// out, and handed over to the program that has them (package handover): files that
// begin with "!front" are those commands and what they need, front.go stands for them.
package cli
