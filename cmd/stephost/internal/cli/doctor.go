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
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/process"
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
			var all []host.Check
			warnings, err := a.doctor(cmd.Context(), args, func(checks ...host.Check) {
				for _, c := range checks {
					if c.Level == host.CheckError {
						a.exit = host.ExitFailed
					}
				}
				if a.json() {
					all = append(all, checks...)
				} else {
					showChecks(a.stdout, checks)
				}
			})
			if err != nil || !a.json() {
				return err
			}
			return a.encode(document{Version: documentVersion, Items: all, Diagnostics: a.h.Sources().JSON(warnings)})
		},
	})
}

func showChecks(w io.Writer, checks []host.Check) {
	for _, c := range checks {
		mark := map[string]string{host.CheckOK: "ok     ", host.CheckWarning: "warning", host.CheckError: "ERROR  "}[c.Level]
		if c.Level == host.CheckError {
			mark = paint(w, red, mark)
		}
		fmt.Fprintf(w, "%s  %s: %s\n", mark, c.About, oneLine(c.Text))
		if c.Detail != "" {
			fmt.Fprintln(w, indent(indent(harmless(c.Detail))))
		}
		if c.Next != "" && c.Level != host.CheckOK {
			fmt.Fprintf(w, "    %s %s\n", paint(w, bold, "Next:"), oneLine(c.Next))
		}
	}
}

// doctor hands each check to show as soon as it is made. What it returns are warnings
// about the project, which text has seen already, and an error of the command line.
func (a *app) doctor(ctx context.Context, args []string, show func(...host.Check)) (hcl.Diagnostics, error) {
	h, err := a.host()
	if err != nil {
		return nil, err
	}
	a.sayAttached()
	p, diags, err := h.Project(ctx, a.project())
	if err == nil {
		if err := knownOperators(ctx, h, p, args); err != nil {
			return nil, err
		}
	}
	show(checkHome(h))
	show(checkStore(ctx, h)...)
	show(checkFlavors(ctx, h)...)
	if err != nil {
		show(host.ErrorCheck("project", err))
		p, diags = nil, nil
	} else if !a.json() {
		a.diagnostics(diags)
	}
	names := args
	if len(names) == 0 {
		names = operatorNames(ctx, h, p)
	}
	if len(names) == 0 {
		show(host.Check{About: "operators", Level: host.CheckWarning, Text: "there are none",
			Next: "register one, for example `stephost operator register here --flavor=local`"})
	}
	if len(names) > 1 {
		a.say("-- asking the plugins of %d operators --", len(names))
	}
	if checkOperators(ctx, h, p, names, show) {
		show(checkPython(ctx)...)
	}
	return diags, ctx.Err()
}

// knownOperators refuses a name that no operator has. Where nobody knows which there
// are, what hinders it is one of the checks.
func knownOperators(ctx context.Context, h *host.Host, p *project.Project, names []string) error {
	stored, err := h.Registry().Operators(ctx)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if p.Operators[name] == nil && !slices.ContainsFunc(stored, func(o *registry.Operator) bool { return o.Name == name }) {
			_, err := h.SelectOperator(ctx, p, name, schema.StageLaunch)
			return err
		}
	}
	return nil
}

func checkHome(h *host.Host) host.Check {
	c := host.Check{About: "home", Level: host.CheckOK, Text: h.Home().Root() + " can be written"}
	err := h.Home().Make(h.Home().Root())
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(h.Home().Root(), ".doctor-*"); err == nil {
			// A full disk takes names, but no bytes.
			_, err = f.Write(make([]byte, 4<<10))
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
	if err == nil {
		return c
	}
	bad := host.ErrorCheck("home", err)
	bad.Next = home.Next(err)
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

// askedAtOnce bounds how many operators are asked at the same time: most of it is
// waiting for a backend, but each flavor is a process, perhaps one of Python with an SDK.
const askedAtOnce = 4

// asked is an operator that is being asked. found gets its checks.
type asked struct {
	name   string
	config []host.Check // what is known without the plugin
	sel    *host.OperatorSelection
	first  *asked // the first one of the same flavor version, perhaps itself
	found  chan []host.Check

	over chan struct{} // closed when a first one has its answer
	dead bool          // of a first one: its plugin does not start
}

// checkOperators looks at several operators at once, and shows what it found in their
// order. A plugin that does not start is started for one operator only: each start may
// last until its timeout, and those after a failure wait longer and longer. python tells
// that steps of some of them need Python on this machine.
func checkOperators(ctx context.Context, h *host.Host, p *project.Project, names []string, show func(...host.Check)) (python bool) {
	firsts := map[string]*asked{}
	slots := make(chan struct{}, askedAtOnce)
	var work sync.WaitGroup
	defer work.Wait()
	var all []*asked
	for _, name := range names {
		o := &asked{name: name, found: make(chan []host.Check, 1), over: make(chan struct{})}
		all = append(all, o)
		if o.sel, o.config = checkConfig(ctx, h, p, name); o.sel == nil {
			o.found <- nil
			continue
		}
		python = python || slices.Contains(o.sel.Config.Environments, project.KindDirectory)
		ref := o.sel.Flavor.Ref()
		if firsts[ref] == nil {
			firsts[ref] = o
		}
		o.first = firsts[ref]
		work.Go(func() { o.found <- o.ask(ctx, h, p, slots) })
	}
	for _, o := range all {
		show(append(o.config, <-o.found...)...)
	}
	return python
}

// checkConfig checks what a person wrote; sel is nil when it is wrong.
func checkConfig(ctx context.Context, h *host.Host, p *project.Project, name string) (*host.OperatorSelection, []host.Check) {
	about := "operator " + name
	sel, err := h.SelectOperator(ctx, p, name, schema.StageLaunch)
	if err != nil {
		return nil, []host.Check{host.ErrorCheck(about, err)}
	}
	out := []host.Check{{About: about, Level: host.CheckOK, Text: "its config is valid for " + sel.Flavor.Ref()}}
	for _, d := range sel.Warnings {
		out = append(out, host.Check{About: about, Level: host.CheckWarning, Text: d.Summary, Detail: d.Detail})
	}
	return sel, out
}

// ask asks the plugin, and for steps that run in images their registries.
func (o *asked) ask(ctx context.Context, h *host.Host, p *project.Project, slots chan struct{}) []host.Check {
	about := "operator " + o.name
	dead := host.Check{About: about, Level: host.CheckError, Text: "the plugin of " + o.sel.Flavor.Ref() + " does not start"}
	if o.first != o {
		<-o.first.over
		if o.first.dead {
			dead.Next = "see operator " + o.first.name + ", which has the same one"
			return []host.Check{dead}
		}
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	out, err := h.CheckFlavor(ctx, o.sel)
	o.dead = neverStarts(err)
	close(o.over)
	switch {
	case o.dead:
		dead.Detail, dead.Next = err.Error(), "check the file with: stephost flavor verify "+o.sel.Flavor.Name
		return []host.Check{dead}
	case err != nil:
		return []host.Check{host.ErrorCheck(about, err)}
	}
	if slices.Contains(o.sel.Config.Environments, project.KindImage) {
		out = append(out, h.CheckImages(ctx, p, o.sel)...)
	}
	return out
}

// neverStarts tells that a plugin did not start: then no other operator of its flavor
// has a better answer.
func neverStarts(err error) bool {
	var (
		start    *process.StartError
		mismatch *process.MismatchError
	)
	return errors.As(err, &start) || errors.As(err, &mismatch)
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
