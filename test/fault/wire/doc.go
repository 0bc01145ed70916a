// Package wire is the language between the fault flavor and its backend: JSON
// over HTTP on a unix socket.
//
// Invariants:
//
//   - secrets travel in JobRequest.Secrets and come back in no answer;
//   - a Client maps every answer of the backend to one typed error.
package wire
