package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// view is what Slurm says about a job.
type view struct {
	id, name string
	// state is Slurm's word without additions: CANCELLED, not "CANCELLED by 0".
	state, reason string
	// code and signal that ended the batch script.
	code, signal       int
	restarts           int
	submit, start, end time.Time
	comment            string
}

// queueFields and accountFields name the fields of view, in its order.
const (
	queueFields   = "JobID:|,Name:|,State:|,Reason:|,exit_code:|,RestartCnt:|,SubmitTime:|,StartTime:|,EndTime:|,Comment:|"
	accountFields = "JobIDRaw,JobName,State,Reason,ExitCode,Restarts,Submit,Start,End,Comment"
	fields        = 10
)

// queue asks slurmctld, which knows a job for some minutes after its end
// (MinJobAge). One call answers for any number of jobs.
func queue(ctx context.Context, filter ...string) ([]view, error) {
	out, err := ask(ctx, "squeue", append([]string{"--noheader", "--states=all", "--Format=" + queueFields}, filter...)...)
	if says(err, "Invalid job id specified") {
		return nil, nil // said of a single job that it knows no longer
	}
	if err != nil {
		return nil, couldNotAsk(err)
	}
	return views(out)
}

// accounts asks the accounting database, where the cluster keeps one.
func accounts(ctx context.Context, filter ...string) ([]view, error) {
	out, err := ask(ctx, "sacct", append([]string{"--noheader", "--parsable2", "--allocations", "--duplicates", "--starttime=1970-01-01", "--format=" + accountFields}, filter...)...)
	if says(err, "accounting storage is disabled") {
		return nil, nil
	}
	if says(err, "Invalid field") { // Restarts and Reason are not in every version
		return accountsOld(ctx, filter)
	}
	if err != nil {
		return nil, couldNotAsk(err)
	}
	return views(out)
}

func accountsOld(ctx context.Context, filter []string) ([]view, error) {
	const old = "JobIDRaw,JobName,State,JobIDRaw,ExitCode,JobIDRaw,Submit,Start,End,Comment"
	out, err := ask(ctx, "sacct", append([]string{"--noheader", "--parsable2", "--allocations", "--duplicates", "--starttime=1970-01-01", "--format=" + old}, filter...)...)
	if err != nil {
		return nil, couldNotAsk(err)
	}
	all, err := views(out)
	for i := range all {
		all[i].reason, all[i].restarts = "", 0 // these columns only kept the place
	}
	return all, err
}

// views reads lines of fields with "|" between them. None of them can hold one:
// names and comments are of this flavor's making, and other jobs are skipped.
func views(out string) ([]view, error) {
	var all []view
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), "|")
		if len(f) < fields {
			continue
		}
		if f[1] == nameless {
			f[1] = keyOf(f[9])
		}
		if !goodKey().MatchString(f[1]) {
			continue
		}
		v := view{id: f[0], name: f[1], reason: f[3], submit: epoch(f[6]), start: epoch(f[7]), end: epoch(f[8]), comment: f[9]}
		v.state, _, _ = strings.Cut(f[2], " ")
		v.restarts, _ = strconv.Atoi(f[5])
		var err error
		if v.code, v.signal, err = exitCode(f[4]); err != nil {
			return nil, fmt.Errorf("job %s: %w", v.id, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// exitCode reads "CODE:SIGNAL" (sacct), or the wait status as a number (squeue).
func exitCode(text string) (code, signal int, err error) {
	if left, right, ok := strings.Cut(text, ":"); ok {
		code, err = strconv.Atoi(left)
		if err == nil {
			signal, err = strconv.Atoi(right)
		}
	} else {
		var status int
		status, err = strconv.Atoi(text)
		code, signal = status>>8&0xff, status&0x7f
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%.40q is no exit code", text)
	}
	return code, signal, nil
}

// nameless is the name that the accounts give a job whose end reached them before
// its beginning did: one that is cancelled the moment it starts, on a busy
// controller (seen with 22.05: "allocation" beside the comment of the job). The
// database itself has no name then, so that none can be asked for; who looks for
// such a job looks through the user's jobs of a week.
const (
	nameless      = "allocation"
	namelessSince = "--starttime=now-7days"
)

// epoch reads seconds since 1970; Slurm's words for "not yet" are the zero time.
func epoch(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0)
}
