package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/stephost/stephost/pluginsdk"
)

// Validate refuses what this machine cannot give. It creates nothing.
func (l *local) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	var found []error
	for _, name := range c.InheritEnv {
		if l.getenv(name) == "" {
			found = append(found, pluginsdk.Warn("config.inherit_env", "%s is not set here, or the flavor's pass_env does not let it through", name))
		}
	}
	if s == nil {
		return errors.Join(found...)
	}
	job, err := state.Job(placeholderKey)
	if err != nil {
		return err
	}
	if _, err := l.build(c, state, job, s); err != nil {
		found = append(found, err)
	}
	return errors.Join(found...)
}

// Preflight looks whether the state directory can be used.
func (l *local) Preflight(_ context.Context, c Config, _ *pluginsdk.Step) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	// The directory is made by the first launch; what is there of its path must
	// be a directory that can be written.
	dir := state.Root()
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return pluginsdk.Config("config.state_dir", "the state directory %s cannot be reached: %w", state.Root(), err)
	}
	if !info.IsDir() {
		return pluginsdk.Config("config.state_dir", "the state directory %s cannot be made: %s is a file", state.Root(), dir)
	}
	if !writable(dir) {
		return pluginsdk.Config("config.state_dir", "the state directory %s cannot be written by this user; set state_dir to one that can", state.Root())
	}
	return nil
}
