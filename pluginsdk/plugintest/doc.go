// Package plugintest is the conformance suite of the stephost.operator.v1
// contract: it starts a flavor's plugin as the host does, a real process over
// real gRPC, and tells which parts of the contract it keeps. The plugin may be
// written in any language.
//
// From an author's test:
//
//	func TestConformance(t *testing.T) {
//		plugintest.Run(t, plugintest.Config{Plugin: "bin/stephost-flavor-hive", Witness: t.TempDir()})
//	}
//
// Check is the same as a library call; Plan tells beforehand what it would do
// and how many jobs it would start.
//
// Every check has an ID, which does not change between versions, and one of
// four outcomes: pass, fail, absent (with what it would need: a capability, a
// hook of Config, the other tier) and waived (Config.Waive, with the author's
// reason). docs/conformance.md lists them all.
//
// Invariants:
//
//   - the package never imports the host and links no cloud SDK;
//   - what a check says is seen from outside: by the answers on the wire, by the
//     process, by the step's own witness or by the author's own commands, never
//     by asking the plugin how it did it;
//   - one fault of a plugin fails one check as far as possible: a check asserts
//     its own sentence and takes everything else as given;
//   - every wait is bounded, and a plugin that hangs, crashes or talks nonsense
//     ends as a failed check, not as a panic or a stuck test;
//   - the suite ends what it began: every process, and every job as far as the
//     plugin can cancel it; what may be left is in Report.Left;
//   - a plugin's processes get the environment that the host would give them.
package plugintest
