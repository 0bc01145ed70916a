//go:build race

package e2e

// raceEnabled: under the race detector the command under test is built with it.
const raceEnabled = true
