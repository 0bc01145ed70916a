//go:build !front

package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/problem"
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
			if f.Limit < 1 {
				return &problem.Error{Summary: "--limit " + itoa(f.Limit) + " is no number of runs", Next: "write for example --limit 50, or --all"}
			}
			store, err := a.store(cmd.Context())
			if err != nil {
				return err
			}
			shown := f.Limit
			f.Limit++ // one more tells whether there are older ones
			if all {
				f.Limit = 0
			}
			list, err := store.List(cmd.Context(), f)
			if err != nil {
				return err
			}
			older := !all && len(list) > shown
			if older {
				list = list[:shown]
			}
			a.hintOwnerless(cmd.Context(), "")
			now := time.Now()
			none := "There are no runs here. Launch one with `stephost launch`."
			if f.Operator+f.Step+f.Pipeline+f.PipelineRun != "" || f.Unclosed {
				none = "There are no such runs here. See what there is with `stephost run list`."
			}
			if err := a.items(runItems(list), len(list), none,
				[]string{"RUN", "STEP", "OPERATOR", "STATE", "STARTED", "TOOK"},
				func(i int) []string { return runRow(list[i], now) }); err != nil {
				return err
			}
			if older {
				a.say("There are older ones: see them with --all, or more with --limit.")
			}
			return nil
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
