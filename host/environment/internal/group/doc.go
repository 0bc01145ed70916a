// Package group runs a tool in a process group of its own and sees to it that
// nothing of it stays.
//
// Invariants:
//
//   - Run returns only after the tool was reaped and its group was killed; where
//     the system allows (Linux), a tool also dies with this process;
//   - the tool reads an empty file, never the terminal: it cannot ask for a password;
//   - what is kept of its output is bounded.
package group
