// Package observe watches the Jobs and pods of a namespace for all runs of this
// process at once: two watches, however many runs there are.
//
// A Hub lives while somebody is subscribed, and some seconds longer. It opens a
// watch for Jobs and one for pods with stephost's label, from the present on, so
// that ended Jobs of other runs cost nothing. A key that somebody subscribes to
// is then read once with a list call; many keys share one. From then on the
// watches tell.
//
// Invariants:
//
//   - a key is read only while both watches are open, so nothing falls between
//     the list and the watch;
//   - of two states of an object the one with the higher resource version holds;
//   - a watch that breaks goes on where it broke; when the server has forgotten
//     that place (410), every key is read anew;
//   - all keys are confirmed by list calls every ConfirmEvery, because a watch
//     that says nothing and one that is dead look alike, and the host's timers
//     count only what was confirmed;
//   - nothing that the hub does not know is told: while the API server cannot be
//     asked, subscribers get the error, with what was known before it.
package observe
