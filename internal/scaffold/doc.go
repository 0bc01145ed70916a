// Package scaffold writes the files of a new flavor: a complete project that
// builds and whose own test passes before a line of it was changed.
//
// Invariants:
//
//   - nothing that exists is overwritten: the directory is new or empty;
//   - nothing is run and nothing is downloaded;
//   - the manifest that is written is stamped and passes its own check;
//   - a project depends on the SDK alone, never on the host.
package scaffold
