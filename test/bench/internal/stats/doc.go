// Package stats is the little arithmetic of the benchmarks.
//
// Invariants:
//
//   - medians and percentiles, never means: on a shared machine one slow run
//     says nothing about the program;
//   - what is compared is compared pair by pair: both halves of a pair ran one
//     after the other, so that a drift of the machine is in both.
package stats
