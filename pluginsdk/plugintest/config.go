package plugintest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tier is how much is checked.
type Tier string

const (
	// Quick needs no backend and starts no job.
	Quick Tier = "quick"
	// Full is Quick and jobs on a backend.
	Full Tier = "full"
)

// Kind is the kind of the flavor.
type Kind string

const (
	// Remote: a job outlives the plugin process.
	Remote Kind = "remote"
	// Launch: steps live and die with the plugin process.
	Launch Kind = "launch"
)

// Fault is something that Config.Fault makes the backend do.
type Fault string

const (
	// NoFault ends every other one.
	NoFault Fault = "none"
	// ReplyLost: the next creating call is carried out, its answer never arrives.
	ReplyLost Fault = "reply_lost"
	// SlowSubmit: the answer to the next creating call takes one to five seconds.
	SlowSubmit Fault = "slow_submit"
	// Queued: the next job waits for some minutes before its step starts.
	Queued Fault = "queued"
	// Unreachable: no call is answered until NoFault.
	Unreachable Fault = "unreachable"
)

// Faults are all but NoFault.
func Faults() []Fault { return []Fault{ReplyLost, SlowSubmit, Queued, Unreachable} }

// Defaults of Config.
const (
	// DefaultJobTimeout bounds one job of a few seconds: generous for a process or
	// a container. A cloud that provisions machines needs more.
	DefaultJobTimeout = 2 * time.Minute
	// DefaultCallTimeout is the contract's bound for Submit and a little slack.
	DefaultCallTimeout = 65 * time.Second
)

// Job is what an author's hook is told about a job.
type Job struct {
	Key string
	// NativeName is what the plugin called it, "" when it did not say.
	NativeName string
}

// Config says what to check and with what. Plugin is required, and the values of
// required attributes; a zero value for the rest means the quick tier.
type Config struct {
	// Plugin is the plugin's file.
	Plugin string
	// Command starts it. Empty: the manifest's `exec`, else Plugin itself.
	Command []string
	// Manifest is the text of flavor.hcl. Nil: it is read beside Plugin
	// (<plugin>.flavor.hcl, flavor.hcl) or from inside of it.
	Manifest []byte
	// Env are NAME=value pairs for the plugin's process, beside the baseline and
	// what `pass_env` lets through.
	Env []string

	// Tier: Quick when empty.
	Tier Tier
	// Kind: Remote when empty.
	Kind Kind
	// Only are IDs, or their beginnings ("logs."), of the checks to run. Empty:
	// all.
	Only []string
	// Waive maps the ID of a check that this flavor cannot pass to the reason,
	// for example a log store that accepts text only. The check still runs.
	Waive map[string]string

	// Operator and Settings are values of the manifest's config attributes and
	// settings, as JSON would have them; defaults are filled in. Sensitive ones
	// are strings here and travel as secrets.
	Operator, Settings map[string]any
	// Image is the reference of an image with a shell, head, od, seq and tr; for
	// flavors whose environment is an image. The quick tier runs none and makes one up.
	Image string
	// Shim: that image carries stephost's init process, as built images do.
	Shim bool
	// Shell runs a script: argv of a step is Shell, the script, "sh" and
	// arguments. Nil: sh -c.
	Shell []string
	// Witness is a directory on a file system that steps can write to under the
	// same path: a step's own count of its starts. Empty: steps run elsewhere, and
	// List or the log stands in.
	Witness string

	// List, if any, returns a name for every job, also ended ones, that the
	// backend itself holds for key. Never ask the plugin.
	List func(ctx context.Context, key string) ([]string, error)
	// Delete, if any, removes a job at the backend, also a running one.
	Delete func(ctx context.Context, job Job) error
	// Fault, if any, makes the backend misbehave. It returns
	// errors.ErrUnsupported for what it cannot play.
	Fault func(ctx context.Context, fault Fault) error

	// Previous, if any, is an earlier version of the flavor.
	Previous *Previous

	// JobTimeout bounds one job of a few seconds from Submit to verdict.
	JobTimeout time.Duration
	// CallTimeout bounds one call that is no stream.
	CallTimeout time.Duration

	// Announce, if any, is told before anything starts.
	Announce func(line string)
	// Progress, if any, is told each result as it comes.
	Progress func(Result)
}

// withDefaults checks c and fills it in.
func (c Config) withDefaults() (Config, error) {
	if c.Plugin == "" && len(c.Command) == 0 {
		return c, errors.New("plugintest: Config.Plugin is empty: it is the plugin's file")
	}
	if c.Tier == "" {
		c.Tier = Quick
	}
	if c.Tier != Quick && c.Tier != Full {
		return c, fmt.Errorf("plugintest: the tier is %q or %q, not %q", Quick, Full, c.Tier)
	}
	if c.Kind == "" {
		c.Kind = Remote
	}
	if c.Kind != Remote && c.Kind != Launch {
		return c, fmt.Errorf("plugintest: the kind is %q or %q, not %q", Remote, Launch, c.Kind)
	}
	if len(c.Shell) == 0 {
		c.Shell = []string{"sh", "-c"}
	}
	if c.JobTimeout <= 0 {
		c.JobTimeout = DefaultJobTimeout
	}
	if c.CallTimeout <= 0 {
		c.CallTimeout = DefaultCallTimeout
	}
	if c.Previous != nil && c.Previous.Plugin == "" {
		return c, errors.New("plugintest: Config.Previous has no Plugin: it is the file of the earlier version")
	}
	for id := range c.Waive {
		if !known(id) {
			return c, fmt.Errorf("plugintest: Config.Waive names %q, which is no check", id)
		}
	}
	for _, id := range c.Only {
		if !knownPrefix(id) {
			return c, fmt.Errorf("plugintest: Config.Only names %q, with which no check begins", id)
		}
	}
	return c, nil
}

// wants tells whether Only lets a check through.
func (c *Config) wants(id string) bool {
	if len(c.Only) == 0 {
		return true
	}
	for _, p := range c.Only {
		if strings.HasPrefix(id, p) {
			return true
		}
	}
	return false
}
