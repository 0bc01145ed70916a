//go:build !front

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

func (a *app) doctorCommand() *cobra.Command {
	return command(doctorUse, doctorShort, cobra.Command{
		Long: `Look at everything that a launch needs: stephost's home and store, the pins of the
flavors, Python, the config of operators, and, by asking the operator's plugin,
credentials, permissions and quota; for steps that run in images, whether the base
is there, fits a GPU, and may be pushed. Nothing is launched or created at the
backend. Without an operator all of them are looked at. The exit code is 1 when
something would fail.`,
		Args: arguments(0, "operator"),
		RunE: func(cmd *cobra.Command, args []string) error {
			checks, err := a.doctor(cmd.Context(), args)
			if err != nil {
				return err
			}
			for _, c := range checks {
				if c.Level == host.CheckError {
					a.exit = host.ExitFailed
				}
			}
			return a.item(checks, func(w io.Writer) error { return a.showChecks(w, checks) })
		},
	})
}

func (a *app) showChecks(w io.Writer, checks []host.Check) error {
	for _, c := range checks {
		mark := map[string]string{host.CheckOK: "ok     ", host.CheckWarning: "warning", host.CheckError: "ERROR  "}[c.Level]
		if c.Level == host.CheckError {
			mark = paint(w, red, mark)
		}
		fmt.Fprintf(w, "%s  %s: %s\n", mark, c.About, oneLine(c.Text))
		if c.Detail != "" {
			fmt.Fprintln(w, indent(indent(c.Detail)))
		}
		if c.Next != "" && c.Level != host.CheckOK {
			fmt.Fprintf(w, "    %s %s\n", paint(w, bold, "Next:"), c.Next)
		}
	}
	return nil
}

// doctor collects the checks. An error is one of the command line only.
func (a *app) doctor(ctx context.Context, args []string) ([]host.Check, error) {
	h, err := a.host()
	if err != nil {
		return nil, err
	}
	a.sayAttached()
	checks := []host.Check{checkHome(h)}
	checks = append(checks, checkStore(ctx, h)...)
	checks = append(checks, checkFlavors(ctx, h)...)
	p, diags, err := h.Project(ctx, a.project())
	if err != nil {
		checks = append(checks, host.ErrorCheck("project", err))
		p = nil
	} else {
		a.diagnostics(diags)
	}
	names := args
	if len(names) == 0 {
		names = operatorNames(ctx, h, p)
	}
	if len(names) == 0 {
		checks = append(checks, host.Check{About: "operators", Level: host.CheckWarning, Text: "there are none",
			Next: "register one, for example `stephost operator register here --flavor=local`"})
	}
	python := false
	for _, name := range names {
		found, directory := checkOperator(ctx, h, p, name)
		checks, python = append(checks, found...), python || directory
	}
	if python {
		checks = append(checks, checkPython(ctx)...)
	}
	return checks, ctx.Err()
}

func checkHome(h *host.Host) host.Check {
	c := host.Check{About: "home", Level: host.CheckOK, Text: h.Home().Root() + " can be written"}
	err := h.Home().Make(h.Home().Root())
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(h.Home().Root(), ".doctor-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err == nil {
		return c
	}
	bad := host.ErrorCheck("home", err)
	if bad.Next == "" {
		bad.Next = "set STEPHOST_HOME to a directory that you may write to"
	}
	return bad
}

func checkStore(ctx context.Context, h *host.Host) []host.Check {
	store, err := h.Runs(ctx)
	if err != nil {
		return []host.Check{host.ErrorCheck("store of runs", err)}
	}
	out := []host.Check{{About: "store of runs", Level: host.CheckOK, Text: "can be opened"}}
	lost, err := store.Ownerless(ctx)
	if err != nil {
		return append(out, host.ErrorCheck("store of runs", err))
	}
	if len(lost) > 0 {
		out = append(out, host.Check{About: "runs", Level: host.CheckWarning, Text: fmt.Sprintf("%d runs are not over and nobody drives them", len(lost)),
			Next: "go on with them: stephost run recover --all"})
	}
	return out
}

// checkFlavors reads every byte of what is pinned.
func checkFlavors(ctx context.Context, h *host.Host) []host.Check {
	var out []host.Check
	verified, err := h.Registry().Verify(ctx, "")
	if err != nil {
		return []host.Check{host.ErrorCheck("flavors", err)}
	}
	seen := map[string]bool{}
	for _, v := range verified {
		about := "flavor " + v.Flavor.Ref()
		seen[v.Flavor.Ref()] = true
		if v.Err != nil {
			out = append(out, host.ErrorCheck(about, v.Err))
			continue
		}
		out = append(out, host.Check{About: about, Level: host.CheckOK, Text: "is what was pinned"})
	}
	all, err := h.Registry().Flavors(ctx)
	if err != nil {
		return append(out, host.ErrorCheck("flavors", err))
	}
	for _, f := range all {
		switch {
		case f.Err != nil && !seen[f.Ref()]:
			out = append(out, host.ErrorCheck("flavor "+f.Ref(), f.Err))
		case seen[f.Ref()]:
		case f.Status == registry.Shipped:
			out = append(out, host.Check{About: "flavor " + f.Ref(), Level: host.CheckOK, Text: "came with stephost; it is pinned at its first use"})
		case f.Status == registry.Available:
			out = append(out, host.Check{About: "flavor " + f.Ref(), Level: host.CheckWarning, Text: "lies in the drop-in directory and is not registered",
				Next: "pin it: stephost flavor register --all"})
		case f.Status == registry.Registered && f.Artifact == nil:
			out = append(out, host.Check{About: "flavor " + f.Ref(), Level: host.CheckWarning, Text: "only its manifest is registered: nothing can be launched with it here"})
		case f.Status == registry.Dev:
			out = append(out, host.Check{About: "flavor " + f.Ref(), Level: host.CheckWarning, Text: "is registered in place (--dev): nothing is pinned"})
		}
	}
	if len(all) == 0 {
		out = append(out, host.Check{About: "flavors", Level: host.CheckError, Text: "there are none", Next: "register one: stephost flavor register PATH"})
	}
	return out
}

// checkOperator checks config, then asks the plugin. directory tells that steps
// of it need Python on this machine.
func checkOperator(ctx context.Context, h *host.Host, p *project.Project, name string) (out []host.Check, directory bool) {
	about := "operator " + name
	sel, err := h.SelectOperator(ctx, p, name, schema.StageLaunch)
	if err != nil {
		return []host.Check{host.ErrorCheck(about, err)}, false
	}
	out = append(out, host.Check{About: about, Level: host.CheckOK, Text: "its config is valid for " + sel.Flavor.Ref()})
	for _, d := range sel.Warnings {
		out = append(out, host.Check{About: about, Level: host.CheckWarning, Text: d.Summary, Detail: d.Detail})
	}
	directory = slices.Contains(sel.Config.Environments, project.KindDirectory)
	asked, err := h.CheckFlavor(ctx, sel)
	if err != nil {
		return append(out, host.ErrorCheck(about, err)), directory
	}
	out = append(out, asked...)
	if slices.Contains(sel.Config.Environments, project.KindImage) {
		out = append(out, h.CheckImages(ctx, p, sel)...)
	}
	return out, directory
}

// checkPython looks for what makes directory environments.
func checkPython(ctx context.Context) []host.Check {
	const about = "python"
	uv, uvErr := exec.LookPath("uv")
	if uvErr == nil {
		return []host.Check{{About: about, Level: host.CheckOK, Text: "uv makes the environments: " + uv}}
	}
	for _, name := range []string{"python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		text, err := exec.CommandContext(ctx, path, "-c", "import sys, venv, ensurepip; print('.'.join(map(str, sys.version_info[:3])))").Output()
		if err != nil {
			return []host.Check{{About: about, Level: host.CheckWarning, Text: path + " cannot make virtual environments: venv or ensurepip is missing",
				Next: "install uv, or the venv package of your system (Debian: apt install python3-venv); steps without requirements run all the same"}}
		}
		return []host.Check{{About: about, Level: host.CheckOK, Text: "Python " + strings.TrimSpace(string(text)) + " makes the environments: " + path,
			Detail: "With uv they are made much quicker."}}
	}
	return []host.Check{{About: about, Level: host.CheckWarning, Text: "there is no Python on PATH",
		Next: "install Python 3 or uv; steps without requirements run all the same"}}
}

// operatorNames are those of the project, then the registered ones.
func operatorNames(ctx context.Context, h *host.Host, p *project.Project) []string {
	var names []string
	if p != nil {
		names = slices.Clone(p.OperatorOrder)
	}
	stored, err := h.Registry().Operators(ctx)
	if err != nil {
		return names
	}
	for _, o := range stored {
		if !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
	}
	return names
}
