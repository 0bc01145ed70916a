// Package report collects what the benchmarks measure and prints it as one
// table.
//
// Invariant: a goal that does not hold is printed, and nothing more: what fails
// on timing fails on a busy machine.
package report
