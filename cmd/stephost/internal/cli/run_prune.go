//go:build !front

package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/problem"
)

// pruneAge is what `run prune` forgets unless told otherwise: a month of runs is
// what people look back at.
const pruneAge = "30d"

func (a *app) runPruneCommand() *cobra.Command {
	var (
		older string
		o     host.PruneOptions
	)
	c := command("prune", "Forget runs that are over", cobra.Command{
		Long: "Remove the records, logs and work directories of runs that are over from this machine, and what no step has used for as long from the cache: copies of sources, virtual environments, packages, layers. With --remote their jobs go at the backend too, once their flavor need not keep them as evidence any more; a run whose job cannot be removed stays.",
		Args: arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.OlderThan, err = days(older); err != nil {
				return err
			}
			if o.KeepLast < 0 {
				return &problem.Error{Summary: "--keep-last " + strconv.Itoa(o.KeepLast) + " is no number of runs", Next: "write for example --keep-last 10; 0 keeps none"}
			}
			h, err := a.host()
			if err != nil {
				return err
			}
			var cache int64
			o.Cache = func(bytes int64) { cache = bytes }
			pruned, err := h.Prune(cmd.Context(), o)
			if err != nil && len(pruned) == 0 {
				return err // nobody knows whether there is anything to prune
			}
			if perr := a.pruned(pruned, cache, o.DryRun); err == nil {
				err = perr
			}
			return err
		},
	})
	c.Flags().StringVar(&older, "older-than", pruneAge, "only runs that ended so long ago, for example 12h or 30d; 0 is any")
	c.Flags().IntVar(&o.KeepLast, "keep-last", 0, "keep so many of the newest")
	c.Flags().BoolVar(&o.Remote, "remote", false, "remove the jobs at the backend too")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "only say what would be removed")
	return c
}

type prunedItem struct {
	Run   string `json:"run"`
	Step  string `json:"step,omitempty"`
	Bytes int64  `json:"bytes"`
	Kept  string `json:"kept,omitempty"` // why it stays
}

func (a *app) pruned(list []host.Pruned, cache int64, dry bool) error {
	items := make([]prunedItem, len(list))
	total, kept := int64(0), 0
	for i, p := range list {
		items[i] = prunedItem{Run: p.Run.ID, Step: p.Run.Step, Bytes: p.Bytes}
		if p.Err != nil {
			items[i].Kept = p.Err.Error()
			a.say("run %s stays: %s", p.Run.ID, p.Err)
			kept++
			continue
		}
		total += p.Bytes
	}
	word, none := "Removed", "There is nothing to prune."
	if dry {
		word = "Would remove"
	}
	if cache > 0 {
		none = "There is no run to prune."
		defer func() { a.say("%s %s from the cache.", word, humanize.Bytes(uint64(cache))) }()
	}
	now := time.Now()
	if err := a.items(items, len(list), none, []string{"RUN", "STEP", "ENDED", "BYTES"}, func(i int) []string {
		r := list[i].Run
		return []string{r.ID, orDash(r.Step), agoText(r.ClosedAt, now), humanize.Bytes(uint64(max(list[i].Bytes, 0)))}
	}); err != nil || len(list) == 0 {
		return err
	}
	a.say("%s %d runs, %s.", word, len(list)-kept, humanize.Bytes(uint64(total)))
	return nil
}

// days is a duration that may be written in days.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if v, err := strconv.Atoi(n); err == nil && v >= 0 && v < 100_000 {
			return time.Duration(v) * 24 * time.Hour, nil
		}
	}
	if text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, &problem.Error{Summary: "--older-than " + strconv.Quote(problem.Bound(text, 100)) + " is no duration", Next: "write for example 12h or 30d"}
	}
	return d, nil
}
