package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	// cloudRuns wait on one operator.
	cloudRuns = 500
	// cloudSettle lets the pace of questions grow, cloudWindow is counted.
	cloudSettle = 60 * time.Second
	cloudWindow = 30 * time.Second
	// cloudPatience bounds the submission of all.
	cloudPatience = 5 * time.Minute
	// cloudOperator is the operator of a row.
	cloudOperator = "cloud"
)

// benchClouds follows one run and then 500 that wait in the queue of a fake, with
// the shipped plugin and the host's own way of asking, and counts the questions
// about states that the service got.
func benchClouds(ctx context.Context, b *bench) error {
	for _, c := range benchedClouds() {
		one, err := b.questions(ctx, c, 1)
		if err != nil {
			return fmt.Errorf("%s, one run: %w", c.flavor, err)
		}
		many, err := b.questions(ctx, c, cloudRuns)
		if err != nil {
			return fmt.Errorf("%s, %d runs: %w", c.flavor, cloudRuns, err)
		}
		pages := float64((cloudRuns + c.page - 1) / c.page)
		most := pages * max(one, 1)
		name := c.flavor + ": "
		b.Add(report.Line{What: name + "questions a minute about one run", Sample: report.One(one)})
		b.addGoal(fmt.Sprintf("%squestions a minute about %d runs", name, cloudRuns), report.One(many), "", fmt.Sprintf("<= %.0f (pages of lists)", most), math.Round(many) <= math.Round(most))
		b.Add(report.Line{What: fmt.Sprintf("%sone question for each of %d runs would be", name, cloudRuns), Sample: report.One(one * cloudRuns)})
	}
	b.Note("Runs that wait; counted by the fake during %s, %s behind the last submission; the cap on calls is 6,000 a minute.", cloudWindow, cloudSettle)
	return nil
}

// questions is how many a minute there are about n runs.
func (b *bench) questions(ctx context.Context, c benchedCloud, n int) (perMinute float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, cloudPatience+cloudSettle+cloudWindow)
	defer cancel()
	programs, err := cloudtest.Build(ctx, c.flavor)
	if err != nil {
		return 0, err
	}
	place, err := b.Place()
	if err != nil {
		return 0, err
	}
	fake, err := cloudfake.Start(ctx, programs.Fake, filepath.Join(place.Dir, "fake"), "-shim", programs.Shim)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, fake.Stop()) }()
	if err := fake.AddLife(ctx, cloudfake.LifeRule{Life: cloudfake.Life{QueuedMS: int(time.Hour.Milliseconds())}}); err != nil {
		return 0, err
	}
	attributes, err := c.attributes(place.Dir, fake)
	if err != nil {
		return 0, err
	}
	plugin, err := b.Installed(c.flavor)
	if err != nil {
		return 0, err
	}
	for _, argv := range [][]string{
		{b.Stephost, "flavor", "register", plugin},
		append([]string{b.Stephost, "operator", "register", cloudOperator, "--flavor=" + c.flavor}, attributes...),
	} {
		if _, err := b.Run(ctx, lab.Command{Argv: argv, Env: place.Env, Dir: place.Dir}); err != nil {
			return 0, err
		}
	}
	h := host.New(host.Options{Home: place.Home})
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, n)
	for range n {
		go func() { ended <- follow(following, h, place, c.image) }()
	}
	defer func() {
		stop()
		for range n {
			<-ended
		}
		err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
	}()
	for {
		jobs, err := fake.Jobs(ctx)
		if err != nil {
			return 0, err
		}
		if len(jobs) == n {
			break
		}
		if err := pauseOr(ctx, ended, time.Second/5); err != nil {
			return 0, err
		}
	}
	if err := pauseOr(ctx, ended, cloudSettle); err != nil {
		return 0, err
	}
	before, err := fake.Calls(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pauseOr(ctx, ended, cloudWindow); err != nil {
		return 0, err
	}
	after, err := fake.Calls(ctx)
	minutes := time.Since(began).Minutes()
	asked := 0
	for _, op := range c.questions {
		asked += after[op] - before[op]
	}
	return float64(asked) / minutes, err
}

// pauseOr waits; a run that has ended meanwhile is an error.
func pauseOr(ctx context.Context, ended chan error, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-ended:
		ended <- err // who waits for all still wants it
		return fmt.Errorf("a run has ended: %w", errors.Join(err, errors.New("it should wait")))
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// follow launches a run and follows it until ctx ends.
func follow(ctx context.Context, h *host.Host, place *lab.Place, image string) error {
	text := fmt.Sprintf("step \"member\" {\n  operator = %q\n  command  = [\"true\"]\n  environment {\n    image = %q\n  }\n}\n", cloudOperator, image)
	p, _, err := h.Project(ctx, host.ProjectOptions{Dir: place.Dir, Files: []string{"-"}, Stdin: strings.NewReader(text)})
	if err != nil {
		return err
	}
	sel, err := h.Select(ctx, host.StepRequest{Project: p, Step: "member", Stage: schema.StageLaunch})
	if err != nil {
		return err
	}
	l, err := h.Launch(ctx, host.LaunchRequest{Selection: sel})
	if err != nil {
		return err
	}
	_, err = l.Wait(ctx)
	return err
}
