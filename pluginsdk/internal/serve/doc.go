// Package serve is the plugin's side of a plugin process: it reads the lifeline,
// serves the contract over mutual TLS, and ends in order.
//
// Invariants:
//
//   - Nothing that the host handed over (cookie, descriptors, key) is left in the
//     environment or open for children when the first call reaches the author's
//     code.
//   - Only the host that started this process is answered: its exact certificate
//     is required, and without TLS nothing is served.
//   - The context of a Submit is cancelled neither by a vanished host nor by a
//     stop; a stop waits for it, at most lifeline.SubmitGrace. Every other call is
//     cancelled at once.
//   - A panic in a handler costs that call only.
//   - A host that no longer reads the log neither kills nor blocks the plugin.
//   - grpc.WaitForHandlers is never set: go-plugin's own shutdown call would wait
//     for itself.
//
// The protocol is written down in package lifeline.
package serve
