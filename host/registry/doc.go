// Package registry keeps what stephost knows: flavors (a manifest and, pinned
// beside it, an implementation) and operators (named, configured instances).
// It is files only, in stephost's home.
//
//	flavors/<name>/<version>/record.json     what was registered, from where
//	flavors/<name>/<version>/manifest-*.hcl  the manifest's bytes
//	artifacts/<sha256>/...                   implementations, content-addressed
//	operators/<name>.hcl                     one operator, HCL for people
//	operators/default                        the default operator's name
//	plugins/                                 drop-in directory: available
//	cache/scan.json                          what drop-ins and shipped files are
//
// Invariants:
//
//   - nothing of a plugin is ever executed here; only an interpreter (python3)
//     may be asked for its version and path: at registration, and again when
//     its file changed;
//   - a record appears whole or not at all: content first, under a name that
//     nobody reads, then fsync, then one rename; a process that dies in between
//     leaves staging files that a later registration sweeps;
//   - writers of one home exclude each other by a file lock; readers need none;
//   - what Executable hands out was compared with its pin: by stat tuple, and by
//     SHA-256 whenever the tuple changed. The threat is accidents and other
//     users: whoever can write as this user can write the record too;
//   - versions live side by side; registering a version moves no operator;
//   - one bad plugin, record or operator file never hides the others;
//   - listing reads records, and of files only their stat unless they changed.
package registry
