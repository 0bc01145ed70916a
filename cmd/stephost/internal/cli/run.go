package cli

import "github.com/spf13/cobra"

func (a *app) runCommand() *cobra.Command {
	return command("run COMMAND", "See and steer runs", cobra.Command{})
}
