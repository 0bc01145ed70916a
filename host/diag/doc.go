// Package diag reads HCL written by people and shows what is wrong with it.
//
// Invariants:
//
//   - input is bounded before it is parsed: bytes, nesting, operators in one
//     expression. The parser and the evaluator recurse, and a stack overflow
//     cannot be caught in Go;
//   - nothing panics, whatever the bytes are;
//   - all problems of a source are reported at once, at most MaxShown of them;
//   - the slips that newcomers make get a text that says what to write instead;
//   - a diagnostic with Secret as its Extra never shows the value that it is
//     about, only the name.
package diag
