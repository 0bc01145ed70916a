package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

// pluginBudget is what a shipped plugin may weigh and take. The figures were
// measured before any flavor was written, with programs that only make the
// clients of the vendor's SDK and serve go-plugin; a tenth is added to them.
//
// Sizes are the same everywhere. Times are not: go-plugin alone is started in turn
// with the plugins, and the times are those of a machine on which it takes what it
// takes here.
type pluginBudget struct {
	flavor string
	// mb is the size, ms the start to the first answer without TLS.
	mb, ms float64
}

const (
	// slack is the tenth.
	slack = 1.1
	// tlsMS is what mutual TLS adds, measured in the same way.
	tlsMS = 1.6
	// yardstickMS is what go-plugin alone took on the machine of the budgets.
	yardstickMS = 4.6
	// megabyte is what sizes of downloads are counted in.
	megabyte = 1e6
)

func pluginBudgets() []pluginBudget {
	return []pluginBudget{
		{"azureml", 21.6, 5.4},
		{"kubernetes", 23.5, 6.7},
		{"local", 13.3, yardstickMS},
		{"modal", 20.8, 5.7},
		{"sagemaker", 25.0, 11.7},
		{"spark", 23.5, 6.7},   // as kubernetes: its drivers are Jobs there
		{"vertex", 41.5, 17.5}, // with the vendor's client libraries, which it has not
	}
}

// benchPlugins measures the files that `make build` has made.
func benchPlugins(ctx context.Context, b *bench) error {
	sockets, err := b.TempDir("s")
	if err != nil {
		return err
	}
	bare, err := b.Build(ctx, "goplugin")
	if err != nil {
		return err
	}
	var yardstick stats.Sample
	starts := map[string]stats.Sample{}
	files := map[string]string{}
	for _, p := range pluginBudgets() {
		from := filepath.Join(b.Root, "bin", "plugins", "stephost-flavor-"+p.flavor)
		info, err := os.Stat(from)
		if err != nil {
			return fmt.Errorf("%w (run `make build` first)", err)
		}
		mb, most := float64(info.Size())/megabyte, p.mb*slack
		b.addGoal(p.flavor+": size of the file", report.One(mb), "MB", fmt.Sprintf("<= %.1f", most), mb <= most)
		if files[p.flavor], err = b.Installed(p.flavor); err != nil {
			return err
		}
	}
	for range b.n {
		took, err := hello(ctx, sockets, "goplugin", bare, tlsNone)
		if err != nil {
			return fmt.Errorf("go-plugin alone: %w", err)
		}
		yardstick = append(yardstick, took)
		for _, p := range pluginBudgets() {
			took, err := hello(ctx, sockets, p.flavor, files[p.flavor], tlsMutual)
			if err != nil {
				return fmt.Errorf("%s: %w", p.flavor, err)
			}
			starts[p.flavor] = append(starts[p.flavor], took)
		}
	}
	slower := yardstick.Median() / yardstickMS
	b.addMS("go-plugin alone, no TLS: start to first answer", yardstick)
	for _, p := range pluginBudgets() {
		most := (p.ms + tlsMS) * slack * slower
		b.addGoal(p.flavor+": start to first answer", starts[p.flavor], "ms", fmt.Sprintf("<= %.1f", most), starts[p.flavor].Median() <= most)
	}
	b.Note("Budgets: what the vendor's SDK with go-plugin weighed and took before a flavor was written, and a tenth; mutual TLS adds %.1f ms.\n"+
		"Times are for a machine on which go-plugin alone takes %.1f ms; this one is %.2f times as slow, and so are its budgets.", tlsMS, yardstickMS, slower)
	return nil
}
