package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stephost/stephost/test/bench/internal/crowd"
	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/manifests"
)

const (
	// perRun is the goal: host memory of one run, in KB.
	perRun = 200
	// memoryRounds of each size, one process each; the figures hardly differ.
	memoryRounds = 3
	// crowdBound ends a crowd that hangs.
	crowdBound = 10 * time.Minute
	// crowdOperator is the operator of a crowd's place.
	crowdOperator = "crowd"
)

// benchMemory holds 1, 100 and 1,000 runs of the fault flavor in one host
// process.
func benchMemory(ctx context.Context, b *bench) error {
	for _, n := range []int{1, 100, 1000} {
		var rss, plugin, perRSS, perGo, goroutines, left, launched, ended []float64
		for i := range memoryRounds {
			var profile string
			if b.keep != "" && i == 0 {
				profile = filepath.Join(b.keep, fmt.Sprintf("crowd-%d.heap", n))
			}
			r, err := b.crowd(ctx, n, true, profile)
			if err != nil {
				return fmt.Errorf("%d runs: %w", n, err)
			}
			each := func(full, before int64) float64 { return float64(full-before) / float64(n) / 1024 }
			rss = append(rss, mib(r.Full.RSS))
			plugin = append(plugin, mib(r.Full.PluginRSS))
			perRSS = append(perRSS, each(r.Full.RSS, r.Before.RSS))
			perGo = append(perGo, each(r.Full.Go, r.Before.Go))
			goroutines = append(goroutines, float64(r.Full.Goroutines-r.Before.Goroutines)/float64(n))
			left = append(left, float64(r.After.Goroutines-r.Before.Goroutines))
			launched = append(launched, r.Launched.Seconds())
			ended = append(ended, r.Ended.Seconds())
		}
		name := fmt.Sprintf("%d runs: ", n)
		b.Add(report.Line{What: name + "host, resident", Sample: rss, Unit: "MiB"})
		b.Add(report.Line{What: name + "plugin, resident", Sample: plugin, Unit: "MiB"})
		if n == 1 {
			b.Add(report.Line{What: name + "host above one without runs", Sample: perRSS, Unit: "KiB", Note: "with what all runs share"})
		} else {
			line := report.Line{What: name + "host memory of one run", Sample: perRSS, Unit: "KiB"}
			if n == 1000 {
				line.Goal = fmt.Sprintf("<= %d KB", perRun)
				line.Holds = line.Sample.Median()*1.024 <= perRun
			}
			b.Add(line)
			b.Add(report.Line{What: name + "of it Go heap and stacks", Sample: perGo, Unit: "KiB"})
			b.Add(report.Line{What: name + "goroutines of one run", Sample: goroutines})
		}
		b.Add(report.Line{What: name + "until all are running", Sample: launched, Unit: "s"})
		b.Add(report.Line{What: name + "from their release until all are closed", Sample: ended, Unit: "s"})
		line := report.Line{What: name + "goroutines left", Sample: left, Goal: "0"}
		line.Holds = line.Sample.Quantile(1) <= 0
		b.Add(line)
	}
	b.Note("Resident memory after a garbage collection while all run; each with its whole log of %d lines in the spool.", crowd.LogLines)
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// faultWorld is a place with the fault flavor, an operator and a backend.
type faultWorld struct {
	*lab.Place
	backend *fault.Backend
}

func (b *bench) faultWorld(ctx context.Context) (*faultWorld, error) {
	programs, err := b.Faults(ctx)
	if err != nil {
		return nil, err
	}
	place, err := b.Place()
	if err != nil {
		return nil, err
	}
	plugin, err := programs.Install(place.Dir, manifests.Key)
	if err != nil {
		return nil, err
	}
	state, err := b.TempDir("b")
	if err != nil {
		return nil, err
	}
	backend, err := programs.Start(ctx, state)
	if err != nil {
		return nil, err
	}
	w := &faultWorld{Place: place, backend: backend}
	if err := crowd.Prepare(ctx, place.Home, plugin, manifests.Flavor(manifests.Key), crowdOperator, backend.Socket); err != nil {
		return nil, errors.Join(err, backend.Stop())
	}
	return w, nil
}

// crowd runs n runs in one host process of its own.
func (b *bench) crowd(ctx context.Context, n int, hold bool, profile string) (_ *crowd.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, crowdBound)
	defer cancel()
	program, err := b.Build(ctx, "crowd")
	if err != nil {
		return nil, err
	}
	w, err := b.faultWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.backend.Stop()) }()
	var res crowd.Result
	_, err = b.Run(ctx, lab.Command{
		Argv: []string{program, "-home", w.Home.Root(), "-socket", w.backend.Socket, "-operator", crowdOperator,
			"-runs", strconv.Itoa(n), "-hold=" + strconv.FormatBool(hold), "-heap-profile", profile},
		Env:  w.Env,
		Read: func(r io.Reader) error { return json.NewDecoder(r).Decode(&res) },
	})
	return &res, err
}
