package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
)

// Groups of commands on the help page, in order.
const (
	groupWork  = "work"
	groupThing = "thing"
	groupOther = "other"
)

// root makes the tree of commands. Nothing is read or opened.
func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false
	var version bool
	root := command("stephost", "Run one step of a pipeline somewhere better suited", cobra.Command{
		Args: a.unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return a.showVersion()
			}
			return a.startPage()
		},
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: groupWork, Title: "Run steps:"},
		&cobra.Group{ID: groupThing, Title: "Set up:"},
		&cobra.Group{ID: groupOther, Title: "More:"})

	f := root.PersistentFlags()
	f.VarP(&choice{to: &a.output, of: []string{"text", "json"}}, "output", "o", "what stdout is for: text or json")
	f.StringVarP(&a.dir, "chdir", "C", "", "look for the project, and for relative paths, in this directory")
	annotate(f, "chdir", placeholderKey, "DIR")
	f.BoolVar(&a.unsafeStore, "unsafe-store", false, "accept a store of runs on a network file system")
	root.Flags().BoolVar(&version, "version", false, "print the version")

	validate, plan, build, launch, doctor := a.validateCommand(), a.planCommand(), a.buildCommand(), a.launchCommand(), a.doctorCommand()
	for _, c := range []*cobra.Command{validate, plan, build, launch, doctor} {
		a.projectFlags(c)
	}
	add(root, groupWork, validate, plan, build, launch, a.runCommand(), doctor)
	add(root, groupThing, a.flavorCommand(), a.operatorCommand())
	add(root, groupOther, a.completionCommand(), a.versionCommand())
	root.AddCommand(a.hidden()...)
	root.SetHelpCommand(a.helpCommand())
	root.SetHelpCommandGroupID(groupOther)

	root.SetGlobalNormalizationFunc(normalizeFlag)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(help)
	root.SetUsageFunc(func(cmd *cobra.Command) error { help(cmd, nil); return nil })
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		// Telling every command what completes it takes longer than everything
		// else here together, so only completing pays for it.
		if cmd.Name() != cobra.ShellCompRequestCmd {
			return nil
		}
		if about, _, err := root.Find(args[:max(len(args)-1, 0)]); err == nil {
			if err := a.passOn(about); err != nil {
				return err
			}
		}
		a.complete(root)
		return nil
	}
	explainArguments(root)
	return root
}

func add(to *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
	}
	to.AddCommand(commands...)
}

// projectFlags are the flags of commands that read a project. They are not
// global: where no project is read they would be ignored, and `run logs -f`
// means something else.
func (a *app) projectFlags(c *cobra.Command) {
	f := c.Flags()
	if f.Lookup("file") == nil {
		f.StringArrayVarP(&a.files, "file", "f", nil, "project file instead of the search; - is stdin (repeatable)")
	}
	if f.Lookup("var") == nil {
		f.StringArrayVar(&a.vars, "var", nil, "NAME=VALUE of a variable (repeatable)")
	}
	if f.Lookup("var-file") == nil {
		f.StringArrayVar(&a.varFiles, "var-file", nil, "file of variables (repeatable)")
	}
}

// project is what the project flags ask for.
func (a *app) project() catalog.ProjectOptions {
	return catalog.ProjectOptions{Dir: a.dir, Files: a.files, Stdin: a.stdin, Vars: a.vars, VarFiles: a.varFiles}
}

// path is a path from the command line: relative ones start at -C.
func (a *app) path(p string) string {
	if a.dir == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(a.dir, p)
}

// normalizeFlag makes "-" and "_" equal in the names of flags.
func normalizeFlag(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

// choice is a flag that takes one of some words.
type choice struct {
	to *string
	of []string
}

func (c *choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

func (c *choice) Set(text string) error {
	for _, w := range c.of {
		if text == w {
			*c.to = text
			return nil
		}
	}
	return fmt.Errorf("must be %s", orList(c.of))
}

// Type is the placeholder in the help.
func (c *choice) Type() string { return strings.Join(c.of, "|") }

// orList is "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// group is a command that only has others below it.
func (a *app) group(use, short string, c cobra.Command, below ...*cobra.Command) *cobra.Command {
	g := command(use, short, c)
	g.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && args[0] == "help" {
			return nil
		}
		return a.unknownCommand(cmd, args)
	}
	g.RunE = func(cmd *cobra.Command, args []string) error { return a.helpAbout(cmd, args[min(1, len(args)):]) }
	g.AddCommand(below...)
	return g
}

// unknownCommand refuses what stands where a command is expected, and says
// which one is meant, perhaps.
func (a *app) unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
			names = append(names, c.Aliases...)
		}
	}
	p := &problem.Error{Summary: fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+problem.Bound(args[0], 100)),
		Next: fmt.Sprintf("see `%s --help`", cmd.CommandPath())}
	if near := diag.Suggest(args[0], names); near != "" {
		p.Next = fmt.Sprintf("perhaps you mean `%s %s`; all commands: `%s --help`", cmd.CommandPath(), near, cmd.CommandPath())
	}
	return p
}

// flagError says which flag is meant, perhaps.
func flagError(cmd *cobra.Command, err error) error {
	p := &problem.Error{Summary: err.Error(), Next: fmt.Sprintf("see `%s --help`", cmd.CommandPath())}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return p
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		p.Summary = fmt.Sprintf("there is no flag -%s", name)
		return p
	}
	p.Summary = fmt.Sprintf("there is no flag --%s", problem.Bound(name, 100))
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := diag.Suggest(name, names); near != "" {
		p.Next = fmt.Sprintf("perhaps you mean --%s; all flags: `%s --help`", near, cmd.CommandPath())
	}
	return p
}

// explainArguments lets every error about a command's arguments say where the
// command is described.
func explainArguments(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		explainArguments(c)
	}
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var p *problem.Error
		if err == nil || errors.As(err, &p) {
			return err
		}
		return &problem.Error{Summary: err.Error(), Next: fmt.Sprintf("see `%s --help`", cmd.CommandPath())}
	}
}

// arguments accepts between min and len(names) arguments and names the first
// missing one.
func arguments(min int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		p := &problem.Error{Next: fmt.Sprintf("write `%s`, and see `%s --help`", cmd.UseLine(), cmd.CommandPath())}
		switch {
		case len(args) < min:
			p.Summary = fmt.Sprintf("`%s` needs %s", cmd.CommandPath(), names[len(args)])
		case len(args) > len(names) && len(names) == 0:
			p.Summary = fmt.Sprintf("`%s` takes no arguments, and got %q", cmd.CommandPath(), problem.Bound(args[0], 100))
		case len(args) > len(names):
			p.Summary = fmt.Sprintf("`%s` got one argument too many: %q", cmd.CommandPath(), problem.Bound(args[len(names)], 100))
		default:
			return nil
		}
		return p
	}
}
