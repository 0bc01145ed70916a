// Package cloudtest is what the tests of the flavors of clouds have in common: the
// fake as a process of its own, the flavor behind its real contract, and the
// calls that a test makes of it.
//
//	Programs, Main   the fake and the init process of images, built once
//	Flavor, New      the flavor as a gRPC server, with a target on a fake
//	Harness          the calls of the contract, with their errors checked
//	Conform          the conformance suite, with the fake's faults
//	Watched          calls about many runs that nothing happens to
//
// Invariants:
//
//   - the fake is a program without the race detector: it stands for a cloud, and
//     serves floods of a million lines;
//   - between test and flavor there is real gRPC, between flavor and fake the
//     vendor's own protocol;
//   - nothing outlives its test.
package cloudtest
