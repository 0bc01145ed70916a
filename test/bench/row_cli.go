package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

const (
	// cliGoal is what a command may take beyond a bare process, in ms.
	cliGoal = 5
	// operatorsThere is how many operators the lists show.
	operatorsThere = 10
	// initsShown is how many packages of the init trace are named.
	initsShown = 6
)

// cliCommand is a command without a run. Its arguments may depend on the round.
type cliCommand struct {
	name   string
	goal   bool
	writes bool
	args   func(round int) []string

	wall, bare, cpu stats.Sample
}

func fixed(args ...string) func(int) []string { return func(int) []string { return args } }

// benchCLI runs each command beside a bare Go process, pair by pair.
func benchCLI(ctx context.Context, b *bench) error {
	hello, err := b.Build(ctx, "hello")
	if err != nil {
		return err
	}
	place, err := b.Place()
	if err != nil {
		return err
	}
	// The operators that are registered in the rounds go elsewhere, or the lists would
	// grow from round to round.
	rounds, err := b.Place()
	if err != nil {
		return err
	}
	register := func(round int) []string {
		return []string{"operator", "register", "op" + strconv.Itoa(round), "--flavor=local"}
	}
	run := func(at *lab.Place, argv ...string) (lab.Ran, error) {
		return b.Run(ctx, lab.Command{Argv: argv, Env: at.Env, Dir: at.Dir})
	}
	for i := range operatorsThere {
		if _, err := run(place, append([]string{b.Stephost}, register(i)...)...); err != nil {
			return err
		}
	}
	commands := []*cliCommand{
		{name: "version", args: fixed("version")},
		{name: "--help", args: fixed("--help")},
		{name: "flavor list", goal: true, args: fixed("flavor", "list")},
		{name: "operator list", goal: true, args: fixed("operator", "list")},
		{name: "validate", goal: true, args: fixed("-C", filepath.Join(b.Root, "examples", "digits"), "validate")},
		{name: "operator register", goal: true, writes: true, args: register},
		{name: "run list (as the host program)", args: fixed("run", "list")},
	}
	var bare, bareCPU stats.Sample
	for round := range b.n {
		for _, c := range commands {
			first, err := run(place, hello)
			if err != nil {
				return err
			}
			bare, bareCPU = append(bare, lab.Milliseconds(first.Wall)), append(bareCPU, lab.Milliseconds(first.CPU()))
			at := place
			if c.writes {
				at = rounds
			}
			ran, err := run(at, append([]string{b.Stephost}, c.args(round)...)...)
			if err != nil {
				return err
			}
			c.bare = append(c.bare, lab.Milliseconds(first.Wall))
			c.wall = append(c.wall, lab.Milliseconds(ran.Wall))
			c.cpu = append(c.cpu, lab.Milliseconds(ran.CPU()))
		}
	}
	b.addMS("bare Go process", bare)
	for _, c := range commands {
		more := stats.Differences(c.wall, c.bare)
		line := report.Line{What: c.name + ": beyond the bare process", Sample: more, Unit: "ms",
			Note: fmt.Sprintf("whole %.2f ms, CPU %.2f ms", c.wall.Median(), c.cpu.Median())}
		if c.goal {
			line.Goal, line.Holds = fmt.Sprintf("<= %d ms", cliGoal), more.Median() <= cliGoal
		}
		b.Add(line)
	}
	b.Note("CPU of the bare process %.2f ms (user and system, of all its threads).", bareCPU.Median())
	return b.noteInits(ctx, place)
}

// noteInits tells how long the initialisation of packages takes, before main.
func (b *bench) noteInits(ctx context.Context, place *lab.Place) error {
	var total stats.Sample
	var last []initCost
	for range b.n {
		ran, err := b.Run(ctx, lab.Command{Argv: []string{b.Stephost, "flavor", "list"},
			Env: append([]string{"GODEBUG=inittrace=1"}, place.Env...), Dir: place.Dir})
		if err != nil {
			return err
		}
		var sum float64
		last, sum = inits(ran.Stderr)
		total = append(total, sum)
	}
	var top []string
	for _, c := range last[:min(initsShown, len(last))] {
		top = append(top, fmt.Sprintf("%s %.2f", c.pkg, c.ms))
	}
	b.Add(report.Line{What: "flavor list: of it initialisation of packages", Sample: total, Unit: "ms",
		Note: fmt.Sprintf("%d packages with work", len(last))})
	b.Note("Most of the initialisation in one run, in ms: %s.", strings.Join(top, ", "))
	return nil
}
