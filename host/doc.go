// Package host is the host as a library: a thin face over its rooms. The CLI
// is one user of it.
//
// Invariants:
//
//   - a Host opens nothing until something is asked of it that needs it: to
//     list flavors opens no database, to validate starts no plugin;
//   - it holds no state of its own besides what it has opened;
//   - Close ends what it has started: no plugin process stays.
package host
