package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// Ends that a cluster of one machine without control groups and accounts does
// not show. The words are those of squeue(1), JOB STATE CODES.
func TestStatusOf(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tc := range []struct {
		view   view
		record string // a file of the record
		phase  pluginsdk.Phase
		class  pluginsdk.Class
		reason string
	}{
		{view: view{state: "PENDING", reason: "QOSMaxJobsPerUserLimit"}, phase: pluginsdk.Queued, reason: "QOSMaxJobsPerUserLimit"},
		{view: view{state: "CONFIGURING"}, phase: pluginsdk.Provisioning},
		{view: view{state: "RUNNING", reason: "None", start: start}, phase: pluginsdk.Running},
		{view: view{state: "RUNNING", start: start}, record: "cancel", phase: pluginsdk.Cancelling},
		{view: view{state: "COMPLETING", start: start}, phase: pluginsdk.Running},
		{view: view{state: "SUSPENDED", start: start}, phase: pluginsdk.Running},
		{view: view{state: "COMPLETED", start: start}, phase: pluginsdk.Succeeded},
		{view: view{state: "CANCELLED"}, phase: pluginsdk.Cancelled},
		{view: view{state: "OUT_OF_MEMORY", start: start}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser, reason: "OutOfMemory"},
		{view: view{state: "TIMEOUT", start: start}, phase: pluginsdk.Failed, class: pluginsdk.ClassTimeout},
		{view: view{state: "DEADLINE"}, phase: pluginsdk.Failed, class: pluginsdk.ClassTimeout},
		{view: view{state: "PREEMPTED", start: start}, phase: pluginsdk.Failed, class: pluginsdk.ClassPreempted},
		{view: view{state: "NODE_FAIL", start: start}, phase: pluginsdk.Failed, class: pluginsdk.ClassSystem},
		{view: view{state: "BOOT_FAIL"}, phase: pluginsdk.Failed, class: pluginsdk.ClassSystem},
		{view: view{state: "FAILED", start: start, code: 3}, phase: pluginsdk.Failed, class: pluginsdk.ClassUser},
		{view: view{state: "FAILED", start: start, signal: 9}, phase: pluginsdk.Failed, class: pluginsdk.ClassSystem},
		{view: view{state: "FAILED", start: start, signal: 9}, record: "cancel", phase: pluginsdk.Cancelled},
		{view: view{state: "FAILED", start: start, code: 125}, record: "failed", phase: pluginsdk.Failed, class: pluginsdk.ClassConfig, reason: "NotStarted"},
		{view: view{state: "FAILED", reason: "BadConstraints"}, phase: pluginsdk.Failed, class: pluginsdk.ClassConfig, reason: "BadConstraints"},
		{view: view{state: "A_NEW_ONE"}, phase: 0},
	} {
		t.Run(tc.view.state+" "+tc.record, func(t *testing.T) {
			r := record{dir: t.TempDir()}
			if tc.record != "" {
				if err := r.put(tc.record, "why"); err != nil {
					t.Fatal(err)
				}
			}
			s, err := statusOf(r, tc.view)
			if err != nil || s.Phase != tc.phase || s.Class != tc.class || s.Reason != tc.reason || s.NativeState != tc.view.state {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

// The first is a line of squeue 22.05; the others vary it: times that are not
// known yet, and the forms of sacct, of which TestAccounts has real ones.
func TestViews(t *testing.T) {
	const name = "abcdefghijklmnopqrstuvwxyz"
	for _, tc := range []struct {
		line string
		want view
	}{
		{"6|" + name + "|FAILED|NonZeroExitCode|1792|0|1795167426|1795167429|1795168029|stephost?a=b|",
			view{id: "6", name: name, state: "FAILED", reason: "NonZeroExitCode", code: 7, submit: time.Unix(1795167426, 0), start: time.Unix(1795167429, 0), end: time.Unix(1795168029, 0), comment: "stephost?a=b"}},
		{"7|" + name + "|FAILED|JobLaunchFailure|9|2|1|N/A|N/A||",
			view{id: "7", name: name, state: "FAILED", reason: "JobLaunchFailure", signal: 9, restarts: 2, submit: time.Unix(1, 0)}},
		{"8|" + name + "|CANCELLED by 1000|None|0:15|0|1|2|3|",
			view{id: "8", name: name, state: "CANCELLED", reason: "None", signal: 15, submit: time.Unix(1, 0), start: time.Unix(2, 0), end: time.Unix(3, 0)}},
		{"2|allocation|CANCELLED by 0|2|0:0|2|1|2|3|stephost?key=" + name + "&run=r",
			view{id: "2", name: name, state: "CANCELLED", reason: "2", restarts: 2, submit: time.Unix(1, 0), start: time.Unix(2, 0), end: time.Unix(3, 0), comment: "stephost?key=" + name + "&run=r"}},
	} {
		got, err := views(tc.line + "\n9|somebody|else's|job|0|0|1|2|3|x|y|\n9|allocation|COMPLETED|x|0|0|1|2|3||\nshort\n")
		if err != nil || len(got) != 1 || got[0] != tc.want {
			t.Errorf("%s\n%+v\n%v", tc.line, got, err)
		}
	}
	if _, err := views("6|" + name + "|FAILED|x|what|0|1|2|3|c|\n"); err == nil {
		t.Error("an exit code that cannot be read")
	}
}

func TestComment(t *testing.T) {
	s := &pluginsdk.Step{Token: "a|b\n&=c d", RunID: "r1", Attempt: 2, RequestDigest: "00", Name: "x|y"}
	text := comment("abcdefghijklmnopqrstuvwxyz", s)
	if strings.ContainsAny(text, "|\n ") {
		t.Errorf("%q", text)
	}
	if m, ok := fromComment(text); !ok || m.Token != s.Token || m.Run != "r1" || m.Attempt != 2 || m.Digest != "00" {
		t.Errorf("%+v", m)
	}
	if key := keyOf(text); key != "abcdefghijklmnopqrstuvwxyz" {
		t.Error(key)
	}
	if _, ok := fromComment("somebody's own"); ok || keyOf("somebody's own") != "" {
		t.Error("a comment of somebody else")
	}
}

// Only a refusal is called one.
func TestRefusals(t *testing.T) {
	failed := func(text string) error {
		return &commandError{name: "sbatch", text: text, began: true, err: errors.New("exit status 1")}
	}
	for _, tc := range []struct {
		err      error
		rejected bool
		class    pluginsdk.Class
		ask      pluginsdk.Ask
	}{
		{failed("Batch job submission failed: Invalid partition name specified"), true, pluginsdk.ClassConfig, 0},
		{failed("Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"), true, pluginsdk.ClassCapacity, 0},
		{failed("Batch job submission failed: Unable to contact slurm controller (connect failure)"), true, pluginsdk.ClassSystem, pluginsdk.AskUnreachable},
		{failed("Batch job submission failed: Protocol authentication error"), true, pluginsdk.ClassAuth, pluginsdk.AskAuth},
		{failed("Batch job submission failed: Socket timed out on send/recv operation"), false, pluginsdk.ClassSystem, pluginsdk.AskUnreachable},
		{failed("Batch job submission failed: Zero Bytes were transmitted or received"), false, pluginsdk.ClassSystem, pluginsdk.AskUnreachable},
		{failed("something new"), false, pluginsdk.ClassSystem, pluginsdk.AskUnreachable},
		{&commandError{name: "sbatch", err: os.ErrNotExist}, true, pluginsdk.ClassSystem, pluginsdk.AskUnreachable},
	} {
		var e *pluginsdk.Error
		if !errors.As(refused(tc.err), &e) || e.Rejected != tc.rejected || e.Class != tc.class {
			t.Errorf("%v: %+v", tc.err, e)
		}
		if tc.rejected && tc.ask != 0 {
			if !errors.As(e.Err, &e) {
				t.Errorf("%v: nobody was asked, and that is not said", tc.err)
			}
		}
		if e.Ask != tc.ask {
			t.Errorf("%v: asked %d", tc.err, e.Ask)
		}
	}
}
