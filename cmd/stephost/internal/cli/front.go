//go:build front

package cli

import (
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/cmd/stephost/internal/handover"
	"github.com/stephost/stephost/host/problem"
)

// engine is empty: the front starts nothing and keeps nothing.
type engine struct{}

func (engine) begin() error { return nil }

func (engine) end() {}

// handedKey marks the commands of the host program.
const handedKey = "stephost_handed"

// handed is a command of the host program. Its flags are not parsed here.
func (a *app) handed(use, short string, aliases ...string) *cobra.Command {
	return command(use, short, cobra.Command{
		Aliases: aliases, DisableFlagParsing: true, Annotations: map[string]string{handedKey: ""},
		RunE: func(*cobra.Command, []string) error { return a.handOver() },
	})
}

// ended prints an error of the command line; streams are the host program's.
func (a *app) ended(_ *cobra.Command, err error) { a.problem(err) }

// passOn hands over what is asked about a command of the host program.
func (a *app) passOn(about *cobra.Command) error {
	if _, handed := about.Annotations[handedKey]; !handed {
		return nil
	}
	return a.handOver()
}

// handOver goes on as the host program. It returns only when that cannot be done.
func (a *app) handOver() error {
	err := handover.Become()
	return &problem.Error{Summary: "cannot start " + handover.Program() + ", the part of stephost that starts plugins and keeps runs", Err: err,
		Next: "install stephost again, with all of its files"}
}

func (a *app) planCommand() *cobra.Command   { return a.handed(planUse, planShort) }
func (a *app) buildCommand() *cobra.Command  { return a.handed(buildUse, buildShort) }
func (a *app) launchCommand() *cobra.Command { return a.handed(launchUse, launchShort) }
func (a *app) doctorCommand() *cobra.Command { return a.handed(doctorUse, doctorShort) }
func (a *app) runCommand() *cobra.Command    { return a.handed(runUse, runShort) }
func (a *app) flavorInit() *cobra.Command    { return a.handed(flavorInitUse, flavorInitShort) }
func (a *app) flavorTest() *cobra.Command    { return a.handed(flavorTestUse, flavorTestShort) }
func (a *app) flavorDelete() *cobra.Command {
	return a.handed(flavorDeleteUse, flavorDeleteShort, deleteAlias)
}
func (a *app) operatorDelete() *cobra.Command {
	return a.handed(operatorDeleteUse, operatorDeleteShort, deleteAlias)
}

// hidden are the commands that stephost itself starts, from the host program's file.
func (a *app) hidden() []*cobra.Command { return nil }

// completeRuns has nothing to do: commands about runs are completed by the host
// program.
func (a *app) completeRuns(*cobra.Command) {}
