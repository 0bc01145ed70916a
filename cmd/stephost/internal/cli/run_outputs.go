//go:build !front

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/fetch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

const outputsHelp = `Show the outputs and values of a run.

--get fetches the outputs into a directory: what lies on this machine is copied,
what lies in a store is read by the plugin that launched the run. A file has its
name when all of it is there. Called again after a break, the command goes on
behind what it has; a file that is there and is another one is replaced only with
--overwrite.`

func (a *app) runOutputsCommand() *cobra.Command {
	var get string
	var overwrite bool
	return a.oneRun("outputs RUN", "Show what a run left, or fetch it", cobra.Command{Long: outputsHelp}, func(c *cobra.Command) {
		c.Flags().StringVar(&get, "get", "", "fetch the outputs into this directory")
		c.Flags().BoolVar(&overwrite, "overwrite", false, "with --get: replace files that are there and are others")
	}, func(ctx context.Context, r *runs.Run) error {
		if r.Verdict == nil {
			return &problem.Error{Summary: "the run is not over: it is " + stateText(r), Run: r.ID, Next: "wait for it with `stephost run wait " + r.ID + "`"}
		}
		if get != "" {
			return a.getOutputs(ctx, r, a.path(get), overwrite)
		}
		return a.item(outputsItem(r), func(w io.Writer) error { return showOutputs(w, r) })
	})
}

type outputsView struct {
	Run     string        `json:"run"`
	Outputs []runs.Output `json:"outputs"`
	Values  any           `json:"values,omitempty"`
	// Copied are the paths of Fetched.
	Copied    []string        `json:"copied,omitempty"`
	Fetched   []fetch.Fetched `json:"fetched,omitempty"`
	Elsewhere []fetch.Output  `json:"elsewhere,omitempty"`
}

func outputsItem(r *runs.Run) outputsView {
	v := outputsView{Run: r.ID, Outputs: r.Verdict.Outputs}
	if v.Outputs == nil {
		v.Outputs = []runs.Output{}
	}
	if len(r.Values) > 0 {
		v.Values = r.Values
	}
	return v
}

func showOutputs(w io.Writer, r *runs.Run) error {
	var b strings.Builder
	for _, o := range r.Verdict.Outputs {
		b.WriteString(outputText(o) + "\n")
	}
	if len(r.Verdict.Outputs) == 0 {
		b.WriteString("no outputs\n")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		fmt.Fprintf(&b, "value %s = %s\n", oneLine(name), oneLine(string(r.Values[name])))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// getOutputs fetches the outputs. Text has one line on stdout for each file, as
// soon as it is there; JSON one document at the end, also when some failed.
func (a *app) getOutputs(ctx context.Context, r *runs.Run, dir string, overwrite bool) error {
	h, err := a.host()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := newMeter(a)
	got, failed := h.Fetch(ctx, r, host.FetchOptions{Dir: dir, Overwrite: overwrite, Done: m.done, Progress: m.progress, Trouble: m.trouble})
	m.close()
	view := outputsItem(r)
	view.Fetched, view.Elsewhere = got.Files, got.Elsewhere
	for _, f := range got.Files {
		view.Copied = append(view.Copied, f.Path)
	}
	if a.json() {
		if err := a.item(view, nil); err != nil {
			return err
		}
	}
	for _, o := range got.Elsewhere {
		a.say("not on this machine: %s", oneLine(o.Location))
	}
	if len(got.Elsewhere) > 0 {
		a.say("The flavor %s cannot fetch its outputs. %s", r.Pin.Flavor, oneLine(byHand(got.Elsewhere[0].Location, dir)))
	}
	if len(r.Verdict.Outputs) == 0 {
		a.say("The run left no outputs.")
	}
	if errors.Is(failed, context.Canceled) && ctx.Err() != nil {
		a.say("Interrupted. The same command goes on behind what is there.")
		a.exit = host.ExitInterrupt
		return nil
	}
	return failed
}

// byHand says how a person fetches what the plugin cannot, with the tool that
// belongs to an address.
func byHand(location, dir string) string {
	scheme, rest, _ := strings.Cut(location, "://")
	switch scheme {
	case "s3":
		return fmt.Sprintf("By hand: aws s3 cp --recursive %s %s", location, dir)
	case "gs":
		return fmt.Sprintf("By hand: gcloud storage cp --recursive %s %s", location, dir)
	case "azureml":
		if job, ok := strings.CutPrefix(rest, "jobs/"); ok {
			job, _, _ = strings.Cut(job, "/")
			return fmt.Sprintf("By hand: az ml job download --all --name %s --download-path %s", job, dir)
		}
	}
	return "Fetch them with the backend's own tools."
}
