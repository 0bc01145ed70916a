package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// initCost is what the initialisation of one package took.
type initCost struct {
	pkg string
	ms  float64
}

// inits reads the lines of GODEBUG=inittrace=1, the most expensive package
// first:
//
//	init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
func inits(stderr string) (costs []initCost, sum float64) {
	for line := range strings.Lines(stderr) {
		var c initCost
		var at float64
		if n, _ := fmt.Sscanf(line, "init %s @%f ms, %f ms clock", &c.pkg, &at, &c.ms); n != 3 {
			continue
		}
		costs = append(costs, c)
		sum += c.ms
	}
	slices.SortFunc(costs, func(a, b initCost) int { return cmp.Compare(b.ms, a.ms) })
	return costs, sum
}
