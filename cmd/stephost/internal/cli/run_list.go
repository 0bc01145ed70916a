//go:build !front

package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/runs"
)

// listLimit is how many runs `run list` shows unless told otherwise.
const listLimit = 20

func (a *app) runListCommand() *cobra.Command {
	var (
		f   runs.Filter
		all bool
	)
	c := command("list", "List runs, newest first", cobra.Command{
		Aliases: []string{"ls"},
		Long:    "List runs, newest first: the last ones, unless --all or --limit say otherwise.",
		Args:    arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := a.store(cmd.Context())
			if err != nil {
				return err
			}
			if all {
				f.Limit = 0
			}
			list, err := store.List(cmd.Context(), f)
			if err != nil {
				return err
			}
			a.hintOwnerless(cmd.Context(), "")
			now := time.Now()
			return a.items(runItems(list), len(list), "There are no runs here. Launch one with `stephost launch`.",
				[]string{"RUN", "STEP", "OPERATOR", "STATE", "STARTED", "TOOK"},
				func(i int) []string { return runRow(list[i], now) })
		},
	})
	c.Flags().StringVar(&f.Operator, "operator", "", "only runs of this operator")
	c.Flags().StringVar(&f.Step, "step", "", "only runs of this step")
	c.Flags().StringVar(&f.Pipeline, "pipeline", "", "only runs of this pipeline")
	c.Flags().StringVar(&f.PipelineRun, "pipeline-run", "", "only runs of this run of a pipeline")
	c.Flags().BoolVar(&f.Unclosed, "open", false, "only runs that are not over")
	c.Flags().BoolVar(&all, "all", false, "all runs, not only the last ones")
	c.Flags().IntVar(&f.Limit, "limit", listLimit, "at most so many")
	return c
}

func runRow(r *runs.Run, now time.Time) []string {
	return []string{r.ID, orDash(r.Step), r.Operator, stateText(r), agoText(r.CreatedAt, now), orDash(tookText(r, now))}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// stateText is where a run stands, in one word or two.
func stateText(r *runs.Run) string {
	text := string(r.State)
	switch {
	case r.Verdict != nil:
		text = strings.TrimPrefix(verdictWord(r.Verdict), "was ")
		if r.State != runs.Closed {
			text += " (" + string(r.State) + ")"
		}
		return text
	case r.State == runs.Submitted && r.Current() != nil && r.Current().Phase != "":
		text = r.Current().Phase
		if why := r.Current().Reason; why != "" {
			text += " (" + oneLine(why) + ")"
		}
	}
	if r.Intent != nil && text != "cancelling" {
		text += ", cancel wanted"
	}
	if len(r.Attempts) > 1 {
		text += ", attempt " + itoa(len(r.Attempts))
	}
	return text
}

// agoText is an instant as people read it in a list.
func agoText(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return length(now.Sub(t)) + " ago"
}
