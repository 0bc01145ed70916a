// Package source turns the directories that hold a step's code into a tree
// that has a digest and can be copied: which files, in which mode, with which
// content. What becomes of the tree (a work directory, a layer) is decided
// elsewhere.
//
// Invariants:
//
//   - a scan reads directory entries and ignore files, never another file's
//     content, so that a forgotten data directory costs no reading;
//   - every link in a tree stays inside it; devices, sockets and FIFOs are
//     refused; setuid, setgid and sticky bits never enter;
//   - the digest depends on paths, executable bits, link targets and contents
//     alone: not on times, owners, umask, or the place of the root;
//   - a file that changes while it is read is noticed, never half of it taken;
//   - blobs appear in the store by rename after fsync, so a killed process
//     leaves nothing wrong there.
//
// Ignore files: .gitignore (nested ones, those of parent directories up to the
// repository's root, and .git/info/exclude), .dockerignore (in the root, with
// Docker's own rules), .stephostignore (nested, grammar of .gitignore), then
// the exclude list. A path that .gitignore or .dockerignore leaves out is left
// out; .stephostignore and the exclude list may bring it back with "!path",
// also out of a directory that is left out when that pattern has a slash. Two
// differences from git: a file that is tracked although ignored is left out,
// and a person's global ignore file is not read, for it would make the digest
// depend on the person. Version control directories are never copied;
// __pycache__, tool caches and virtual environments only when brought back.
package source
