// Package image makes images without a daemon: a base image, a layer of
// requirements, a layer of source, the shim, and a config. It finds the base in
// its registry, reads from its layers what it has, and sends to the step's
// registry only what that lacks.
//
// Invariants:
//
//   - what is built is named by content: the same base, requirements, source and
//     version of stephost give the same digest on another directory, user,
//     machine or time zone. Entries of layers are sorted, owned by 0:0 and dated
//     by one constant;
//   - a layer is compressed once and kept under its content key. A build that
//     changes nothing reads no file of the source, compresses nothing, asks no
//     package index and sends no layer;
//   - a blob or record of the cache appears whole or not at all: it is written
//     beside its place and renamed, under the lock of its key. Only what nobody can
//     check when it is read is synced: see cache.rename;
//   - no secret is in an image: not the step's environment, not a credential of
//     an index or a registry. Labels hold content keys only;
//   - plain HTTP is spoken to loopback, and to whom a person named in
//     STEPHOST_INSECURE_REGISTRIES; to nobody else, whatever a name looks like;
//   - nothing is kept at package level, and nothing is done at program start.
//
// In a built image: /.stephost/init is the shim, /stephost/lib and /stephost/bin
// hold the requirements, and /stephost/src the source, where the step starts.
// The requirements reach the base's own interpreter by a .pth file in its
// site-packages, and not by PYTHONPATH: so they count with -I and -E too, their
// own .pth files work, and no other Python in the image sees them.
package image
