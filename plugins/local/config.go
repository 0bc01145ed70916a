package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/plugins/local/internal/jobdir"
	"github.com/stephost/stephost/pluginsdk"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	StateDir   string   `stephost:"state_dir"`
	InheritEnv []string `stephost:"inherit_env"`
}

// Settings are the step's settings.
type Settings struct {
	BestEffort bool `stephost:"best_effort"`
}

// state is the state directory of the config. It does not depend on
// STEPHOST_HOME: whoever comes from an empty home finds the same jobs.
func (l *local) state(c Config) (jobdir.State, error) {
	if c.StateDir != "" {
		if !filepath.IsAbs(c.StateDir) {
			return jobdir.State{}, pluginsdk.Config("config.state_dir", "%s is no absolute path", c.StateDir)
		}
		return jobdir.At(filepath.Clean(c.StateDir)), nil
	}
	base := l.getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // the XDG specification: a relative path is ignored
		home := l.getenv("HOME")
		if home == "" {
			home, _ = os.UserHomeDir()
		}
		if home == "" {
			return jobdir.State{}, pluginsdk.Config("config.state_dir", "there is no home directory to keep jobs in: set state_dir")
		}
		base = filepath.Join(home, ".local", "state")
	}
	return jobdir.At(filepath.Join(base, "stephost-local")), nil
}

// job is the job of a key in the state directory of the config.
func (l *local) job(c Config, key string) (jobdir.State, jobdir.Job, error) {
	state, err := l.state(c)
	if err != nil {
		return state, jobdir.Job{}, err
	}
	job, err := state.Job(key)
	return state, job, err
}

func (l *local) getenv(name string) string {
	for _, kv := range l.environ() {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
