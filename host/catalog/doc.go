// Package catalog is all that is known without a run and without a plugin: the
// flavors, the operators and the project, and which of them a step means. The host
// is a catalog that can also launch.
//
// Invariants:
//
//   - nothing is started, and no store of runs is opened;
//   - neither gRPC nor go-plugin nor the store's engine is linked: the commands that
//     only need a catalog answer before a program with those has initialised.
package catalog
