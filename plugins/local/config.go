package main

import (
	"strings"

	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
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

// state is the state directory of the config.
func (l *local) state(c Config) (jobdir.State, error) {
	return detached.State("local", c.StateDir, l.getenv)
}

func (l *local) getenv(name string) string {
	for _, kv := range l.environ() {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
