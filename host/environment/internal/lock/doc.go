// Package lock takes an exclusive lock on a file, between processes.
//
// Invariants:
//
//   - a lock ends with the last process that holds its file: a killed holder
//     leaves nothing to clean up, and a child that was given the file keeps the
//     lock for as long as it lives;
//   - lock files stay: removing one while another process opens it would let
//     two processes hold "the same" lock.
package lock
