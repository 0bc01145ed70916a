// Package api is how the flavor speaks to Modal: the vendor's SDK, the vendor's
// stub on the SDK's own connection, and connections to the machines that run
// sandboxes, which serve their output.
//
// Invariants:
//
//   - the login is the SDK's (token, .modal.toml, OAuth, environment variables);
//     nothing here reads credentials;
//   - a call that creates a sandbox is made once: neither the SDK's retries nor
//     its waits for a throttle repeat it;
//   - an error of a read is "could not ask".
package api
