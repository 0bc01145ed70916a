// Package operatorv1 is the contract between the stephost host and a flavor's
// plugin process. The comments of operator.proto are its specification; the
// other files are generated from it by `make generate`.
//
// Invariants:
//
//   - host and pluginsdk meet only here;
//   - a message never prints the value of a Secret, however deep it lies: the
//     generated String methods go through redacted (see redact.go);
//   - the major version is the package name, a minor only adds.
package operatorv1
