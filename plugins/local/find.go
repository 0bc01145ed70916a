package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Find looks into the state directory. What it reads is the truth and not a
// copy, so it never answers UNDETERMINED.
func (l *local) Find(ctx context.Context, c Config, q pluginsdk.Query) (pluginsdk.Found, error) {
	state, err := l.state(c)
	if err != nil {
		return pluginsdk.Found{}, err
	}
	return l.jobs.Find(ctx, state, q)
}
