// Package version holds stephost's own version, for the host, the SDK and the
// CLI alike.
package version

// Version is the release; the file VERSION in the repository's root says the
// same (a test compares them).
const Version = "0.1.0"

// Protocol is the major of the contract (stephost.operator.v1).
const Protocol = 1
