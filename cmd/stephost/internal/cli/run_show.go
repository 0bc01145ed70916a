//go:build !front

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
)

// runStory is a run with everything that happened to it.
type runStory struct {
	runItem
	// Project is the name of the project that the run was launched from.
	Project    string          `json:"project,omitempty"`
	Definition json.RawMessage `json:"definition,omitempty"`
	Waits      *waitItem       `json:"waits,omitempty"`
	Events     []runs.Event    `json:"events"`
}

// waitItem is what a run waits for at the moment.
type waitItem struct {
	For    string    `json:"for"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// Until is the bound, and Bound names the timeout that sets it; both are
	// missing where nothing bounds the wait.
	Until time.Time `json:"until,omitzero"`
	Bound string    `json:"bound,omitempty"`
}

func (a *app) runShowCommand() *cobra.Command {
	return a.oneRun("show RUN", "Tell the story of a run", cobra.Command{Aliases: []string{"describe"}}, nil,
		func(ctx context.Context, r *runs.Run) error {
			store, err := a.store(ctx)
			if err != nil {
				return err
			}
			events, err := store.Events(ctx, r.ID, 0)
			if err != nil {
				return err
			}
			s := storyOf(r, events)
			if json.Valid(r.Definition) {
				s.Definition = r.Definition
			}
			return a.item(s, func(w io.Writer) error { return showRun(w, r, &s, time.Now()) })
		})
}

func storyOf(r *runs.Run, events []runs.Event) runStory {
	s := runStory{runItem: itemOf(r), Waits: waitOf(r, events), Events: events}
	if step := stepOf(r); step != nil {
		s.Project = step.Project
	}
	return s
}

// stepOf is the step as the run has it; nil in a record of another version.
func stepOf(r *runs.Run) *project.Resolved {
	var plan struct{ Step *project.Resolved }
	_ = json.Unmarshal(r.Plan, &plan)
	return plan.Step
}

// stateSince is when the run came into its state, as its story tells it.
func stateSince(r *runs.Run, events []runs.Event) time.Time {
	since := r.CreatedAt
	for _, e := range events {
		var moved struct{ From, To runs.State }
		if e.Kind == runs.EventState && json.Unmarshal(e.Data, &moved) == nil && moved.To == r.State {
			since = e.At
		}
	}
	return since
}

// waitOf says what a run waits for, since when, and until when.
func waitOf(r *runs.Run, events []runs.Event) *waitItem {
	if r.State == runs.Closed {
		return nil
	}
	w := &waitItem{For: string(r.State), Reason: r.StateReason, Since: stateSince(r, events)}
	var t project.Timeouts
	if step := stepOf(r); step != nil {
		t = step.Timeouts
	}
	bound := func(from time.Time, d time.Duration, name string) {
		if d <= 0 || from.IsZero() {
			return
		}
		if end := from.Add(d); w.Until.IsZero() || end.Before(w.Until) {
			w.Until, w.Bound = end, "timeouts."+name
		}
	}
	a := r.Current()
	switch {
	case r.Verdict != nil:
		w.For, w.Since = "the rest of the log and the removal of leftovers", r.VerdictAt
		bound(r.VerdictAt, launch.DrainBound(t), "log_drain")
		return w
	case r.State == runs.Unknown:
		w.For = "an answer whether the job exists, or a person's word (`stephost run resolve`)"
	case r.State == runs.Blocked:
		w.For = "a secret"
	case r.State == runs.Submitting:
		w.For = "the backend's answer to the submission"
	case a != nil && r.State == runs.Submitted:
		w.For = "the end of the job"
		if w.Reason == "" { // else something hinders it
			w.Reason = strings.TrimSpace(a.Reason + " " + a.Message)
		}
		if !a.PhaseSince.IsZero() {
			w.Since = a.PhaseSince
		}
		if r.Intent != nil {
			w.For, w.Since = "the backend's word that the job is gone", r.Intent.At
			if !a.CancelSentAt.IsZero() {
				w.Since = a.CancelSentAt
			}
			bound(a.CancelSentAt, launch.CancelBound(t), "cancel")
			return w
		}
		if a.Phase != "running" {
			w.For = "the start of the job"
			bound(a.SubmittedAt, t.Provisioning, "provisioning")
		}
		bound(a.StartedAt, t.Run, "run")
	}
	bound(r.CreatedAt, t.Total, "total")
	return w
}

func showRun(w io.Writer, r *runs.Run, s *runStory, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("Run", "%s", r.ID)
	if r.TokenGiven {
		row("Token", "%s", oneLine(r.Token))
	}
	if s.Project != "" {
		row("Project", "%s", oneLine(s.Project))
	}
	row("Step", "%s", stepName(r))
	if r.Pipeline != "" {
		row("Pipeline", "%s %s", r.Pipeline, r.PipelineRun)
	}
	row("Operator", "%s (%s@%s)", r.Operator, r.Pin.Flavor, r.Pin.Version)
	if r.Pin.ScopeDisplay != "" {
		row("Scope", "%s", oneLine(r.Pin.ScopeDisplay))
	}
	row("State", "%s", stateText(r))
	if r.OwnerID != "" && r.Owner != nil {
		row("Owner", "process %d on %s", r.Owner.PID, r.Owner.Host)
	} else if r.State == runs.Blocked {
		row("Owner", "nobody: `stephost run attach %s` goes on with it, from a shell that has what it needs", r.ID)
	} else if r.State != runs.Closed {
		row("Owner", "nobody: `stephost run recover %s` goes on with it", r.ID)
	}
	if in := r.Intent; in != nil {
		row("Cancel", "wanted by %s (%s) at %s", in.By, in.Cause, clock(in.At))
	}
	if x := s.Waits; x != nil {
		row("Waits for", "%s", waitText(x, now))
	}
	row("Created", "%s, %s", clock(r.CreatedAt), agoText(r.CreatedAt, now))
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Attempts {
		showAttempt(w, &r.Attempts[i])
	}
	if r.Verdict != nil {
		fmt.Fprintf(w, "\n%s\n", outcomeText(w, r, now))
	} else {
		for _, name := range slices.Sorted(maps.Keys(r.Values)) {
			fmt.Fprintf(w, "\n%s = %s\n", name, r.Values[name])
		}
	}
	return showEvents(w, s.Events)
}

func waitText(x *waitItem, now time.Time) string {
	text := x.For
	if x.Reason != "" {
		text += ": " + oneLine(x.Reason)
	}
	if !x.Since.IsZero() {
		text += ", for " + length(now.Sub(x.Since))
	}
	if x.Until.IsZero() {
		return text + ", without a bound"
	}
	if left := x.Until.Sub(now); left > 0 {
		return text + fmt.Sprintf(", at most %s more (%s)", length(left), x.Bound)
	}
	return text + fmt.Sprintf(", over its bound (%s): the next confirmed state decides", x.Bound)
}

func showAttempt(w io.Writer, t *runs.Attempt) {
	fmt.Fprintf(w, "\nAttempt %d, key %s\n", t.Number, t.Key)
	line := func(format string, args ...any) { fmt.Fprintf(w, "  "+format+"\n", args...) }
	if t.NativeName != "" || t.URL != "" {
		line("job %s", strings.TrimSpace(t.NativeName+" "+t.URL))
	}
	if t.Existing {
		line("the backend already had it when it was submitted")
	}
	if t.Phase != "" {
		line("%s", strings.TrimSpace(fmt.Sprintf("%s %s %s", t.Phase, oneLine(t.Reason), oneLine(t.Message))))
	}
	if t.Restarts > 0 {
		line("started anew by the backend %d times", t.Restarts)
	}
	var times []string
	for _, e := range []struct {
		name string
		at   time.Time
	}{{"submitted", t.SubmittedAt}, {"started", t.StartedAt}, {"ended", t.EndedAt}, {"cancel sent", t.CancelSentAt}, {"cancel confirmed", t.CancelConfirmedAt}} {
		if !e.at.IsZero() {
			times = append(times, e.name+" "+clock(e.at))
		}
	}
	if len(times) > 0 {
		line("%s", strings.Join(times, ", "))
	}
	if t.Verdict != nil {
		line("%s", strings.TrimSuffix(verdictWord(t.Verdict)+": "+oneLine(reasonText(t.Verdict)), ": "))
	}
	if t.Resolution != "" {
		line("resolved: %s", oneLine(t.Resolution))
	}
}

func showEvents(w io.Writer, events []runs.Event) error {
	fmt.Fprintln(w, "\nStory")
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, e := range events {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", clock(e.At), e.Kind, actorText(e.Actor), oneLine(e.Message))
	}
	return t.Flush()
}

// actorText shortens the ID of an owner: its end tells owners apart.
func actorText(actor string) string {
	const shown = 6
	if len(actor) == 26 {
		return ".." + actor[len(actor)-shown:]
	}
	return orDash(oneLine(actor))
}

// clock is an instant of this machine's clock, in UTC.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
