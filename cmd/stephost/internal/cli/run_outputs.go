package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
)

func (a *app) runOutputsCommand() *cobra.Command {
	var get string
	return a.oneRun("outputs RUN", "Show what a run left, or copy it", cobra.Command{
		Long: "Show the outputs and values of a run. --get copies outputs that lie on this machine; what lies in a store of the backend's is named by its URI.",
	}, func(c *cobra.Command) {
		c.Flags().StringVar(&get, "get", "", "copy the outputs into this directory")
	}, func(ctx context.Context, r *runs.Run) error {
		if r.Verdict == nil {
			return &problem.Error{Summary: "the run is not over: it is " + stateText(r), Run: r.ID, Next: "wait for it with `stephost run wait " + r.ID + "`"}
		}
		if get != "" {
			return a.getOutputs(ctx, r, a.path(get))
		}
		return a.item(outputsItem(r), func(w io.Writer) error { return showOutputs(w, r) })
	})
}

type outputsView struct {
	Run     string        `json:"run"`
	Outputs []runs.Output `json:"outputs"`
	Values  any           `json:"values,omitempty"`
	Copied  []string      `json:"copied,omitempty"`
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
		fmt.Fprintf(&b, "value %s = %s\n", name, r.Values[name])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// getOutputs copies what lies on this machine.
func (a *app) getOutputs(ctx context.Context, r *runs.Run, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return &problem.Error{Summary: "the outputs cannot be copied", Err: err, Run: r.ID, Next: "name a directory that you may write to"}
	}
	view := outputsItem(r)
	var elsewhere []string
	for _, o := range r.Verdict.Outputs {
		if !filepath.IsAbs(o.Location) {
			elsewhere = append(elsewhere, o.Location)
			continue
		}
		// The name is a plugin's word: it must not lead out of the directory.
		name := filepath.FromSlash(o.Name)
		if !filepath.IsLocal(name) {
			name = filepath.Base(o.Location)
		}
		to := filepath.Join(dir, name)
		if err := copyOutput(ctx, o.Location, to); err != nil {
			return &problem.Error{Summary: "the output " + o.Name + " could not be copied", Err: err, Run: r.ID,
				Next: "see where the outputs lie with `stephost run outputs " + r.ID + "`"}
		}
		view.Copied = append(view.Copied, to)
	}
	if err := a.item(view, func(w io.Writer) error {
		for _, c := range view.Copied {
			if _, err := fmt.Fprintln(w, c); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, uri := range elsewhere {
		a.say("not on this machine: %s", uri)
	}
	if len(r.Verdict.Outputs) == 0 {
		a.say("The run left no outputs.")
	}
	return nil
}

// copyOutput copies a file, or a directory with what is in it. Links are not
// followed out of the output, and nothing but files and directories is copied.
func copyOutput(ctx context.Context, from, to string) error {
	info, err := os.Lstat(from)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return copyFile(ctx, from, to, info.Mode().Perm())
	case !info.IsDir():
		return errors.New("it is neither a file nor a directory")
	}
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		return copyFile(ctx, path, filepath.Join(to, rel), info.Mode().Perm())
	})
}

func copyFile(ctx context.Context, from, to string, perm os.FileMode) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, perm|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
