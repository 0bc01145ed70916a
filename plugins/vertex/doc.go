// Command stephost-flavor-vertex is the flavor `vertex`: it runs a step as a
// custom training job of Google Vertex AI.
//
// It speaks to Vertex AI and Cloud Logging through the vendor's generated gRPC
// stubs on connections of its own (package internal/gcp), and to Cloud Storage,
// Artifact Registry and IAM Credentials through their JSON APIs. The vendor's
// client libraries would double size and start time of the binary and retry
// behind the flavor's back.
//
// Invariants:
//
//   - Plan and Submit share one function (build), so a plan is what runs.
//   - Submit makes one creating call and nothing retries it. CreateCustomJob
//     takes no key, so whoever is not certain looks for the job, and never sends
//     again.
//   - With a bucket, who creates the key's marker may create the job; who finds
//     the marker there may only look for it (marker.go).
//   - DisableRetries is always set: a job starts its container once, as far as
//     Vertex AI promises it.
//   - Nothing but Create, Cancel and Delete goes around the call budget.
//   - Nothing is held in this process that another one would need.
package main
