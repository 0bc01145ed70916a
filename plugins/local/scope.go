package main

import (
	"context"
	"fmt"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
)

// Scope is this machine and the state directory. It survives a restart of the
// machine, so that a run of before it is found, and found to be lost.
func (l *local) Scope(_ context.Context, c Config) (pluginsdk.Scope, error) {
	state, err := l.state(c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	machine, host, err := detached.Machine(state)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	return pluginsdk.Scope{
		ID:      "local:" + machine + ":" + state.Root(),
		Display: fmt.Sprintf("machine %s, %s", host, state.Root()),
	}, nil
}
