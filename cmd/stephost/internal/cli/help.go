package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// startPage is what `stephost` alone prints.
func (a *app) startPage() error {
	_, err := fmt.Fprintf(a.stdout, `stephost runs one step of a machine-learning pipeline somewhere better suited:
a process apart on this machine, a cluster, a cloud. Each such place is a flavor.

First commands:
  stephost flavor list                            the flavors that are here
  stephost operator register here --flavor=local  give one a name and its configuration
  stephost launch --operator here -- echo hello   run a step there, with its logs and its exit code

Steps can also be written down, in stephost.hcl: then stephost validate,
stephost plan STEP and stephost launch STEP.

Help: stephost --help, and --help after every command.
`)
	return err
}

func (a *app) helpCommand() *cobra.Command {
	return command("help [COMMAND...]", "Help about any command", cobra.Command{
		RunE: func(cmd *cobra.Command, args []string) error { return a.helpAbout(cmd.Root(), args) },
	})
}

// helpAbout prints the help of the command that args name, seen from another.
func (a *app) helpAbout(from *cobra.Command, args []string) error {
	about, rest, err := from.Find(args)
	if err != nil || about == nil || len(rest) > 0 && about.HasAvailableSubCommands() {
		if about == nil || err != nil {
			about, rest = from, args
		}
		return a.unknownCommand(about, rest)
	}
	if err := a.passOn(about); err != nil {
		return err
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

// help prints the help of a command. It is written by hand: templates would be
// linked into, and loaded by, every start.
func help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintln(w, strings.TrimRight(text, "\n"))
	fmt.Fprintf(w, "\nUsage:\n  %s\n", useLine(cmd))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(w, "\nAliases:\n  %s\n", strings.Join(cmd.Aliases, ", "))
	}
	helpCommands(w, cmd)
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	helpFlags(w, "Flags", cmd.LocalNonPersistentFlags())
	global := cmd.InheritedFlags()
	if !cmd.HasParent() {
		global = cmd.PersistentFlags()
	}
	helpFlags(w, "Flags of every command", global)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nMore about a command: %s COMMAND --help\n", cmd.CommandPath())
	}
}

func useLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func helpCommands(w io.Writer, cmd *cobra.Command) {
	wide := 0
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			wide = max(wide, len(c.Name()))
		}
	}
	section := func(title, group string) {
		begun := false
		for _, c := range cmd.Commands() {
			if !c.IsAvailableCommand() || c.GroupID != group {
				continue
			}
			if !begun {
				fmt.Fprintf(w, "\n%s\n", title)
				begun = true
			}
			fmt.Fprintf(w, "  %-*s  %s\n", wide, c.Name(), c.Short)
		}
	}
	for _, g := range cmd.Groups() {
		section(g.Title, g.ID)
	}
	section("Commands:", "")
}

// sectionKey marks a flag that stands under a title of its own in the help.
const sectionKey = "stephost_section"

// helpFlags prints flags by section, those without one under title.
func helpFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	var order []string
	sections := map[string][]*pflag.Flag{}
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		section := title
		if s := f.Annotations[sectionKey]; len(s) > 0 {
			section = s[0]
		}
		if sections[section] == nil {
			order = append(order, section)
		}
		sections[section] = append(sections[section], f)
	})
	for _, s := range order {
		fmt.Fprintf(w, "\n%s:\n", s)
		for _, f := range sections[s] {
			helpFlag(w, f)
		}
	}
}

// flagColumn is where the explanations of flags begin, and helpWidth where
// lines of explanations are broken.
const (
	flagColumn = 34
	helpWidth  = 110
)

func helpFlag(w io.Writer, f *pflag.Flag) {
	head := "      --" + f.Name
	if f.Shorthand != "" {
		head = "  -" + f.Shorthand + ", --" + f.Name
	}
	if v := placeholder(f); v != "" {
		head += " " + v
	}
	usage := f.Usage
	if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "[]" && d != "0s" && f.Annotations[sectionKey] == nil {
		usage += " (default " + d + ")"
	}
	if len(head) >= flagColumn-1 {
		fmt.Fprintln(w, head)
		head = ""
	}
	for i, line := range wrap(usage, helpWidth-flagColumn) {
		if i > 0 {
			head = ""
		}
		fmt.Fprintf(w, "%-*s%s\n", flagColumn, head, line)
	}
}

// placeholderKey holds what stands behind a flag in the help.
const placeholderKey = "stephost_value"

func placeholder(f *pflag.Flag) string {
	if p := f.Annotations[placeholderKey]; len(p) > 0 {
		return p[0]
	}
	switch t := f.Value.Type(); t {
	case "bool":
		return ""
	case "stringArray", "string", "stringSlice":
		return strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
	default:
		return t
	}
}

// wrap breaks text at spaces; it gives at least one line.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
