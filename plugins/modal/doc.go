// Command stephost-flavor-modal is the flavor `modal`: it runs a step as a
// sandbox of Modal.
//
// It signs in and builds images with Modal's own Go SDK, and makes the calls
// about sandboxes on the vendor's stubs, over the SDK's connection (package
// internal/api): the SDK's Create waits for a machine and ends the sandbox when
// its context ends, its Wait makes an exit code of every end, and its lookups
// ask one of the two backends only.
//
// Invariants:
//
//   - Plan and Submit share one function (build), so a plan is what runs.
//   - Submit makes one creating call, which nothing retries, and returns as soon
//     as there is an ID. Nothing that happens to the context later ends the
//     sandbox.
//   - The sandbox's name is the key. A name is taken while its sandbox runs, so
//     Submit looks for an ended one first, and the host never sends again what
//     may have been accepted (key_lives = "while_running").
//   - Both backends are asked: a sandbox with a GPU is on the older one, every
//     other on the newer one.
//   - What a job has beside the sandbox is one Modal secret, whose name is made
//     of the key: whoever comes later finds it and removes it.
//   - Nothing is held in this process that another one would need.
package main
