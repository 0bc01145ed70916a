// Command wrong is a flavor that breaks one rule of the contract at a time, for
// the tests of the conformance suite. The variable PLUGINTEST_WRONG names the
// rule; without it the flavor is right.
//
// Invariant: a mode changes what it names and nothing else, so that the suite
// can be held to exactly one failed check. The right flavor is a Remote on the
// backend of test/fault (right.go); modes wrap its calls (wrong_*.go) or serve it
// in a wrong way (raw.go).
package main
