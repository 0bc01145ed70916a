//go:build !front

package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

// Limits of what the last lines show; all of it is in `run show`.
const (
	shownValue   = 200
	shownOutputs = 10
)

// outcomeText tells how a run ended: verdict, values, outputs, what to do next.
func outcomeText(w io.Writer, r *runs.Run, now time.Time) string {
	v := r.Verdict
	var b strings.Builder
	word := paint(w, bold, verdictWord(v))
	fmt.Fprintf(&b, "%s %s", stepName(r), word)
	if took := tookText(r, now); took != "" {
		b.WriteString(" after " + took)
	}
	fmt.Fprintf(&b, " (run %s", r.ID)
	if n := len(r.Attempts); n > 1 {
		fmt.Fprintf(&b, ", %d attempts", n)
	}
	b.WriteString(")")
	if why := reasonText(v); why != "" {
		b.WriteString("\n  " + strings.ReplaceAll(harmless(why), "\n", "\n  "))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		fmt.Fprintf(&b, "\n  %s = %s", oneLine(name), problem.Bound(oneLine(string(r.Values[name])), shownValue))
	}
	for i, o := range v.Outputs {
		if i == shownOutputs {
			fmt.Fprintf(&b, "\n  and %d more outputs: `stephost run outputs %s`", len(v.Outputs)-i, r.ID)
			break
		}
		fmt.Fprintf(&b, "\n  output %s", outputText(o))
	}
	if next := nextText(r); next != "" {
		fmt.Fprintf(&b, "\n%s %s", paint(w, bold, "Next:"), next)
	}
	return b.String()
}

func stepName(r *runs.Run) string {
	if r.Step == "" {
		return "the step"
	}
	return r.Step
}

// verdictWord is a verdict in a few words.
func verdictWord(v *runs.Verdict) string {
	switch {
	case v.Class == runs.ClassSucceeded:
		return "succeeded"
	case v.Class == string(problem.Timeout):
		return "timed out"
	case v.Class == string(problem.Cancelled):
		return "was cancelled"
	case v.Class == string(problem.Lost):
		return "was lost"
	case v.ExitCode != nil && v.Class == string(problem.User):
		return fmt.Sprintf("failed with exit code %d", *v.ExitCode)
	case v.Signal != "":
		return "was killed by " + oneLine(v.Signal)
	default:
		return "failed (" + v.Class + ")"
	}
}

func reasonText(v *runs.Verdict) string {
	var parts []string
	if v.Message == "" && (v.ExitCode != nil || v.Phase == string(problem.Cancelled)) && !strings.Contains(v.Reason, " ") {
		// A lone code word of a backend adds nothing to what is said already.
		v = &runs.Verdict{CancelUnconfirmed: v.CancelUnconfirmed}
	}
	if !strings.Contains(v.Message, v.Reason) {
		parts = append(parts, v.Reason)
	}
	if v.Message != "" {
		parts = append(parts, v.Message)
	}
	if v.CancelUnconfirmed {
		parts = append(parts, "the backend has not confirmed the cancel")
	}
	return strings.Join(parts, ": ")
}

func outputText(o runs.Output) string {
	text := o.Location
	if o.Name != "" && !strings.HasSuffix(o.Location, o.Name) {
		text = o.Name + ": " + o.Location
	}
	if o.Bytes >= 0 {
		text += " (" + humanize.Bytes(uint64(o.Bytes)) + ")"
	}
	return oneLine(text)
}

// nextText is what a person may want now.
func nextText(r *runs.Run) string {
	v := r.Verdict
	switch {
	case v.Class == runs.ClassSucceeded && len(v.Outputs) > 0:
		return "`stephost run outputs " + r.ID + " --get DIR` copies the outputs"
	case v.Class == runs.ClassSucceeded:
		return ""
	case r.TokenGiven:
		return fmt.Sprintf("see the story with `stephost run show %s`; launch with --again for another attempt under the same token", r.ID)
	default:
		return fmt.Sprintf("see the story with `stephost run show %s`", r.ID)
	}
}

// tookText is how long the step itself ran, else how long the run took.
func tookText(r *runs.Run, now time.Time) string {
	from, to := r.CreatedAt, r.VerdictAt
	if a := r.Current(); a != nil && !a.StartedAt.IsZero() {
		from = a.StartedAt
		if !a.EndedAt.IsZero() {
			to = a.EndedAt
		}
	}
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		to = now
	}
	return length(to.Sub(from))
}

// noticeOf is the status of a run as its record tells it.
func noticeOf(r *runs.Run) launch.Notice {
	n := launch.Notice{Run: r.ID, Kind: launch.Status, Phase: string(r.State), Message: r.StateReason, Attempt: len(r.Attempts)}
	if a := r.Current(); a != nil && r.State == runs.Submitted && a.Phase != "" {
		n.Phase, n.Reason, n.Message, n.Since, n.URL = a.Phase, a.Reason, a.Message, a.PhaseSince, a.URL
		if r.StateReason != "" { // something hinders it
			n.Reason, n.Message = "unreachable", r.StateReason
		}
	}
	return n
}

// jsonDiagnostics is what was wrong in files, with its places.
func (a *app) jsonDiagnostics(err error) []diag.JSONDiagnostic {
	var diags hcl.Diagnostics
	if a.h == nil || !errors.As(err, &diags) {
		return nil
	}
	return a.h.Sources().JSON(diags)
}

// checkResultFile refuses, before anything is launched, a file that could not be
// written afterwards.
func checkResultFile(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return nil
	}
	if err == nil {
		err = errors.New("it is a directory")
	} else if dir, derr := os.Stat(filepath.Dir(path)); derr == nil && dir.IsDir() {
		return nil
	}
	return &problem.Error{Summary: "the result cannot be written to " + path, Err: err, Next: "name a file in a directory that exists"}
}

// writeResult writes the file of --result-file, whole or not at all; a pipe or a
// device is written as it is.
func writeResult(path string, res host.Result) error {
	if path == "" {
		return nil
	}
	data := jsonBytes(res)
	var err error
	if info, serr := os.Stat(path); serr == nil && !info.Mode().IsRegular() {
		var f *os.File
		if f, err = os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			_, err = f.Write(data)
			err = errors.Join(err, f.Close())
		}
	} else {
		err = replaceFile(path, data)
	}
	if err != nil {
		return &problem.Error{Summary: "the result could not be written to " + path, Err: err, Run: res.Run,
			Next: "see it with `stephost run show --output json " + res.Run + "`"}
	}
	return nil
}
