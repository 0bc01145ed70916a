//go:build !front

package cli

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
)

// stepFlags collects the flags that give values of a step, in the order of the
// command line: a later one of the same name replaces.
type stepFlags struct{ given []givenFlag }

type givenFlag struct{ name, text string }

// add makes the flags of project.Flags.
func (s *stepFlags) add(c *cobra.Command) {
	for _, f := range project.Flags() {
		usage := f.Usage
		if f.Repeatable {
			usage += " (repeatable)"
		}
		for i, name := range append([]string{f.Name}, f.Aliases...) {
			v := &stepFlag{to: s, name: f.Name, value: f.Value}
			made := c.Flags().VarPF(v, name, "", usage)
			made.Hidden = i > 0
			if f.Value == "" {
				made.NoOptDefVal = "true"
			}
		}
	}
}

// step is what the flags and the arguments after "--" say; nil when they say
// nothing. Relative paths start at dir.
func (s *stepFlags) step(sources *diag.Sources, dir string, argv []string) (*project.Step, hcl.Diagnostics) {
	if len(s.given) == 0 && argv == nil {
		return nil, nil
	}
	if dir == "" {
		dir = "."
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "No working directory", Detail: err.Error() + "."}}
	}
	inline := project.NewInline(sources, dir)
	var diags hcl.Diagnostics
	for _, g := range s.given {
		diags = append(diags, inline.Add(g.name, g.text)...)
	}
	if argv != nil {
		diags = append(diags, inline.Command(argv)...)
	}
	return inline.Step(), diags
}

// stepFlag is one of them.
type stepFlag struct {
	to          *stepFlags
	name, value string
}

func (f *stepFlag) String() string { return "" }

func (f *stepFlag) Set(text string) error {
	f.to.given = append(f.to.given, givenFlag{f.name, text})
	return nil
}

// Type is the placeholder in the help.
func (f *stepFlag) Type() string {
	if f.value == "" {
		return "bool"
	}
	return f.value
}
