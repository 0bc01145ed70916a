// Package lifeline is the one thing beside the contract on which the host and a
// plugin agree: what a plugin is given when it is started. This text is the
// protocol; an author who does not use the Go SDK can implement it from here.
// docs/plugin-protocol.md shows it with an example in Python.
//
// # The environment of a plugin
//
//	STEPHOST_PLUGIN            the cookie, see CookieValue. When it is missing, a
//	                           person has started the file: print a hint, exit 125.
//	STEPHOST_LIFELINE_FD       a decimal file descriptor number: the lifeline.
//	                           Not set on Windows.
//	PLUGIN_PROTOCOL_VERSIONS   majors that the host speaks, "1" or "1,2".
//	PLUGIN_UNIX_SOCKET_DIR     a directory of mode 0700 for the plugin's socket;
//	                           the plugin removes its socket when it ends.
//	PLUGIN_CLIENT_CERT         only with `tls = "auto"`: go-plugin's AutoMTLS.
//
// Standard input is /dev/null. The plugin leads a process group of its own.
//
// # The lifeline
//
// The lifeline is the reading end of a pipe whose only writing end the host
// holds. The host writes one line, the hello, and nothing more for as long as
// it wants the plugin:
//
//	{"lifeline":1,"log_level":"info","tls":{"cert":PEM,"key":PEM,"peer":PEM}}
//
// A reader skips members that it does not know and, after the hello, lines that
// it does not know. The hello is at most HelloLimit bytes long.
//
//   - tls.cert and tls.key are what the plugin serves with: ECDSA P-256, made
//     for this one process. They are never in the environment, in arguments or
//     in a file.
//   - tls.peer is the host's certificate. The plugin MUST require a client
//     certificate and MUST accept this one only.
//   - Without tls the plugin uses PLUGIN_CLIENT_CERT (AutoMTLS). With neither it
//     refuses to serve, unless the hello says "insecure":true, which exists for
//     benchmarks only.
//
// End of file means: stop. The host has asked for it or is gone, and it makes no
// difference which. The plugin refuses new calls, cancels every running call but
// Submit at once, lets a running Submit finish for at most SubmitGrace without
// cancelling its context, and exits 0. SIGTERM means the same. SIGINT and SIGHUP
// mean nothing: they reach a plugin from a terminal, and the host decides.
//
// # The handshake
//
// When it listens, the plugin writes go-plugin's line to standard output:
//
//	1|MAJOR|unix|/path/of/the/socket|grpc|
//
// Nothing else belongs on standard output. Standard error is the plugin's own
// log: hclog's JSON lines, or plain text.
//
// # A plugin under a debugger
//
// An author starts the plugin himself, with STEPHOST_ATTACH naming a directory
// and nothing else of the above. The plugin then reads its hello from the file
// "hello" in it, in place of the lifeline; it waits until stephost has written
// it. It listens on a socket of any name in that directory; nobody reads its
// standard output; and it ends on SIGINT or SIGTERM. What stands between it and the
// host is a relay (`stephost launch --attach-plugin NAME=DIRECTORY`), which is the
// plugin process for the host and the host for the plugin. The directory and the
// file belong to the author alone (modes 0700 and 0600).
//
// # Invariants of this package
//
//   - It imports the standard library only, so that both sides may import it.
//   - A Hello never prints its private key.
package lifeline
