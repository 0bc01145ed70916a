// Command bench measures stephost and prints one table with medians, spread and
// the goals that the project has set itself.
//
//	make bench                              # builds stephost, then runs all rows
//	go run ./test/bench -only launch,cli    # some of them
//
// Invariants:
//
//   - what is compared runs in interleaved pairs, in one run of the bench;
//   - a goal that is missed is printed and is no error: the exit code is 0 unless
//     a benchmark itself broke;
//   - nothing is left behind.
//
// A new row is one file row_<name>.go and one entry in rows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
)

// bench is what a row gets.
type bench struct {
	*lab.Lab
	*report.Report
	// n is the number of interleaved rounds of short measurements.
	n int
	// keep is a directory for profiles; "" = none are made.
	keep string
}

type options struct {
	only, below, keep string
	n                 int
	markdown          bool
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "names of rows, with commas between (default: all)")
	flag.IntVar(&o.n, "n", 30, "interleaved rounds of short measurements")
	flag.StringVar(&o.below, "dir", "", "where the temporary directory is made: what is durable is measured on that disk")
	flag.StringVar(&o.keep, "profiles", "", "directory for heap profiles (default: none are made)")
	flag.BoolVar(&o.markdown, "markdown", false, "print the tables as Markdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	l, err := lab.New(".", o.below)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	b := &bench{Lab: l, Report: &report.Report{}, n: max(o.n, 1), keep: o.keep}
	fmt.Println(machine(l.Dir))
	var broken []error
	for _, r := range chosen {
		b.Section(r.name + ": " + r.about)
		began := time.Now()
		if err := r.run(ctx, b); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", r.name, err))
			b.Note("BROKEN: see the end")
		}
		b.Note("(took %s)", time.Since(began).Round(time.Second))
		if err := b.Write(os.Stdout, o.markdown); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	missed, goals := b.Missed()
	fmt.Printf("\n%d of %d goals hold.\n", goals-missed, goals)
	return errors.Join(broken...)
}

// choose finds rows by name.
func choose(only string) ([]row, error) {
	all := rows()
	if only == "" {
		return all, nil
	}
	var names []string
	for _, r := range all {
		names = append(names, r.name)
	}
	var chosen []row
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names, strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("there is no row %q; there are: %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
