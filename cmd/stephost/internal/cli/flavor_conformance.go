//go:build !front

package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// flavorTestCommand runs the conformance suite on a plugin in any language.
func (a *app) flavorTest() *cobra.Command {
	tier, format, config := "", "text", ""
	var only []string
	list := false
	c := command(flavorTestUse, flavorTestShort, cobra.Command{
		Long: `Starts the plugin and checks that it keeps the contract: its manifest, typed
values, Submit and its outcomes, Find, Watch, Logs, Cancel, Cleanup, and how it
starts and ends. It says beforehand how many jobs it starts.

  quick  needs no backend
  full   runs jobs on the backend that --config describes

docs/conformance.md lists the checks and the settings of --config.`,
		Example: `  stephost flavor test ./stephost-flavor-hive
  stephost flavor test ./stephost-flavor-hive --tier full --config test.hcl
  stephost flavor test ./stephost-flavor-hive --format junit > report.xml`,
		Args: arguments(1, "the plugin's file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var cfg plugintest.Config
			if config != "" {
				var err error
				if cfg, err = plugintest.LoadConfig(a.path(config)); err != nil {
					return &problem.Error{Summary: "the settings of the test cannot be read", Err: err, Next: "see docs/conformance.md"}
				}
			}
			cfg.Plugin = a.path(args[0])
			if tier != "" {
				cfg.Tier = plugintest.Tier(tier)
			}
			cfg.Only = append(cfg.Only, only...)
			if list {
				return a.planned(cfg)
			}
			cfg.Announce = func(line string) { a.say("%s", line) }
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return a.conformance(ctx, cfg, format)
		},
	})
	c.Flags().StringVar(&config, "config", "", "file with the operator's values and the author's own commands")
	c.Flags().Var(&choice{to: &tier, of: []string{string(plugintest.Quick), string(plugintest.Full)}}, "tier", "quick (no backend) or full")
	c.Flags().StringArrayVar(&only, "only", nil, "only the checks with this ID, or this beginning of one (repeatable)")
	c.Flags().Var(&choice{to: &format, of: []string{"text", "json", "junit"}}, "format", "of the report: text, json or junit")
	c.Flags().BoolVar(&list, "list", false, "only list the checks that would run")
	return c
}

// conformance runs the checks; a failed one is exit code 1.
func (a *app) conformance(ctx context.Context, cfg plugintest.Config, format string) error {
	report, err := plugintest.Check(ctx, cfg)
	if err != nil {
		return &problem.Error{Summary: "the plugin cannot be tested", Err: err, Next: "check the file, and see docs/conformance.md"}
	}
	switch {
	case format == "junit":
		err = report.WriteJUnit(a.stdout)
	case format == "json" || a.json():
		err = report.WriteJSON(a.stdout)
	default:
		err = report.WriteText(a.stdout)
	}
	if err == nil && !report.OK() {
		a.exit = host.ExitFailed
	}
	return err
}

// planned lists the checks without starting anything.
func (a *app) planned(cfg plugintest.Config) error {
	checks, err := plugintest.Plan(cfg)
	if err != nil {
		return &problem.Error{Summary: "the plugin cannot be tested", Err: err, Next: "check the file, and see docs/conformance.md"}
	}
	return a.items(checks, len(checks), "There is no such check.", []string{"CHECK", "JOBS", "WHAT"}, func(i int) []string {
		p := checks[i]
		if p.Absent != "" {
			return []string{p.ID, "-", p.Says + " (absent: " + p.Absent + ")"}
		}
		return []string{p.ID, fmt.Sprint(p.Jobs), p.Says}
	})
}
