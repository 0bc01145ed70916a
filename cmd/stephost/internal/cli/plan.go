//go:build !front

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
)

// planned is a plan in JSON output.
type planned struct {
	Step        string            `json:"step"`
	Operator    string            `json:"operator"`
	Flavor      string            `json:"flavor"`
	Command     []string          `json:"command"`
	Environment environmentItem   `json:"environment"`
	Resources   project.Resources `json:"resources"`
	// Secrets are names; values are nowhere in a plan.
	Secrets []string `json:"secrets,omitempty"`
	Scope   string   `json:"scope,omitempty"`
	// Request is what the backend would be sent, in Format.
	Request  string      `json:"request"`
	Format   string      `json:"format,omitempty"`
	Notes    []string    `json:"notes,omitempty"`
	Warnings []string    `json:"warnings,omitempty"`
	Values   []valueItem `json:"values"`
	Deferred []string    `json:"known_at_launch,omitempty"`
}

// environmentItem is the environment of a plan.
type environmentItem struct {
	project.Environment
	Files        int      `json:"files,omitempty"`
	Bytes        int64    `json:"bytes,omitempty"`
	Interpreter  string   `json:"interpreter,omitempty"`
	Installs     []string `json:"installs,omitempty"`
	Tool         string   `json:"tool,omitempty"`
	VenvIsCached bool     `json:"venv_is_cached,omitempty"`
	// Built is the image that would be built.
	Built *imageItem `json:"built,omitempty"`
}

func (a *app) planCommand() *cobra.Command {
	var l launchFlags
	var online bool
	c := command(planUse, planShort, cobra.Command{
		Long: `Starts the plugin and shows the native request that a launch would send, the
environment that would be prepared, and where each value comes from. Nothing is
sent or prepared. What needs the network is marked, or filled with --online.

Takes the flags of launch that describe a step.`,
		Example: `  stephost plan train
  stephost plan train --operator gpu --online
  stephost plan --operator here -- echo hello`,
		Args: func(cmd *cobra.Command, args []string) error {
			before, _ := splitArgs(cmd, args)
			if len(before) > 1 {
				return &problem.Error{Summary: fmt.Sprintf("`stephost plan` takes one step, and got %q too", problem.Bound(before[1], 100)),
					Next: "write -- before the step's command: stephost plan [STEP] -- COMMAND [ARG...]"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			before, argv := splitArgs(cmd, args)
			return a.plan(cmd.Context(), &l, strings.Join(before, ""), argv, online)
		},
	})
	c.Flags().BoolVar(&online, "online", false, "let the plugin make read-only calls to fill in more")
	a.attachFlag(c.Flags())
	l.step.add(c)
	return c
}

func (a *app) plan(ctx context.Context, l *launchFlags, step string, argv []string, online bool) error {
	sel, err := a.selectStep(ctx, l, verbPlan, step, argv)
	if err != nil {
		return err
	}
	p, err := a.h.Plan(ctx, sel, online)
	if err != nil {
		return err
	}
	if !a.json() {
		a.diagnostics(sel.Warnings)
		for _, w := range p.Warnings {
			a.warn(w)
		}
	}
	item := itemOfPlan(sel, p)
	return a.item(item, func(w io.Writer) error { return showPlan(w, item, p) })
}

func itemOfPlan(sel *host.Selection, p *host.Planned) planned {
	r := sel.Resolved
	out := planned{Step: r.Name, Operator: sel.Operator.Name, Flavor: sel.Flavor.Ref(), Command: r.Argv,
		Environment: environmentItem{Environment: r.Environment}, Resources: r.Resources, Scope: p.Scope,
		Request: p.Request, Format: p.Format, Notes: p.Notes, Warnings: append(warningTexts(sel.Warnings), p.Warnings...),
		Values: planValues(r), Deferred: dueTexts(r.Deferred)}
	for name := range r.Secrets {
		out.Secrets = append(out.Secrets, name)
	}
	slices.Sort(out.Secrets)
	out.Environment.Requirements = nil // see Installs, without credentials
	out.Environment.Built = itemOfImage(p.Image)
	if i := p.Image; i != nil {
		out.Environment.Files, out.Environment.Bytes = i.SourceFiles, i.SourceBytes
	}
	if d := p.Directory; d != nil {
		e := &out.Environment
		e.Files, e.Bytes, e.Installs, e.Tool, e.VenvIsCached = d.Files, d.Bytes, d.Requirements, d.Tool, d.VenvCached
		e.Interpreter = strings.TrimSpace(d.Python + " " + d.PythonVersion)
	}
	return out
}

// planValues are the values that somebody wrote, with their origins, and the
// flavor's defaults behind them.
func planValues(r *project.Resolved) []valueItem {
	values := map[string]string{}
	for block, text := range map[string][]byte{"config": r.Config, "settings": r.Settings} {
		flatten(values, block, text)
	}
	for block, v := range map[string]any{"environment": r.Environment, "resources": r.Resources, "retry": r.Retry, "env": r.Env, "labels": r.Labels} {
		flatten(values, block, []byte(compact(v)))
	}
	for name, n := range map[string]int64{"memory": r.Resources.MemoryBytes, "disk": r.Resources.DiskBytes, "shared_memory": r.Resources.SharedMemoryBytes} {
		values["resources."+name] = humanize.IBytes(uint64(max(n, 0)))
	}
	values["resources.cpu"] = strconv.FormatFloat(float64(r.Resources.CPUMillis)/1000, 'f', -1, 64)
	// Lines of requirements may hold credentials; the plan of the environment
	// shows them without.
	delete(values, "environment.requirements")
	if e := r.Environment; e.RegistryPush != "" {
		values["environment.registry"] = compact(e.RegistryPush)
		if e.RegistryPull != e.RegistryPush {
			values["environment.registry"] = compact(map[string]string{"push": e.RegistryPush, "pull": e.RegistryPull})
		}
	}
	values["command"], values["pipeline"], values["pipeline_run"] = compact(r.Argv), r.Pipeline, r.PipelineRun
	for i, source := range r.Environment.Sources {
		values[fmt.Sprintf("environment.source[%d].path", i)] = source.Written
	}
	for name, d := range map[string]fmt.Stringer{"provisioning": r.Timeouts.Provisioning, "run": r.Timeouts.Run, "cancel": r.Timeouts.Cancel,
		"total": r.Timeouts.Total, "log_drain": r.Timeouts.LogDrain} {
		values["timeouts."+name] = d.String()
	}
	var out []valueItem
	for path, origin := range r.Origins {
		out = append(out, valueItem{Name: path, Value: values[path], Origin: origin})
	}
	slices.SortFunc(out, func(a, b valueItem) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// compact is v as JSON on one line, with < and > as they are.
func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // into memory, of plain values
	return strings.TrimSpace(b.String())
}

// flatten puts the members of a JSON object under prefix.
func flatten(into map[string]string, prefix string, text []byte) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return
	}
	for name, v := range members {
		if !bytes.Equal(v, []byte("null")) {
			into[prefix+"."+name] = string(v)
		}
	}
}

func showPlan(w io.Writer, item planned, p *host.Planned) error {
	name := item.Step
	if name == "" {
		name = "the step"
	}
	fmt.Fprintf(w, "%s on operator %s (%s)\n", name, item.Operator, item.Flavor)
	if item.Scope != "" {
		fmt.Fprintf(w, "  place        %s\n", item.Scope)
	}
	fmt.Fprintf(w, "  command      %s\n", compact(item.Command))
	showEnvironment(w, item, p.Directory)
	showImage(w, p.Image)
	if len(item.Secrets) > 0 {
		fmt.Fprintf(w, "  secrets      %s (values are not shown)\n", strings.Join(item.Secrets, ", "))
	}
	for _, n := range item.Notes {
		fmt.Fprintf(w, "  note         %s\n", n)
	}
	for _, d := range item.Deferred {
		fmt.Fprintf(w, "  at launch    %s\n", d)
	}
	if item.Request != "" {
		format := ""
		if item.Format != "" {
			format = " (" + item.Format + ")"
		}
		fmt.Fprintf(w, "\nThe request%s, which was not sent:\n%s\n", format, indent(item.Request))
	}
	if len(item.Values) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nWhere each value comes from:")
	return table(w, []string{"  VALUE", "IS", "FROM"}, len(item.Values), func(i int) []string {
		v := item.Values[i]
		return []string{"  " + v.Name, cellText(v.Value), v.Origin}
	})
}

func showEnvironment(w io.Writer, item planned, d *environment.DirectoryPlan) {
	e := item.Environment
	line := e.Kind
	switch {
	case e.Image != "":
		line += " " + e.Image
	case e.BaseImage != "":
		line += ", built on " + e.BaseImage
	}
	fmt.Fprintf(w, "  environment  %s\n", line)
	if d == nil {
		return
	}
	if d.Files > 0 {
		fmt.Fprintf(w, "  source       %s, %s\n", count(d.Files, "file"), humanize.IBytes(uint64(max(d.Bytes, 0))))
	}
	if d.Python != "" {
		cached := "would be built"
		if d.VenvCached {
			cached = "is there already"
		}
		fmt.Fprintf(w, "  python       %s; its virtual environment (%s, by %s) %s\n", e.Interpreter, count(len(d.Requirements), "requirement"), d.Tool, cached)
	}
}
