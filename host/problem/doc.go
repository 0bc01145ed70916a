// Package problem is the error that a person sees when there is no line of HCL
// to point at. (Where there is one, the error is an hcl.Diagnostic.)
//
// Invariants:
//
//   - a problem says what happened, to whom (flavor, operator, run, phase), and
//     what to do next;
//   - its text is bounded and never holds a secret;
//   - it wraps its cause, so errors.Is and errors.As keep working.
package problem
