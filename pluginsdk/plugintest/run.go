package plugintest

import (
	"context"
	"fmt"
	"strings"
)

// T is what Run needs of a *testing.T. It keeps package testing out of programs
// that only call Check.
type T[S any] interface {
	Helper()
	Context() context.Context
	Log(args ...any)
	Error(args ...any)
	Fatal(args ...any)
	Run(name string, f func(S)) bool
}

// Run checks a plugin and reports each check as a subtest of t. Checks that are
// absent or waived are logged and pass: what is absent was never promised.
func Run[S T[S]](t S, c Config) *Report {
	t.Helper()
	announce := c.Announce
	c.Announce = func(line string) {
		t.Helper()
		t.Log(line)
		if announce != nil {
			announce(line)
		}
	}
	r, err := Check(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Results {
		t.Run(x.ID, func(t S) {
			t.Helper()
			switch {
			case x.Outcome == Fail:
				t.Error(x.Says + ": not so:\n" + x.Detail)
			case x.Detail != "":
				t.Log(string(x.Outcome) + ": " + x.Detail)
			}
		})
	}
	var table strings.Builder
	if err := r.WriteText(&table); err == nil {
		t.Log("\n" + table.String())
	}
	return r
}

// Planned is a check that Check would run, or why it would not.
type Planned struct {
	ID, Says string
	Jobs     int
	// Absent says what the check would need; "" = it runs.
	Absent string
}

// Plan tells what Check would do. It starts nothing.
func Plan(c Config) ([]Planned, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newSuite(c)
	if err != nil {
		return nil, err
	}
	var out []Planned
	for _, x := range catalogue() {
		if !c.wants(x.id) {
			continue
		}
		p := Planned{ID: x.id, Says: x.says, Absent: s.missing(x)}
		if p.Absent == "" {
			p.Jobs = x.jobs
		}
		out = append(out, p)
	}
	return out, nil
}

// Check checks a plugin. An error means that there is no report: the
// configuration is wrong, the manifest cannot be read, or ctx is done. A plugin
// that cannot even be started has a report in which everything failed.
func Check(ctx context.Context, c Config) (*Report, error) {
	planned, err := Plan(c)
	if err != nil {
		return nil, err
	}
	checks, jobs := 0, 0
	for _, p := range planned {
		if p.Absent == "" {
			checks, jobs = checks+1, jobs+p.Jobs
		}
	}
	c, err = c.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newSuite(c)
	if err != nil {
		return nil, err
	}
	if c.Announce != nil {
		c.Announce(fmt.Sprintf("Checking flavor %s %s, %s tier: %d checks, %d jobs on the backend, one or a few at a time, each a few seconds long.",
			s.m.name, s.m.version, c.Tier, checks, jobs))
	}
	return s.run(ctx, jobs)
}
