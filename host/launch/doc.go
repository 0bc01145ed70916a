// Package launch is the life of a run: it moves a run from its creation to
// its verdict and on to closed, and it continues one that somebody else began.
//
// There is one way through a run, Drive, for a fresh launch and for a recovery
// alike: it looks at the stored state and does the next act.
//
//	created -> preparing -> submitting -> submitted -> verdict -> drained -> cleaned -> closed
//	                           \-> unknown, blocked
//
// Invariants:
//
//   - a state is stored before the act that it names: `submitting` before the
//     creating call, the handle before anything is done with it, a cancel
//     intent before Cancel, the verdict before anything that depends on it;
//   - a creating call is repeated only where the key makes that harmless
//     (resubmittable); everything else asks Find, and what stays undecided is
//     `unknown`, which never submits again;
//   - attempt N+1 exists only when N is proven over, and its row, the verdict
//     of N and the check of the cancel intent are one transaction;
//   - "could not ask" is never a verdict, and no timer fires on a state that
//     was not confirmed after its deadline;
//   - a refused write (runs.FencedError) ends this owner's acts at once: no
//     Cancel, no Cleanup;
//   - ending the context of Drive leaves the run to the next owner; it never
//     cancels the job. Cancelling is an intent in the store;
//   - secrets are resolved when a call needs them and are never stored.
package launch
