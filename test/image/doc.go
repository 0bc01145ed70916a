// Package image has what the tests of images need and only a machine can give: a
// base image with a real Python, a real registry, and a way to run an image. The
// tests in it build images with stephost, push them, and run them.
//
// The base image is made here, for no public registry of images can be reached
// where the tests run: apt-get names the packages of Python and what they need
// (from an empty package state, so that nothing of this machine counts), fetches
// them, and dpkg-deb unpacks each into one directory. No maintainer script runs.
// The names in apt's list carry versions, so the list is the key under
// which the image is cached. It is pushed as one layer.
//
// The registry is Debian's docker-registry, a process of its own with its own
// disk. It tells of every blob that it took by a notification, which is how the
// tests know what was uploaded: not by what stephost says. All tests share one, each
// with a repository of its own, but for those that look into its disk. What breaks
// within an upload is also shown to CNCF's registry in its current version, which knows
// afterwards where it stands. A relay of the test stands between, breaks connections at
// a byte, and counts what came through.
//
// Dockerfiles are built by Debian's docker and buildah, and by BuildKit. Neither that nor
// the current registry is Debian's: both are built once from Go modules of their own
// (test/buildkit, test/registry) into the user's cache directory, which cmd/prebuild does
// before the tests.
//
// An image is run by runc, from its layers unpacked into a directory, in
// namespaces of its own but for the network. Nothing of the machine is in it.
//
// All of this needs root, and the Debian packages in packages.txt. Where they are
// missing the tests are skipped, loudly, and under CI=true they fail.
package image
