package cli

import "github.com/spf13/cobra"

func (a *app) followerCommand() *cobra.Command {
	return command("follower", "Own detached runs (stephost starts it)", cobra.Command{Hidden: true})
}
