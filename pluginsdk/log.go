package pluginsdk

import (
	"context"
	"os"

	"github.com/hashicorp/go-hclog"
)

type loggerKey struct{}

// Logger returns the log of this call: JSON lines on stderr, which the host
// takes into its own log with the flavor, operator, run and key. Secrets must
// not be logged. Outside of a call it returns a logger without those fields.
func Logger(ctx context.Context) hclog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(hclog.Logger); ok {
		return l
	}
	return newLogger()
}

func newLogger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: hclog.Info})
}

// WithLogger returns a context whose Logger is l.
func WithLogger(ctx context.Context, l hclog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, l)
}
