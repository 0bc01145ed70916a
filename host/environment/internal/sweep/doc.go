// Package sweep removes what was not used for a time from a cache.
//
// Invariants:
//
//   - the time of the last use is the modification time of a file, which whoever
//     uses it sets;
//   - a directory goes whole: it is renamed before anything in it is removed, so
//     that nobody meets a part of it;
//   - what is used while it is being looked at stays.
package sweep
