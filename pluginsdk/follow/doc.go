// Package follow holds what readers of a job's log have in common where the
// service has to be asked again and again: the phase of the job, which whoever
// watches it has just been told, and the pause between two looks.
//
// Invariants:
//
//   - nothing here is needed for a right answer: what is not known is asked for;
//   - what was noted of a job that is not over is believed for a short time only,
//     an end for ever: a job does not begin again;
//   - the memory is bounded.
package follow
