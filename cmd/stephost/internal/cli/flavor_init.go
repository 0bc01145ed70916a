//go:build !front

package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/internal/scaffold"
)

// initItem is a new project in JSON output.
type initItem struct {
	Name      string   `json:"name"`
	Language  string   `json:"language"`
	Kind      string   `json:"kind"`
	Directory string   `json:"directory"`
	Next      []string `json:"next"`
}

func (a *app) flavorInit() *cobra.Command {
	language, kind, dir := string(scaffold.Go), string(scaffold.Remote), ""
	c := command(flavorInitUse, flavorInitShort, cobra.Command{
		Long: `Writes a new project for a flavor: a manifest, code that works, a test that runs
the conformance suite, a README and a Makefile. It builds and passes its test
as it is; then you replace what it does with calls of your cluster.

  launch  the step runs inside the plugin process, and is lost with it:
          a few lines, for a first try or a service that only lends a shell
  remote  the step becomes a job that outlives plugin and host: it is found
          again after a crash, and its status, log and cancel come from there

Nothing is run and nothing is downloaded.`,
		Example: `  stephost flavor init hive --language go
  stephost flavor init hive --language python --kind launch --dir ~/src/hive`,
		Args: arguments(1, "the NAME of the flavor"),
		RunE: func(_ *cobra.Command, args []string) error {
			o := scaffold.Options{Name: args[0], Language: scaffold.Language(language), Kind: scaffold.Kind(kind)}
			shown := dir
			if shown == "" {
				shown = o.Program()
			}
			if err := scaffold.Write(a.path(shown), o); err != nil {
				return err
			}
			return a.initialised(shown, o)
		},
	})
	c.Flags().Var(&choice{to: &language, of: scaffold.Languages()}, "language", "language of the SDK")
	c.Flags().Var(&choice{to: &kind, of: scaffold.Kinds()}, "kind", "whether a job outlives the plugin process")
	c.Flags().StringVar(&dir, "dir", "", "directory to write to, new or empty (default stephost-flavor-NAME)")
	return c
}

// initialised says what was written, and what to do with it.
func (a *app) initialised(dir string, o scaffold.Options) error {
	steps := scaffold.Steps(dir, o)
	item := initItem{Name: o.Name, Language: string(o.Language), Kind: string(o.Kind), Directory: dir}
	for _, s := range steps {
		item.Next = append(item.Next, s.Command)
	}
	err := a.item(item, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "flavor %s begun in %s\n", o.Name, dir)
		return err
	})
	a.say("Next:")
	for _, s := range steps {
		a.say("  %s\n      %s", s.Command, s.Why)
	}
	return err
}
