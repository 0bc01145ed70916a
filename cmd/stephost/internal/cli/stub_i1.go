package cli

import "github.com/spf13/cobra"

func (a *app) flavorCommand() *cobra.Command { return a.group("flavor", "x", cobra.Command{}) }
func (a *app) operatorCommand() *cobra.Command { return a.group("operator", "x", cobra.Command{}) }
func (a *app) validateCommand() *cobra.Command { return command("validate", "x", cobra.Command{}) }
func (a *app) planCommand() *cobra.Command { return command("plan", "x", cobra.Command{}) }
func (a *app) completionCommand() *cobra.Command { return command("completion", "x", cobra.Command{}) }
func (a *app) complete(*cobra.Command) {}
