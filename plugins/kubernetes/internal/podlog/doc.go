// Package podlog reads the log of one container through the API server, without
// losing or doubling a line when the stream breaks.
//
// What a kubelet serves has no positions. Each line begins with the time at which
// the container runtime read it, in nanoseconds, and a request can ask for what
// is newer than a whole second. So a cursor names the last line that was
// delivered (its time, its number among lines of that time, its length and
// checksum), a resumed read begins a little before it, and drops what it shows
// up to that line. A seam that does not see that line again is marked: the file
// was rotated in between, and only the newest file is served.
//
// Invariants:
//
//   - bytes are never decoded or changed: lines above 16 KiB, which the runtime
//     stores in pieces, every byte, a last line without newline;
//   - lines are dropped at a seam only up to the line that the cursor names;
//   - a seam without that line is a gap, possible where nothing proves more;
//   - times are compared with slack, because standard output and standard error
//     are stamped apart and stand in the order in which they were written.
package podlog
