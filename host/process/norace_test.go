//go:build linux && !race

package process

const raceEnabled = false
