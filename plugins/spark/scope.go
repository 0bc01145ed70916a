package main

import (
	"context"
	"fmt"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
)

// Scope is this machine, the state directory and the master: the driver is a
// process here, or its only name, its submission's ID, is in a record here.
func (f *spark) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	if c.onKubernetes() {
		return f.kubeScope(ctx, c)
	}
	state, err := f.state(c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	machine, host, err := detached.Machine(state)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	master := c.Master
	if c.isLocal() {
		master = "local" // how many threads it has is no other place
	}
	return pluginsdk.Scope{
		ID:      "spark:" + machine + ":" + master + ":" + state.Root(),
		Display: fmt.Sprintf("Spark %s from machine %s, %s", c.Master, host, state.Root()),
	}, nil
}
