package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/lines"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

const (
	// logLines go through each time.
	logLines = 1_000_000
	// logRounds of the four variants; one takes seconds.
	logRounds = 7
	// producerBuffer is the C library's and Python's habit for a pipe, times
	// eight.
	producerBuffer = 64 << 10
	// logGoal is the rate that is enough, in million lines per second.
	logGoal = 1.0
)

// logVariant is one way of the lines.
type logVariant struct {
	name    string
	command lab.Command

	whole, stream, first stats.Sample
}

// benchLogs sends the lines of one program through a bare pipe and through a
// launch, and checks that each line arrives, complete and in order.
func benchLogs(ctx context.Context, b *bench) error {
	place, err := b.localPlace(ctx)
	if err != nil {
		return err
	}
	producer, err := b.Build(ctx, "producer")
	if err != nil {
		return err
	}
	each := []string{producer, "-lines", strconv.Itoa(logLines)}
	packed := []string{producer, "-lines", strconv.Itoa(logLines), "-buffer", strconv.Itoa(producerBuffer)}
	pipe := &logVariant{name: "pipe, a write for each line", command: lab.Command{Argv: each, Env: place.Env, Dir: place.Dir}}
	fast := &logVariant{name: "pipe, 64 KiB writes", command: lab.Command{Argv: packed, Env: place.Env, Dir: place.Dir}}
	launched := &logVariant{name: "launch, a write for each line", command: b.launchOf(place, each...)}
	launchedFast := &logVariant{name: "launch, 64 KiB writes", command: b.launchOf(place, packed...)}
	all := []*logVariant{pipe, launched, fast, launchedFast}
	for range logRounds {
		for _, v := range all {
			if err := b.logRound(ctx, v); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	for _, v := range all {
		line := report.Line{What: v.name, Sample: v.whole, Unit: "M lines/s",
			Note: fmt.Sprintf("first after %.0f ms, then %.2f", v.first.Median(), v.stream.Median())}
		if v == launched || v == launchedFast {
			// Pair by pair, because the pipe's own rate drifts with the machine.
			goal := stats.Pairs(pipe.whole, pipe.whole, func(p, _ float64) float64 { return min(logGoal, p/2) })
			line.Goal = fmt.Sprintf(">= %.2f", goal.Median())
			line.Holds = stats.Differences(v.whole, goal).Median() >= 0
		}
		b.Add(line)
	}
	b.Add(report.Line{What: "launch / pipe, a write for each line", Sample: stats.Ratios(launched.whole, pipe.whole), Unit: "x"})
	b.Note("Rates are over the whole life of the process, start and end of the launch in it. The goal is 1 M lines/s or half of the pipe with a write for each line, whichever is lower. Every line was compared.")
	return nil
}

func (b *bench) logRound(ctx context.Context, v *logVariant) error {
	var began, first, last time.Time
	c := v.command
	c.Read = func(r io.Reader) error {
		n, err := lines.Check(r, func() { first = time.Now() })
		last = time.Now()
		if err == nil && n != logLines {
			err = fmt.Errorf("%d of %d lines came", n, logLines)
		}
		return err
	}
	began = time.Now()
	ran, err := b.Run(ctx, c)
	if err != nil {
		return err
	}
	v.whole = append(v.whole, logLines/ran.Wall.Seconds()/1e6)
	v.stream = append(v.stream, logLines/last.Sub(first).Seconds()/1e6)
	v.first = append(v.first, lab.Milliseconds(first.Sub(began)))
	return nil
}
