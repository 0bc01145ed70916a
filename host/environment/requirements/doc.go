// Package requirements turns what a step says about its packages (lines, a
// requirements.txt, a pyproject.toml, a Python version) into a set with a
// digest, and a set into a virtual environment that is built once.
//
// Invariants:
//
//   - resolving a set only reads: it runs the interpreter to ask for its
//     version, and installs nothing;
//   - the digest covers the interpreter, the platform, the normalised lines, the
//     contents of every file and project they name, and the index settings of
//     pip and uv; it covers no credentials, so a token that changes every hour
//     builds nothing anew;
//   - a virtual environment is complete exactly when its marker file is there:
//     it is written last, after a sync. One without the marker is removed and
//     built again by whoever holds its lock;
//   - it is built where it will be used, for it cannot be moved;
//   - one process builds it, however many need it; the installer it runs keeps
//     the lock too, so that an installer which outlives a killed stephost never
//     writes into what another one builds;
//   - credentials in index addresses reach the installer and nothing else.
//
// Files that requirements name relatively are looked for beside the file that
// names them. Projects ("-e .", "./lib") are installed from a copy, as
// ordinary packages: the step runs what was there at the launch, and no build
// leaves files in the person's directory.
//
// uv installs when it is on PATH, else pip. A person who has told only pip about
// an index (PIP_INDEX_URL, pip.conf) gets pip, for uv would not look there.
package requirements
