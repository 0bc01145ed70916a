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
//     still lives adds there later is void, and the header is there before the
//     first such byte, so that it writes no more, and no reader shows any;
//   - no trouble of the disk (full, over a limit, broken) ends a run: what cannot
//     be written is counted, and marked in the log as a gap as soon as it can be.
//     Settle tells what is still owed: a log that owes is not complete;
//   - a damaged or removed file of the log is a gap, never an error that keeps a
//     run from going on; a log that was removed whole is an error for its readers;
//   - a reader never holds up the writer.
package spool
