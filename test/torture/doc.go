// Package torture kills stephost and its plugins at every boundary of a run's
// life, and at random, and looks whether what the design promises still holds.
// Run does it to one flavor; the tests of this package do it to `local` and to
// the fault flavors, and every plugin's own tests to that plugin.
//
// Everything is real: the stephost command line and the plugin, built with the
// tag "failpoint", and whatever backend the flavor's Setup starts. What a step
// did is told by the step's own witness, never by stephost's records.
//
// Invariants that every scenario checks:
//
//   - an attempt ran at most once;
//   - the run ends with the step's true verdict, or as unknown where the backend
//     cannot tell, and then sends nothing when it is launched again;
//   - the log is whole, in order and without doubles, or says where it may not be;
//   - no process of stephost, of a plugin or of the step is left.
//
// STEPHOST_TORTURE=long makes the long form; STEPHOST_TORTURE_SEED repeats one.
package torture
