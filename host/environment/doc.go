// Package environment prepares what a step needs around it. This file set
// makes the "directory" kind: a work directory that holds the step's source,
// and a cached virtual environment that holds its requirements. Its two halves
// (package source and package requirements) know nothing of directories or
// images, so that every kind of environment shares them.
//
// Invariants:
//
//   - nothing to prepare costs one mkdir: no interpreter is looked for, no
//     cache is opened;
//   - what is prepared is named by content: the same source and requirements
//     give the same digests on another machine directory, user or time zone;
//   - a work directory appears whole or not at all (it is filled beside its
//     place and renamed), so preparing again after a crash is always safe;
//   - the user's own files are only read; the step gets copies that it may
//     write;
//   - no message holds the credentials of an index address.
//
// A virtual environment is shared by all runs that ask for the same content. A
// step that installs packages into it by itself changes it for the others;
// requirements are the way to ask for packages.
package environment
