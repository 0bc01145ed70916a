package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// Limits of one command of Slurm's.
const (
	// askLimit is below the 30 s of Status, and above the 10 s (MessageTimeout)
	// after which Slurm's own commands give up.
	askLimit = 25 * time.Second
	// submitLimit is below the 60 s of Submit: the answer is then this flavor's.
	submitLimit = 45 * time.Second
	// endWait is for a command that was killed and whose pipes stay open.
	endWait = time.Second
	// maxText bounds what of a command's words goes into an error.
	maxText = 800
)

// commandError is a command that could not be run or did not end with 0.
type commandError struct {
	name string
	// text is what it wrote on stderr, without Slurm's own prefixes.
	text string
	// began: it was started, so that it may have done something.
	began bool
	err   error
}

func (e *commandError) Error() string {
	if e.text != "" {
		return e.name + ": " + e.text
	}
	return e.name + ": " + e.err.Error()
}

func (e *commandError) Unwrap() error { return e.err }

// run runs a command of Slurm's in exactly env and returns its standard output.
func run(ctx context.Context, limit time.Duration, env []string, dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = env, dir, &stdout, &stderr, endWait
	if err := cmd.Start(); err != nil {
		return "", &commandError{name: name, err: err}
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", &commandError{name: name, text: words(name, stderr.String()), began: true, err: err}
	}
	return stdout.String(), nil
}

// ask runs a command that changes nothing. Times are printed as seconds since
// 1970, and texts in English.
func ask(ctx context.Context, name string, args ...string) (string, error) {
	return run(ctx, askLimit, slurmEnv(), "", name, args...)
}

// slurmEnv is what Slurm's own commands need.
func slurmEnv() []string {
	return append(os.Environ(), "SLURM_TIME_FORMAT=%s", "LC_ALL=C")
}

// words are the lines of stderr without "sbatch: error: ".
func words(name, stderr string) string {
	var out []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		line = strings.TrimPrefix(line, name+": ")
		line = strings.TrimPrefix(line, "error: ")
		if line != "" {
			out = append(out, line)
		}
	}
	text := strings.Join(out, "; ")
	return text[:min(len(text), maxText)]
}

// says tells whether the command failed with one of these texts.
func says(err error, texts ...string) bool {
	var c *commandError
	if !errors.As(err, &c) {
		return false
	}
	for _, t := range texts {
		if strings.Contains(strings.ToLower(c.text), strings.ToLower(t)) {
			return true
		}
	}
	return false
}

// couldNotAsk gives the error of a question its meaning.
func couldNotAsk(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return pluginsdk.Unreachable(fmt.Errorf("this machine has no Slurm commands: %w", err))
	case says(err, "authentication", "munge", "access/permission denied"):
		return pluginsdk.Auth(err)
	}
	return pluginsdk.Unreachable(err)
}
