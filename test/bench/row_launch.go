package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
	"github.com/stephost/stephost/test/bench/internal/wal"
)

const (
	// launchGoal is what a launch may take beyond its plugin's start and the
	// exec of the runner, in ms.
	launchGoal = 12
	// launchRounds are the launches whose commits and CPU time are counted.
	launchRounds = 10
	// launchSyncs are the synced writes of a launch that follow each other, counted
	// with strace: the store's commits that must be durable, the records of the job.
	launchSyncs = 10
	// localOperator is the operator of a place for local launches.
	localOperator = "here"
)

// localPlace has an operator of the local flavor.
func (b *bench) localPlace(ctx context.Context) (*lab.Place, error) {
	place, err := b.Place()
	if err != nil {
		return nil, err
	}
	_, err = b.Run(ctx, lab.Command{Argv: []string{b.Stephost, "operator", "register", localOperator, "--flavor=local"},
		Env: place.Env, Dir: place.Dir})
	return place, err
}

// launchOf is a launch of argv on the local flavor.
func (b *bench) launchOf(place *lab.Place, argv ...string) lab.Command {
	return lab.Command{Argv: append([]string{b.Stephost, "launch", "--operator", localOperator, "--"}, argv...),
		Env: place.Env, Dir: place.Dir}
}

// benchLaunch is a whole launch beside its parts.
func benchLaunch(ctx context.Context, b *bench) error {
	place, err := b.localPlace(ctx)
	if err != nil {
		return err
	}
	bareFile, err := b.Build(ctx, "hello")
	if err != nil {
		return err
	}
	sockets, err := b.TempDir("s")
	if err != nil {
		return err
	}
	var bare, cli, start, runner, whole, nothing, step, syncs stats.Sample
	timed := func(to *stats.Sample, c lab.Command) error {
		ran, err := b.Run(ctx, c)
		*to = append(*to, lab.Milliseconds(ran.Wall))
		return err
	}
	plain := func(argv ...string) lab.Command {
		return lab.Command{Argv: argv, Env: place.Env, Dir: place.Dir}
	}
	if _, err := b.Run(ctx, b.launchOf(place, "true")); err != nil { // the store is made once
		return err
	}
	for range b.n {
		took, err := hello(ctx, sockets, "local", b.Local, tlsMutual)
		if err != nil {
			return err
		}
		start = append(start, took)
		if err := errors.Join(
			timed(&bare, plain(bareFile)),
			timed(&cli, plain(b.Stephost, "version")),
			timed(&runner, plain(b.Local, "manifest")),
			timed(&whole, b.launchOf(place, "true")),
			timed(&nothing, plain(b.Stephost, "run", "--help")),
			timed(&step, plain("true")),
		); err != nil {
			return err
		}
		took, err = synced(filepath.Join(place.Dir, "synced"), launchSyncs)
		if err != nil {
			return err
		}
		syncs = append(syncs, took)
	}
	floor := stats.Pairs(start, runner, func(a, b float64) float64 { return a + b })
	more := stats.Differences(whole, floor)
	b.addMS("exec of a bare Go process", bare)
	b.addMS("exec of stephost: `version`", cli)
	b.addMS("plugin start to first answer, mutual TLS", start)
	b.addMS("exec of the runner's file: `manifest`", runner)
	b.addMS("launch -- true, whole", whole)
	b.addGoal("launch beyond plugin start and runner", more, "ms", fmt.Sprintf("<= %d ms", launchGoal), more.Median() <= launchGoal)
	// What the goal has to hold, however little stephost does.
	b.addMS("of it stephost's programs doing nothing: `run --help`", nothing)
	b.addMS("of it the step's own process: true", step)
	b.addMS(fmt.Sprintf("of it %d synced writes, by themselves", launchSyncs), syncs)
	return errors.Join(b.launchCommits(ctx, place), b.launchCPU(ctx, place))
}

// synced is how long n synced writes of a page to a file take, in ms.
func synced(path string, n int) (ms float64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := make([]byte, os.Getpagesize())
	began := time.Now()
	for range n {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return lab.Milliseconds(time.Since(began)), nil
}

// launchCommits counts what one launch writes. The store is held open, or the
// last one who closes it would empty its log.
func (b *bench) launchCommits(ctx context.Context, place *lab.Place) (err error) {
	at := home.At(place.Home.Root())
	store, err := runs.Open(ctx, at.Runs(), runs.Options{Owners: at.Owners()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	// A connection that has not read yet does not keep the log.
	if _, err := store.List(ctx, runs.Filter{Unclosed: true}); err != nil {
		return err
	}
	log := filepath.Join(at.Runs(), "runs.db-wal")
	var commits, bytes, disk stats.Sample
	for range launchRounds {
		before, err := wal.Read(log)
		if err != nil {
			return err
		}
		ran, err := b.Run(ctx, b.launchOf(place, "true"))
		if err != nil {
			return err
		}
		after, err := wal.Read(log)
		if err != nil {
			return err
		}
		if one := after.Minus(before); one.Commits > 0 { // else the log was begun anew meanwhile
			commits, bytes = append(commits, float64(one.Commits)), append(bytes, float64(one.Bytes)/1024)
		}
		disk = append(disk, float64(ran.Written)/1024)
	}
	b.Add(report.Line{What: "commits of one launch", Sample: commits})
	b.Add(report.Line{What: "bytes in the store's log of one launch", Sample: bytes, Unit: "KiB"})
	if disk.Median() > 0 {
		b.Add(report.Line{What: "written by host and plugin in one launch", Sample: disk, Unit: "KiB", Note: "whole pages"})
	}
	return nil
}

// launchCPU is the CPU time of a launch with everything that it starts.
func (b *bench) launchCPU(ctx context.Context, place *lab.Place) error {
	var user, system stats.Sample
	for range launchRounds {
		h, err := b.herd(ctx, 1, b.launchOf(place, "true"))
		if err != nil {
			return err
		}
		user, system = append(user, h.UserMS), append(system, h.SystemMS)
	}
	b.addMS("CPU of one launch, user: host, plugin, runner, step", user)
	b.addMS("CPU of one launch, system", system)
	return nil
}
