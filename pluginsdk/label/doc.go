// Package label writes what a flavor finds its jobs by as values of labels or
// tags: backends take small letters and digits there, and at most 63 of them.
//
//	Token          the hash of a run token, which may be any string
//	Digest         a request digest, which in hex is one character too long
//	Encode         any bytes
//
// Invariants:
//
//   - what is written has small letters and digits only; a token and a digest take
//     52 of them;
//   - what was written once is written so for ever: the next version of a flavor
//     finds the jobs of this one by it.
package label
