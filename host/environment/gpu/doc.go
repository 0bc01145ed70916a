// Package gpu tells before a launch what of a base image and its packages does
// not fit a step that asks for GPUs, and what would.
//
// Invariants:
//
//   - it only reads what it is given: no network, no files, no processes;
//   - it warns and never refuses: the tables age, and a person may know better;
//   - no GPU asked for, no warning.
package gpu
