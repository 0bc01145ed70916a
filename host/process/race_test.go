//go:build linux && race

package process

// raceEnabled builds the plugin under test with the race detector too.
const raceEnabled = true
