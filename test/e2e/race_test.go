//go:build race

package e2e

// raceFlags: under the race detector the command under test is built with it.
var raceFlags = []string{"-race"}
