// Package crowd drives many runs of the fault flavor in one host process and
// says what they cost.
//
// Invariants:
//
//   - every run is a real one: a record in the store, a spool, a real plugin
//     process, a job at a real backend process;
//   - a figure is given only when every run did what it should: the right
//     verdict and the whole log.
package crowd
