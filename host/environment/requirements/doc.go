// Package requirements turns what a step says about its packages (lines, a
// requirements.txt, a pyproject.toml, a lock file, a Python version) into a set
// with a digest, and a set into a virtual environment that is built once; or, for
// a base image, into a tree of what the base lacks.
//
// Invariants of both:
//
//   - the digest of a request covers no credentials, so a token that changes every
//     hour builds nothing anew; credentials reach the installer and nothing else;
//   - one process builds, however many need it; the installer it runs keeps the
//     lock too, so that an installer which outlives a killed stephost never writes
//     into what another one builds.
//
// Of virtual environments:
//
//   - resolving a set only reads: it runs the interpreter to ask for its
//     version, and installs nothing;
//   - the digest covers the interpreter, the platform, the normalised lines, the
//     contents of every file and project they name, and the index settings of
//     pip and uv;
//   - a virtual environment is complete exactly when its marker file is there:
//     it is written last, after a sync. One without the marker is removed and
//     built again by whoever holds its lock;
//   - it is built where it will be used, for it cannot be moved.
//
// Of trees for a base image:
//
//   - packages are chosen for the base's platform, Python and C library, never for
//     this machine's; what the base has counts as installed, and what contradicts
//     it is an error unless it is asked for;
//   - nothing native is compiled: what is built from source here is pure Python, or
//     refused by name;
//   - a tree is named by its content, in which neither the machine, the user, the
//     time, the installer nor a path shows. It appears whole, by a rename, and its
//     record after it;
//   - a request that was resolved before is answered from its record, and no index
//     is asked. So floating versions ("numpy>=2", a branch of a repository, a file
//     behind an address) are chosen anew when the request changes (a line, a file,
//     a project, the base, an index setting) or the cache is gone, and never by
//     time alone: who wants newer versions writes them, or a lock file.
//
// Files that requirements name relatively are looked for beside the file that
// names them. Projects ("-e .", "./lib") are installed from a copy, as
// ordinary packages: the step runs what was there at the launch, and no build
// leaves files in the person's directory.
//
// uv installs when it is on PATH, else pip. A person who has told only pip about
// an index (PIP_INDEX_URL, pip.conf) gets pip, for uv would not look there.
package requirements
