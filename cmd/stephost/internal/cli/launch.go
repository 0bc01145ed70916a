package cli

import "github.com/spf13/cobra"

func (a *app) launchCommand() *cobra.Command {
	return command("launch [STEP] [flags] [-- ARG...]", "Run a step and wait for its end", cobra.Command{})
}
