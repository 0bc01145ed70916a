package main

import (
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

// addMS adds a duration without a goal.
func (b *bench) addMS(what string, s stats.Sample) {
	b.Add(report.Line{What: what, Sample: s, Unit: "ms"})
}

// addGoal adds a figure with a goal; "" = none.
func (b *bench) addGoal(what string, s stats.Sample, unit, goal string, holds bool) {
	b.Add(report.Line{What: what, Sample: s, Unit: unit, Goal: goal, Holds: holds})
}
