// Package process starts, shares, watches and stops plugin processes. It is the
// only room of the host that touches go-plugin, and of go-plugin it uses the
// handshake, the negotiation of the major, AutoMTLS and the client; starting,
// reading, waiting and killing are its own, because go-plugin's have no deadline
// and no process group.
//
// Invariants:
//
//   - Every wait is bounded by a named constant or the caller's context.
//   - A plugin leads its own process group; when its process has ended, nothing of
//     the group is left, and nothing that has left the group (a detached runner
//     that still holds standard error) keeps the host waiting.
//   - A client, its certificates and its pipes are used for one start only.
//   - The private key of a plugin exists in the host's memory and in the lifeline,
//     never in an environment, an argument or a file.
//   - A plugin whose flavor, version, protocol or manifest digest differs from what
//     was registered is never handed out.
//   - Done is closed after the last line of standard error was read (bounded), so
//     that Err can tell a panic.
//   - After Manager.Close no process, goroutine, descriptor or socket of this
//     package is left. Close says so with an error where the kernel does not let
//     go of a process.
//
// What the plugin sees is written down in package lifeline.
package process
