package cli

import "github.com/spf13/cobra"

func (a *app) doctorCommand() *cobra.Command {
	return command("doctor [OPERATOR]", "Say what would fail, before it does", cobra.Command{})
}
