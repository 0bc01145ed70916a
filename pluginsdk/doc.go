// Package pluginsdk is what the author of a flavor imports. It makes the whole
// stephost.operator.v1 contract out of a few methods:
//
//   - Launcher runs the step inside the plugin process. It is about ten lines,
//     and the run is lost with the process.
//   - Remote submits the step to a backend that outlives the process. It gets
//     recovery, adoption, retries and bounded waits from the SDK and the host.
//
// Optional interfaces (Finder, LogReader, Watcher, Planner, Preparer, Scoper,
// Preflighter, Validator, Cleaner, BatchStatus, RegistryAuthorizer) are found by
// type assertion. The capabilities in the manifest must agree with them; Main
// checks that at start. So is ProjectSetter, of the config's type.
//
// Invariants:
//
//   - the package never imports the host; they meet only in the proto package;
//   - an error of Status, Find, Logs, Scope, Cancel or Cleanup means "could not
//     ask" and never becomes a verdict;
//   - Submit answers REJECTED only for an error that the author wrapped with
//     Rejected; every other error is UNCERTAIN;
//   - a job is called LOST only after the live scope was compared once more;
//   - a panic of the author's code becomes a diagnostic and harms only its call;
//   - a Secret prints as "(sensitive)" under every verb and in JSON;
//   - a stream of Watch sends exactly one terminal event, as its last message;
//   - log bytes are never decoded or changed, only split.
package pluginsdk
