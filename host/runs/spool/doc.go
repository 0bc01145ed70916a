// Package spool keeps the log of one run: an append-only sequence of framed
// entries in segment files, written by one process and read by any number.
//
// Invariants:
//
//   - what Append has acknowledged is read back once, whoever is killed when;
//     a frame that was torn by a death is never shown;
//   - the position in each source (its cursor) stands in the frame of the bytes
//     that it covers, nowhere else, so that bytes and position cannot part;
//   - a file is written by one Writer only. A new Writer starts a new segment,
//     whose header says where its predecessor ends: what a replaced writer that
//     still lives adds there later is void;
//   - no trouble of the disk (full, over a limit, broken) ends a run: what cannot
//     be written is counted, and marked in the log as a gap as soon as it can be;
//   - a reader never holds up the writer.
package spool
