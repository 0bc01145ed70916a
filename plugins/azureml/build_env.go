package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// maxText is the most that Linux takes as one argument or variable
	// (MAX_ARG_STRLEN, 128 KiB), with room for the name and the rest of the command.
	maxText = 120_000
	// sourceDir is where an image that stephost built has the step's source.
	sourceDir = "/stephost/src"
)

// variable is a name that every tool on the way takes.
var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`) })

// command sets the command and its environment.
//
// With the shim the argv travels in a variable, untouched by any shell, and
// whatever AzureML could rewrite in a value travels packed. Without it the argv
// is quoted, and what cannot be carried is refused by name.
func (b *built) command(_ Config, s *pluginsdk.Step, _ prepared) error {
	if err := pluginsdk.CheckTexts(s); err != nil {
		return err
	}
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]string{}
	}
	for name, value := range s.Secrets {
		env[name], b.secret[name] = value.Reveal(), true // a secret wins over a plain variable of the same name
	}
	if len(b.secret) > 0 && !s.AllowVisibleSecrets {
		return pluginsdk.Config("secrets", "readers of a job see its environment: allow_visible_secrets = true accepts that")
	}
	env["STEPHOST_RUN"], env["STEPHOST_ATTEMPT"] = s.RunID, strconv.Itoa(s.Attempt)
	if s.RunID == "" {
		env["STEPHOST_RUN"] = pluginsdk.KnownAtLaunch("the run's ID")
	}
	// AzureML uploads ./outputs of the directory that the command begins in.
	var line strings.Builder
	if pluginsdk.HasShim(s) {
		name, value, err := pluginsdk.ArgvEnv(s)
		if err != nil {
			return err
		}
		env[name] = value
		fit, packed, err := pluginsdk.SplitEnv(env, maxText, awkward(env)...)
		if err != nil {
			return err
		}
		if packed {
			b.note("variables that AzureML would rewrite or cannot carry travel in parts, and the image's init process joins them")
		}
		for part := range fit {
			// A part of a secret is as secret as the whole.
			if packed && len(b.secret) > 0 && env[part] == "" {
				b.secret[part] = true
			}
		}
		env = fit
		if s.Resources.Nodes > 1 {
			env[pluginsdk.ShimRankFrom] = pluginsdk.ShimRankAzureML
		}
		fmt.Fprintf(&line, `export %s="$PWD/outputs"; if [ -d %s ]; then cd %s; fi; exec %s`, pluginsdk.ShimOutputDir, sourceDir, sourceDir, pluginsdk.ShimPath)
	} else {
		if bad := awkward(env); len(bad) > 0 {
			slices.Sort(bad)
			return pluginsdk.Config("env."+bad[0], "AzureML would rewrite this variable or cannot carry it (a name with other characters than letters, digits and \"_\", a value over %d bytes, one that is no text, or one with \"${{\"); write base_image instead of image or environment_name, and stephost builds an image that can", maxText)
		}
		if s.Resources.Nodes > 1 {
			// AzureML sets the others for distribution type PyTorch.
			line.WriteString(`export STEPHOST_RANK="$NODE_RANK" STEPHOST_WORLD_SIZE="$WORLD_SIZE"; `)
		}
		fmt.Fprintf(&line, `export STEPHOST_OUTPUT_DIR="$PWD/outputs"; mkdir -p "$STEPHOST_OUTPUT_DIR"; exec %s`, words(s.Argv))
		if line.Len() > maxText {
			return pluginsdk.Config("command", "the command has %d bytes, and AzureML runs it as one argument of bash, which has at most %d", line.Len(), maxText)
		}
	}
	b.job.Command = ptr(line.String())
	b.job.EnvironmentVariables = map[string]*string{}
	for name, value := range env {
		b.job.EnvironmentVariables[name] = &value
	}
	return nil
}

// awkward are the variables that AzureML would rewrite or cannot carry.
func awkward(env map[string]string) []string {
	var out []string
	for name, value := range env {
		if !variable().MatchString(name) || len(value) > maxText || !utf8.ValidString(value) || strings.Contains(value, "${{") {
			out = append(out, name)
		}
	}
	return out
}
