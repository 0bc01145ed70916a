// Package torture kills stephost and its plugins at every boundary of a run's
// life, and at random, and looks whether what the design promises still holds.
//
// Everything is real: the stephost command line and the local flavor, built
// with the tag "failpoint"; the fault flavor with its backend. What a step did is
// told by the step's own witness file, never by stephost's records.
//
// Invariants that every scenario checks:
//
//   - an attempt ran at most once;
//   - the run ends with the step's true verdict, or as unknown where the backend
//     cannot tell;
//   - the log is whole, in order and without doubles, or says where it may not be;
//   - no process of stephost, of a plugin or of the step is left.
//
// STEPHOST_TORTURE=long makes the long form; STEPHOST_TORTURE_SEED repeats one.
package torture
