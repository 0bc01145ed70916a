package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/stephost/stephost/test/bench/internal/crowd"
	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

const (
	// manyRuns are launched at once.
	manyRuns = 100
	// manyRounds of both ways.
	manyRounds = 5
)

// benchMany launches the same runs of the fault flavor in one host process and
// in as many processes, all at once.
func benchMany(ctx context.Context, b *bench) error {
	var one, many struct{ wall, cpu stats.Sample }
	for range manyRounds {
		wall, cpu, err := b.manyInOne(ctx)
		if err != nil {
			return fmt.Errorf("one process: %w", err)
		}
		one.wall, one.cpu = append(one.wall, wall), append(one.cpu, cpu)
		if wall, cpu, err = b.manyApart(ctx); err != nil {
			return fmt.Errorf("%d processes: %w", manyRuns, err)
		}
		many.wall, many.cpu = append(many.wall, wall), append(many.cpu, cpu)
	}
	b.Add(report.Line{What: "one host process, wall", Sample: one.wall, Unit: "s"})
	b.Add(report.Line{What: "one host process, CPU of host and plugin", Sample: one.cpu, Unit: "s"})
	b.Add(report.Line{What: fmt.Sprintf("%d x `stephost launch` at once, wall", manyRuns), Sample: many.wall, Unit: "s"})
	b.Add(report.Line{What: fmt.Sprintf("%d x `stephost launch` at once, CPU of hosts and plugins", manyRuns), Sample: many.cpu, Unit: "s"})
	b.Note("Jobs of the fault flavor that print %d lines and end; the backend's own CPU time is not counted.", crowd.LogLines)
	return nil
}

func (b *bench) manyInOne(ctx context.Context) (wall, cpu float64, err error) {
	program, err := b.Build(ctx, "crowd")
	if err != nil {
		return 0, 0, err
	}
	w, err := b.faultWorld(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, w.backend.Stop()) }()
	var res crowd.Result
	ran, err := b.Run(ctx, lab.Command{
		Argv: []string{program, "-home", w.Home.Root(), "-socket", w.backend.Socket, "-operator", crowdOperator, "-runs", strconv.Itoa(manyRuns)},
		Env:  w.Env,
		Read: func(r io.Reader) error { return json.NewDecoder(r).Decode(&res) },
	})
	return res.Ended.Seconds(), ran.CPU().Seconds(), err
}

func (b *bench) manyApart(ctx context.Context) (wall, cpu float64, err error) {
	w, err := b.faultWorld(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, w.backend.Stop()) }()
	dir := filepath.Join(w.Dir, "project")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "stephost.hcl"), []byte(crowd.Step(crowdOperator, false)), 0o600); err != nil {
		return 0, 0, err
	}
	h, err := b.herd(ctx, manyRuns, lab.Command{Argv: []string{b.Stephost, "launch", "member"}, Env: w.Env, Dir: dir})
	return h.WallMS / 1e3, (h.UserMS + h.SystemMS) / 1e3, err
}
