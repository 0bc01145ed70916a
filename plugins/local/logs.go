package main

import (
	"context"

	"github.com/stephost/stephost/pluginsdk"
)

// Logs reads both streams from their files, in which the runner keeps every
// byte.
func (l *local) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	state, err := l.state(c)
	if err != nil {
		return err
	}
	return l.jobs.Logs(ctx, state, h, r, w)
}
