// Package gcp speaks to Google Cloud for the flavor `vertex`: credentials, gRPC
// connections with the vendor's stubs, the JSON APIs of Cloud Storage, Artifact
// Registry, IAM Credentials and Cloud Quotas, and the call budget.
//
// Invariants:
//
//   - nothing is retried here: who calls knows whether a second call is harmless;
//   - a token travels over TLS, or to this machine;
//   - an error of credentials is told apart from an error of the service, because
//     with the first nothing was sent;
//   - no error and no log line holds a token or a key.
package gcp
