package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	c := command("completion SHELL", "Write the completion script of a shell: bash, zsh, fish or powershell", cobra.Command{
		Long: `Writes a script that completes commands, flags, flavors, operators, steps and the
attributes of flavors. Completing never runs a plugin. The script for bash uses the
package bash-completion where it is there, and works without it.`,
		Example: `  source <(stephost completion bash)                             in ~/.bashrc
  stephost completion zsh > "${fpath[1]}/_stephost"              once
  stephost completion fish > ~/.config/fish/completions/stephost.fish
  stephost completion powershell | Out-String | Invoke-Expression`,
		Args:      arguments(1, "the name of a SHELL: bash, zsh, fish or powershell"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				if err := root.GenBashCompletionV2(a.stdout, true); err != nil {
					return err
				}
				_, err := io.WriteString(a.stdout, bashWords)
				return err
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return fmt.Errorf("there is no completion for %q: there is one for %s", args[0], orList(shells))
		},
	})
	return c
}

// noFiles is what completions answer that are no file names.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// complete says, for every command, what can be completed. What it asks is
// files only: records of flavors, operators, manifests, the project.
func (a *app) complete(root *cobra.Command) {
	one := func(list func(context.Context) []string) cobra.CompletionFunc {
		return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, noFiles
			}
			return list(cmd.Context()), noFiles
		}
	}
	oneOrFile := func(list func(context.Context) []string) cobra.CompletionFunc {
		return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, noFiles
			}
			return list(cmd.Context()), cobra.ShellCompDirectiveDefault
		}
	}
	for path, f := range map[string]cobra.CompletionFunc{
		"flavor describe": one(a.flavorNames), "flavor verify": one(a.flavorRefs), "flavor delete": one(a.flavorRefs),
		"flavor docs": oneOrFile(a.flavorNames), "flavor schema": oneOrFile(a.flavorNames),
		"operator describe": one(a.operatorNames), "operator rename": one(a.storedNames), "operator copy": one(a.storedNames),
		"operator delete": one(a.storedNames), "operator default": one(a.storedNames), "doctor": one(a.operatorNames),
		"operator register": a.completeOperator, "operator update": a.completeOperator,
		"launch": one(a.stepNames), "plan": one(a.stepNames),
	} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || cmd == root {
			continue
		}
		if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
			cmd.ValidArgsFunction = f
		}
	}
	a.completeRuns(root)
	a.completeFlags(root)
}

// completeFlags completes the values of flags wherever they stand.
func (a *app) completeFlags(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		a.completeFlags(c)
	}
	register := func(flag string, f cobra.CompletionFunc) {
		if cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, f) // an error says that it has one
		}
	}
	register("operator", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.operatorNames(cmd.Context()), noFiles
	})
	register("gpu-type", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return project.GPUTypes(), noFiles
	})
	register("chdir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	visit := func(f *pflag.Flag) {
		if c, ok := f.Value.(*choice); ok {
			register(f.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return c.of, noFiles })
		}
	}
	cmd.Flags().VisitAll(visit)
	cmd.PersistentFlags().VisitAll(visit)
}

func (a *app) flavorNames(ctx context.Context) []string { return a.flavorWords(ctx, false) }
func (a *app) flavorRefs(ctx context.Context) []string  { return a.flavorWords(ctx, true) }

func (a *app) flavorWords(ctx context.Context, refs bool) []string {
	cat, err := a.catalog()
	if err != nil {
		return nil
	}
	all, err := cat.Registry().Flavors(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range all {
		word := f.Name
		if refs {
			word = f.Ref()
		}
		if f.Err == nil && !slices.ContainsFunc(out, func(o string) bool { return strings.HasPrefix(o, word+"\t") }) {
			out = append(out, word+"\t"+f.Summary)
		}
	}
	return out
}

func (a *app) storedNames(ctx context.Context) []string {
	cat, err := a.catalog()
	if err != nil {
		return nil
	}
	stored, err := cat.Registry().Operators(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, o := range stored {
		out = append(out, o.Name+"\t"+o.Flavor)
	}
	return out
}

func (a *app) operatorNames(ctx context.Context) []string {
	out := a.storedNames(ctx)
	if p := a.quietProject(ctx); p != nil {
		for _, name := range p.OperatorOrder {
			out = slices.DeleteFunc(out, func(o string) bool { return strings.HasPrefix(o, name+"\t") })
			out = append(out, name+"\t"+p.Operators[name].Flavor)
		}
	}
	return out
}

func (a *app) stepNames(ctx context.Context) []string {
	p := a.quietProject(ctx)
	if p == nil {
		return nil
	}
	var out []string
	for _, name := range p.StepOrder {
		out = append(out, name+"\t"+strings.Join(p.Steps[name].Command, " "))
	}
	return out
}

// quietProject is the project, or nil: completing is no place for errors, and
// never waits for stdin.
func (a *app) quietProject(ctx context.Context) *project.Project {
	cat, err := a.catalog()
	if err != nil || slices.Contains(a.files, "-") {
		return nil
	}
	p, _, err := cat.Project(ctx, a.project())
	if err != nil {
		return nil
	}
	return p
}

// completeOperator completes `operator register` and `update`, whose flags come
// from a manifest. The shell's words arrive unparsed.
func (a *app) completeOperator(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	early, dir, name, _ := peek(args)
	if a.dir == "" {
		a.dir = dir
	}
	if flag, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(flag, "--") {
		// The value alone: each shell's script puts the flag back where its shell wants it.
		out, directive := a.completeValue(ctx, cmd, early.flavor, name, flag)
		if strings.HasPrefix(value, "@") {
			directive = cobra.ShellCompDirectiveDefault
		}
		return out, directive
	}
	if len(args) > 0 {
		if last := args[len(args)-1]; strings.HasPrefix(last, "--") && !strings.Contains(last, "=") && !isSwitch(cmd, last) && !strings.HasPrefix(word, "-") {
			return a.completeValue(ctx, cmd, early.flavor, name, last)
		}
	}
	if !strings.HasPrefix(word, "-") {
		if cmd.Name() == "update" && name == "" {
			return a.storedNames(ctx), noFiles
		}
		return nil, noFiles
	}
	o := &operatorFlags{}
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.fixed(f, cmd.Name() == "update")
	if m := a.manifestFor(ctx, early.flavor, name, cmd.Name() == "update"); m != nil {
		o.flavored(f, m)
	}
	o.defaults(f)
	var out []string
	plain := string(normalizeFlag(nil, word))
	f.VisitAll(func(f *pflag.Flag) {
		text := "--" + f.Name
		if f.NoOptDefVal == "" {
			text += "="
		}
		if f.Hidden || !strings.HasPrefix(text, plain) {
			return
		}
		// cobra completes those that the command has before it runs, as they are written.
		if cmd.Flags().Lookup(f.Name) == nil || plain != word {
			// A shell takes only what goes on as it was begun, perhaps with "_".
			out = append(out, word+text[len(word):]+"\t"+f.Usage)
		}
	})
	return out, noFiles | cobra.ShellCompDirectiveNoSpace
}

func isSwitch(cmd *cobra.Command, arg string) bool {
	f := cmd.Flags().Lookup(strings.TrimLeft(arg, "-"))
	return f != nil && f.NoOptDefVal != ""
}

// manifestFor is the manifest that the flags are made of, or nil.
func (a *app) manifestFor(ctx context.Context, flavor, name string, update bool) *manifest.Manifest {
	cat, err := a.catalog()
	if err != nil {
		return nil
	}
	if flavor == "" && update && name != "" {
		if o, err := cat.Registry().Operator(ctx, name); err == nil {
			flavor = o.Flavor
		}
	}
	if flavor == "" {
		return nil
	}
	f, err := cat.Flavor(ctx, flavor)
	if err != nil {
		return nil
	}
	m, err := f.Manifest(ctx)
	if err != nil {
		return nil
	}
	return m
}

// completeValue completes the value of a flag of register and update.
func (a *app) completeValue(ctx context.Context, cmd *cobra.Command, flavor, name, flag string) ([]string, cobra.ShellCompDirective) {
	flag = string(normalizeFlag(nil, strings.TrimLeft(flag, "-")))
	switch flag {
	case "flavor":
		return a.flavorNames(ctx), noFiles
	case "flavor-version":
		return a.versionsOf(ctx, name), noFiles
	case "unset":
		return a.writtenNames(ctx, name), noFiles
	case "output":
		return []string{"text", "json"}, noFiles
	case "gpu-type":
		return project.GPUTypes(), noFiles
	case "chdir":
		return nil, cobra.ShellCompDirectiveFilterDirs
	case "requirements-file", "dockerfile":
		return nil, cobra.ShellCompDirectiveDefault
	}
	m := a.manifestFor(ctx, flavor, name, cmd.Name() == "update")
	if m == nil {
		return nil, noFiles
	}
	at := m.Schema.Lookup(flag)
	if at == nil {
		return nil, noFiles
	}
	var out []string
	for _, v := range at.OneOf {
		if v.Type() == cty.String {
			out = append(out, v.AsString())
		} else {
			out = append(out, schema.Literal(v))
		}
	}
	switch {
	case at.Sensitive:
		out = []string{"env:", "file:", "cmd:", "keyring:", "@"}
	case len(out) == 0 && at.Type == cty.Bool:
		out = []string{"true", "false"}
	}
	return out, noFiles
}

// writtenNames are the values that stand in an operator's file.
func (a *app) writtenNames(ctx context.Context, operator string) []string {
	cat, err := a.catalog()
	if err != nil {
		return nil
	}
	o, err := cat.Registry().Operator(ctx, operator)
	if err != nil {
		return nil
	}
	var out []string
	for path := range attributeRanges(o) {
		if path != "flavor" {
			out = append(out, strings.TrimPrefix(strings.TrimPrefix(path, "config."), "settings."))
		}
	}
	slices.Sort(out)
	return out
}

func (a *app) versionsOf(ctx context.Context, operator string) []string {
	cat, err := a.catalog()
	if err != nil {
		return nil
	}
	o, err := cat.Registry().Operator(ctx, operator)
	if err != nil {
		return nil
	}
	name, _, _ := strings.Cut(o.Flavor, "@")
	all, err := cat.Registry().Flavors(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range all {
		if f.Name == name && f.Err == nil {
			out = append(out, f.Version)
		}
	}
	return out
}
