//go:build !front

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

// envOnTerm changes what SIGTERM means, where no flag says it.
const envOnTerm = "STEPHOST_ON_TERM"

// The commands that want a step.
const (
	verbLaunch = "launch"
	verbPlan   = "plan"
	verbBuild  = "build"
)

// launchFlags are the flags of launch besides those of the step.
type launchFlags struct {
	step       stepFlags
	detach     bool
	token      string
	named      bool // --run-token was given
	again      bool
	first      bool
	onTerm     string
	resultFile string
	timestamps bool
	prefix     bool
}

const launchHelp = `Run a step and wait for its end.

STEP is a step of stephost.hcl; without one the flags describe the step. What
stands after -- replaces the step's command and reaches the process as it is.

The step's stdout goes to stdout; its stderr and stephost's own lines go to
stderr. The exit code is the step's own where it is known; 1: failed, no code
known; 75: infrastructure, after all retries; 124: timeout; 125: stephost, its
input, its stdout, or unknown; 130 or 143: cancelled. With --output json, and in the file of
--result-file, the class of the result says it exactly.

Ctrl-C cancels the job and waits until it is gone. SIGTERM does the same, or
leaves the run to the background with --on-term=detach (the default with
--run-token; STEPHOST_ON_TERM says it too). SIGHUP leaves it to the background.`

const launchExample = `  stephost launch train
  stephost launch train --operator gpu -- python train.py --epochs 5
  stephost launch --operator here --source . --requirement scikit-learn -- python train.py`

func (a *app) launchCommand() *cobra.Command {
	var l launchFlags
	c := command(launchUse, launchShort, cobra.Command{
		Long: launchHelp, Example: launchExample, Annotations: stream(),
		Args: func(cmd *cobra.Command, args []string) error {
			before, _ := splitArgs(cmd, args)
			if len(before) > 1 {
				return &problem.Error{Summary: fmt.Sprintf("only one step can be launched, and %q stands behind %q", problem.Bound(before[1], 100), problem.Bound(before[0], 100)),
					Next: "write -- before the step's command: stephost launch [STEP] -- COMMAND [ARG...]"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			before, argv := splitArgs(cmd, args)
			l.named = cmd.Flags().Changed("run-token")
			return a.launch(cmd.Context(), &l, strings.Join(before, ""), argv)
		},
	})
	f := c.Flags()
	f.BoolVarP(&l.detach, "detach", "d", false, "leave the run to the background as soon as the backend has it; prints its ID")
	f.StringVar(&l.token, "run-token", "", "name of the run, up to 256 bytes: the same name again joins the same run")
	f.BoolVar(&l.again, "again", false, "make another attempt where the run of --run-token has ended without success")
	f.BoolVar(&l.first, "first", false, "say that nothing was ever launched with this --run-token: its search at the backend is skipped")
	f.Var(&choice{to: &l.onTerm, of: []string{string(wishCancel), string(wishDetach)}}, "on-term", "what SIGTERM means: cancel or detach")
	f.StringVar(&l.resultFile, "result-file", "", "write the result there as JSON, however the launch ends")
	f.BoolVar(&l.timestamps, "timestamps", false, "put the time before each line of the log")
	f.BoolVar(&l.prefix, "prefix", false, "put attempt, node and stream before each line of the log")
	a.attachFlag(f)
	l.step.add(c)
	return c
}

// splitArgs splits at "--"; after is nil without it.
func splitArgs(cmd *cobra.Command, args []string) (before, after []string) {
	at := cmd.ArgsLenAtDash()
	if at < 0 {
		return args, nil
	}
	return args[:at], args[at:]
}

// policy is what signals mean for this launch.
func (l *launchFlags) policy(a *app) (policy, error) {
	p := policy{term: wish(l.onTerm), terminal: terminal(a.stderr)}
	if f, ok := a.stdin.(*os.File); ok && terminal(f) {
		p.terminal = true
	}
	if p.term != "" {
		return p, nil
	}
	switch env := os.Getenv(envOnTerm); env {
	case string(wishCancel), string(wishDetach):
		p.term = wish(env)
	case "":
		p.term = wishCancel
		if l.token != "" {
			// Whoever names its runs comes back for them: an orchestrator whose
			// pod is drained launches with the same token again.
			p.term = wishDetach
		}
	default:
		return p, &problem.Error{Summary: fmt.Sprintf("%s is %q", envOnTerm, problem.Bound(env, 100)), Next: "set it to cancel or detach"}
	}
	return p, nil
}

// checkToken refuses what could only be meant with a token, and has none: an
// orchestrator whose variable is empty would launch everything twice.
func (l *launchFlags) checkToken() error {
	switch {
	case l.token != "":
		return nil
	case l.named:
		return emptyToken("run-token")
	case l.again:
		return &problem.Error{Summary: "--again needs --run-token", Next: "name the run that has ended with --run-token; without a token every launch is a new run"}
	}
	return nil
}

// emptyToken refuses a token without a letter, which would be the same as none.
func emptyToken(flag string) error {
	return &problem.Error{Summary: "--" + flag + " is empty", Next: "see whether the variable that it comes from is set, or leave --" + flag + " out"}
}

func (a *app) launch(ctx context.Context, l *launchFlags, step string, argv []string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// Until there is a run, a signal just ends the command.
	signals := catch(func(os.Signal) { stop() })
	defer signals.stop()
	p, err := l.policy(a)
	if err == nil {
		err = checkResultFile(l.resultFile)
	}
	if err != nil {
		a.failed(err, "", nil)
		return nil
	}
	if err := l.checkToken(); err != nil {
		a.failed(err, l.resultFile, nil)
		return nil
	}
	sel, err := a.selectStep(ctx, l, verbLaunch, step, argv)
	if err != nil {
		a.failed(err, l.resultFile, signals.first())
		return nil
	}
	a.streamWarnings(sel.Warnings)
	launched, err := a.h.Launch(ctx, host.LaunchRequest{Selection: sel, Token: l.token, Again: l.again, First: l.first, Detach: l.detach})
	if err != nil {
		a.failed(err, l.resultFile, signals.first())
		return nil
	}
	if !launched.Created {
		a.joined(launched, l)
	}
	a.hintOwnerless(ctx, launched.ID())
	o := watchOptions{session: launched.Session, run: launched.Run, name: statusName(sel.Resolved.Name, sel.Operator.Name),
		policy: p, detach: l.detach, resultFile: l.resultFile}
	if !l.detach {
		o.log = &logOptions{timestamps: l.timestamps, prefix: l.prefix}
		if l.again && !launched.Created && launched.Run.Verdict != nil {
			o.log.fromAttempt = int32(len(launched.Run.Attempts)) + 1
		}
	}
	a.watch(signals, o)
	a.sendTrace(ctx, launched.Run)
	return nil
}

// statusName names step and operator in the status.
func statusName(step, operator string) string {
	switch {
	case step == "":
		return "the step on " + operator
	default:
		return step + " on " + operator
	}
}

// joined says what a token found.
func (a *app) joined(l *host.Launched, f *launchFlags) {
	switch v := l.Run.Verdict; {
	case v == nil:
		a.say("The token names run %s, which is %s: joining it.", l.ID(), stateText(l.Run))
	case f.again && v.Class != "succeeded":
		a.say("The token names run %s, which %s: making attempt %d.", l.ID(), verdictWord(v), len(l.Run.Attempts)+1)
	default:
		a.say("The token names run %s, which %s: nothing is launched.", l.ID(), verdictWord(v))
	}
}

// selectStep finds the step, its operator and its flavor. verb is the command that
// wants it: all but build need the plugin.
func (a *app) selectStep(ctx context.Context, l *launchFlags, verb, step string, argv []string) (*host.Selection, error) {
	h, err := a.host()
	if err != nil {
		return nil, err
	}
	if err := a.attachedOnly(l.detach); err != nil {
		return nil, err
	}
	a.sayAttached()
	p, diags, err := h.Project(ctx, a.project())
	if err != nil {
		return nil, err
	}
	inline, wrong := l.step.step(h.Sources(), a.dir, argv)
	if wrong.HasErrors() {
		return nil, append(diags, wrong...)
	}
	if step, err = a.chooseStep(p, verb, step, argv != nil); err != nil {
		return nil, err
	}
	q := host.StepRequest{Project: p, Step: step, Inline: inline, Stage: schema.StageLaunch}
	if verb != verbBuild {
		h.Warm()
		q.Chosen = h.Start
	}
	sel, err := h.Select(ctx, q)
	if err != nil {
		return nil, err
	}
	sel.Warnings = append(append(diags, wrong...), sel.Warnings...)
	return sel, nil
}

// chooseStep is the step when none is named: the only one of the project,
// unless flags and command describe one.
func (a *app) chooseStep(p *project.Project, verb, step string, command bool) (string, error) {
	if step != "" || command && len(a.files) == 0 {
		return step, nil
	}
	switch {
	case len(p.StepOrder) == 1:
		return p.StepOrder[0], nil
	case command:
		return "", nil
	case len(p.StepOrder) == 0:
		described := "-- COMMAND [ARG...]"
		if verb == verbBuild {
			described = "--base-image IMAGE --registry REGISTRY"
		}
		return "", &problem.Error{Summary: "there is no step to " + verb,
			Next: fmt.Sprintf("write one into stephost.hcl, or describe it: stephost %s --operator NAME %s", verb, described)}
	default:
		return "", &problem.Error{Summary: "which step is meant?", Detail: "There are: " + strings.Join(p.StepOrder, ", ") + ".",
			Next: fmt.Sprintf("name one: stephost %s %s", verb, p.StepOrder[0])}
	}
}
